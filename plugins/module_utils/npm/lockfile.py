# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What npm's lockfile says about a package, in each of its formats. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

#: The lockfiles of npm; it reads the first one that is there.
NAMES = ("npm-shrinkwrap.json", "package-lock.json")
_VERSION = re.compile(r"(?:npm:.*@)?(\d[^\s:/@]*)")


def entry_of(lock: Mapping[str, Any], node: str) -> Mapping[str, Any]:
    """The entry for a folder of node_modules; the lockfile of npm 6 nests them."""
    if "packages" in lock:
        return _mapping(_mapping(lock["packages"]).get(node))
    entry = lock
    for name in node.split("node_modules/")[1:]:
        entry = _mapping(_mapping(entry.get("dependencies")).get(name.rstrip("/")))
    return entry


def version_of(lock: Mapping[str, Any], name: str) -> str:
    """The version of a direct dependency; empty if it is not there, or workspaces differ in it."""
    if "packages" in lock:
        entries = [
            _mapping(entry)
            for path, entry in _mapping(lock["packages"]).items()
            if path.count("node_modules/") == 1 and f"/{path}".endswith(f"/node_modules/{name}")
        ]
    else:
        entries = [entry_of(lock, f"node_modules/{name}")]
    versions = {str(entry.get("version") or "") for entry in entries}
    match = _VERSION.fullmatch(versions.pop()) if len(versions) == 1 else None
    return match[1] if match else ""


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}
