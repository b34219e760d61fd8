# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an update changes, by the files of npm. Pure."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ...core.errors import NotCollected
from ...core.units import pluralize

#: The files that an update may change; npm reads the shrinkwrap file if there are both.
LOCKS = ("npm-shrinkwrap.json", "package-lock.json")
MANIFEST = "package.json"
_DIRECT = ("dependencies", "optionalDependencies", "devDependencies", "peerDependencies")
_NAMED = 3
_ROWS = 50

#: Content of these files by name.
Files = Mapping[str, str]


@dataclass(frozen=True)
class Change:
    """A package whose version an update changes."""

    package: str
    before: str
    """Its versions, as a package can be there several times; empty for a new one."""
    after: str
    """Empty if it is no longer needed."""
    direct: bool = False
    """Whether package.json names it."""
    development: bool = False
    """Whether production does not use it."""


def lock_of(files: Files) -> str:
    """Name of the lockfile; raises `NotCollected` if there is none that this can work with."""
    for name in LOCKS:
        if name in files:
            if "packages" not in _parsed(files, name):
                raise NotCollected(
                    f"{name} has the old format of npm 6",
                    "Run 'npm install --package-lock-only' in a checkout with a newer npm, and "
                    "commit the file.",
                )
            return name
    raise NotCollected(
        "the app has no package-lock.json",
        "Keep one in its repository: 'npm install --package-lock-only' writes it.",
    )


def changes(before: Files, after: Files) -> tuple[Change, ...]:
    """The packages whose version differs, those that package.json names first."""
    package = _parsed(after, MANIFEST)
    named = {name for kind in _DIRECT for name in package.get(kind) or {}}
    old, new = _versions(_entries(before)), _versions(_entries(after))
    entries = {**_entries(before), **_entries(after)}
    found = [
        Change(
            name,
            ", ".join(sorted(old.get(name, ()))),
            ", ".join(sorted(new.get(name, ()))),
            direct=name in named,
            development=all(
                bool(entry.get("dev")) for path, entry in entries.items() if _name(path) == name
            ),
        )
        for name in sorted({*old, *new})
        if old.get(name) != new.get(name)
    ]
    return tuple(sorted(found, key=lambda change: not change.direct))


def names(files: Files) -> list[str]:
    """All packages of a lockfile."""
    return sorted(_versions(_entries(files)))


def has_script(files: Files, script: str) -> bool:
    """Whether package.json has a script of that name."""
    return script in (_parsed(files, MANIFEST).get("scripts") or {})


def digest(files: Files, commands: Iterable[str]) -> str:
    """Identifies an update and what proves it."""
    content = json.dumps([sorted(files.items()), list(commands)])
    return hashlib.sha256(content.encode()).hexdigest()[:10]


def summary(found: Sequence[Change]) -> str:
    """``5 packages: router 1.0.0 → 1.0.1, parser 2.0.0 → 2.1.0 and 3 more``."""
    shown = ", ".join(_step(change) for change in found[:_NAMED])
    more = f" and {len(found) - _NAMED} more" if len(found) > _NAMED else ""
    return f"{pluralize(len(found), 'package')}: {shown}{more}"


def rows(found: Sequence[Change]) -> tuple[dict[str, str], ...]:
    """The changes as evidence."""
    return tuple(
        {
            "package": change.package,
            "before": change.before or "not there",
            "after": change.after or "removed",
            "named in package.json": "yes" if change.direct else "no",
            "used": "development" if change.development else "production",
        }
        for change in found
    )


def state(found: Sequence[Change], which: str) -> dict[str, str]:
    """Version by package, ``before`` or ``after``, for an action."""
    listed = {change.package: getattr(change, which) or "none" for change in found[:_ROWS]}
    if len(found) > _ROWS:
        listed["…"] = f"{len(found) - _ROWS} more"
    return listed


def _step(change: Change) -> str:
    if not change.before:
        return f"{change.package} {change.after} added"
    if not change.after:
        return f"{change.package} {change.before} removed"
    return f"{change.package} {change.before} → {change.after}"


def _parsed(files: Files, name: str) -> Mapping[str, Any]:
    try:
        content = json.loads(files[name])
    except (KeyError, ValueError):
        raise NotCollected(f"{name} is missing, or is no JSON") from None
    if not isinstance(content, dict):
        raise NotCollected(f"{name} is no JSON object")
    return content


def _entries(files: Files) -> dict[str, Mapping[str, Any]]:
    """The packages of the lockfile by folder, without the app's own."""
    packages = _parsed(files, lock_of(files)).get("packages") or {}
    return {
        path: entry
        for path, entry in packages.items()
        if "node_modules/" in path and not entry.get("link")
    }


def _versions(entries: Mapping[str, Mapping[str, Any]]) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for path, entry in entries.items():
        version = str(entry.get("version") or "")
        resolved = str(entry.get("resolved") or "")
        if resolved.startswith("git"):  # its version can stay the same
            version = f"{version} {resolved.rpartition('#')[2][:10]}".strip()
        found.setdefault(_name(path), set()).add(version)
    return found


def _name(path: str) -> str:
    return path.rpartition("node_modules/")[2]
