# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is to be done: which logs our file rotates, and what is archived and removed. Pure."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from .archive import Archive
from .config_file import Group, cut_patterns, render
from .foreign import patterns_in
from .naming import Rotated, is_named
from .options import Options
from .sharing import Shared, share
from .snapshot import Log, Snapshot

_DAY = 86400.0


@dataclass(frozen=True)
class Declined:
    """A pattern that our file does not rotate, and why."""

    pattern: str
    reason: str
    missing: str = ""
    """The folder, if there is none."""


@dataclass(frozen=True)
class Plan:
    """The content of our file, and what it leaves to others."""

    text: str
    """Empty if there is nothing that our file may rotate."""
    declined: Sequence[Declined] = ()
    managed: Sequence[Log] = ()
    patterns: Sequence[str] = ()
    """Those that are not declined; logs, where others rotate some of a pattern."""
    shared: Sequence[Shared] = ()
    """Patterns of which others rotate some logs."""
    keeps: bool = False
    """Whether our file stays as it is, as a path may be mistyped and it rotates other logs."""

    def covers(self, log: str) -> bool:
        """Whether a log is one that our file rotates."""
        return any(is_named(log, pattern) for pattern in self.patterns)

    def cuts(self, log: str) -> bool:
        """Whether the lines of a log are copied and cut off, so that it stays open."""
        return any(is_named(log, pattern) for pattern in cut_patterns(self.text))


def plan_configuration(snapshot: Snapshot, options: Options, python: str) -> Plan:
    """Our file for all logs that no one else rotates."""
    declined: list[Declined] = []
    managed: list[Log] = []
    patterns: list[str] = []
    shared: list[Shared] = []
    groups = _Groups()
    for pattern in options.paths:
        folder = os.path.dirname(pattern)
        if not snapshot.folders[pattern]:
            declined.append(Declined(pattern, f"there is no folder {folder}", folder))
            continue
        found = share(pattern, snapshot, options.paths)
        logs = found.free if found else snapshot.logs[pattern]
        reason = found.obstacle if found else ""
        reason = reason or _obstacle(pattern, logs, snapshot)
        if reason:
            declined.append(Declined(pattern, reason))
            continue
        if found:
            shared.append(found)
        managed += logs
        for name in found.names if found else (pattern,):
            patterns.append(name)
            groups.add(name, pattern, logs, snapshot)
    keeps = any(each.missing for each in declined) and _drops(snapshot, patterns)
    text = render(options, groups.all, snapshot.gzip, python) if groups.all else ""
    text = snapshot.installed or "" if keeps else text
    return Plan(text, declined, managed, patterns, shared, keeps)


def _drops(snapshot: Snapshot, patterns: Sequence[str]) -> bool:
    """Whether our file rotates what would not be in the new one."""
    return snapshot.is_ours and not set(patterns_in(snapshot.installed or "")) <= set(patterns)


class _Groups:
    """The patterns by who may rotate them, and how."""

    def __init__(self) -> None:
        self._paths: dict[tuple[str, str, bool, bool], list[str]] = {}

    def add(self, name: str, pattern: str, logs: Sequence[Log], snapshot: Snapshot) -> None:
        folder = snapshot.folders[pattern][0]
        user = ("", "")
        if snapshot.is_root and folder.needs_su:
            # A log that is made anew gets this group, and those who read it are in that of the old.
            groups = {log.group for log in logs}
            user = (folder.owner, groups.pop() if len(groups) == 1 else folder.group)
        cut = pattern in snapshot.cuttable
        # PM2 loses lines when it opens its logs again, so not for the logs of others.
        has_pm2 = not snapshot.cuttable or any(log.path in snapshot.pm2_logs for log in logs)
        self._paths.setdefault((*user, cut, has_pm2 or cut), []).append(name)

    @property
    def all(self) -> list[Group]:
        return [Group(tuple(paths), *how) for how, paths in self._paths.items()]


def _obstacle(pattern: str, logs: Sequence[Log], snapshot: Snapshot) -> str:
    """Why our file must not rotate these; empty if it may."""
    folders = snapshot.folders[pattern]
    owners = {folder.owner for folder in folders}
    if snapshot.is_root and len(owners) > 1:
        return f"their folders belong to {', '.join(sorted(owners))}: name them one by one"
    others = {log.owner for log in logs} - owners
    if snapshot.is_root and others and "root" not in owners:
        return (
            f"they belong to {', '.join(sorted(others))}, and their folder to {owners.pop()}, "
            "who cannot make them anew for another user"
        )
    return ""


def due_for_archive(rotated: Iterable[Rotated], options: Options, now: float) -> list[Rotated]:
    """What has been rotated for long enough, and what an earlier run has begun; oldest first."""
    if not options.archive_dir:
        return []
    return [
        each
        for each in rotated
        if each.size and (each.claimed or now - each.modified >= options.keep * _DAY)
    ]


def expired(archives: Iterable[Archive], options: Options, now: float) -> list[Archive]:
    """The archives that were kept for long enough, oldest first."""
    found = [each for each in archives if now - each.archived >= options.archive_keep * _DAY]
    return sorted(found, key=lambda each: each.archived)
