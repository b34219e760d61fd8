# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether package-lock.json is in step with package.json. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from ..source import Source, package

_LOCKS = ("npm-shrinkwrap.json", "package-lock.json")
_OTHER = ("yarn.lock", "pnpm-lock.yaml", "bun.lock")
_KINDS = ("dependencies", "devDependencies", "optionalDependencies", "peerDependencies")


def differences(source: Source) -> list[str] | None:
    """What 'npm ci' would refuse, in words; none if another tool keeps the lock file."""
    wanted = package(source)
    text = next(filter(None, map(source.read, _LOCKS)), "")
    if not text:
        return None if any(map(source.read, _OTHER)) else ["there is no package-lock.json"]
    try:
        lock = json.loads(text)
    except ValueError:
        return ["package-lock.json is not JSON; a merge may have left its marks"]
    packages = lock.get("packages") if isinstance(lock, dict) else None
    if not isinstance(packages, dict) or not isinstance(packages.get(""), dict):
        return None  # of npm 6, which names no ranges
    return _ranges(wanted, packages[""]) + _absent(wanted, packages)


def _ranges(wanted: Mapping[str, Any], locked: Mapping[str, Any]) -> list[str]:
    found = []
    for kind in _KINDS:
        asked, has = _names(wanted, kind), _names(locked, kind)
        for name in sorted(asked.keys() | has.keys()):
            if asked.get(name) == has.get(name):
                continue
            if name not in has:
                found.append(f"{name} is missing from the lock file")
            elif name not in asked:
                found.append(f"{name} is only in the lock file")
            else:
                found.append(f"{name} is {asked[name]} in package.json, {has[name]} in the other")
    return found


def _absent(wanted: Mapping[str, Any], packages: Mapping[str, Any]) -> list[str]:
    """Packages that package.json asks for, and whose own entry is missing."""
    names = {**_names(wanted, "dependencies"), **_names(wanted, "devDependencies")}
    root = {name for kind in _KINDS[:2] for name in _names(packages[""], kind)}
    return [
        f"{name} has no entry in the lock file"
        for name in sorted(names)
        if name in root and f"node_modules/{name}" not in packages
    ]


def _names(content: Mapping[str, Any], kind: str) -> dict[str, str]:
    found, optional = content.get(kind), content.get("optionalDependencies")
    if not isinstance(found, dict):
        return {}
    # What is optional as well is only that, to npm.
    hidden = optional if kind == "dependencies" and isinstance(optional, dict) else {}
    return {str(name): str(text) for name, text in found.items() if name not in hidden}
