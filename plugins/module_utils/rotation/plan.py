# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is to be done: which logs our file rotates, and what is archived and removed. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from .archive import Archive
from .config_file import Group, render
from .naming import Rotated, is_named
from .options import Options
from .snapshot import Folder, Log, Snapshot

_DAY = 86400.0


@dataclass(frozen=True)
class Declined:
    """A pattern that our file does not rotate, and why."""

    pattern: str
    reason: str


@dataclass(frozen=True)
class Plan:
    """The content of our file, and what it leaves to others."""

    text: str
    """Empty if there is nothing that our file may rotate."""
    declined: Sequence[Declined] = ()
    managed: Sequence[Log] = ()
    patterns: Sequence[str] = ()
    """Those that are not declined."""

    def covers(self, log: str) -> bool:
        """Whether a log is one that our file rotates."""
        return any(is_named(log, pattern) for pattern in self.patterns)


def plan_configuration(snapshot: Snapshot, options: Options, python: str) -> Plan:
    """Our file for all logs that no one else rotates."""
    declined: list[Declined] = []
    managed: list[Log] = []
    patterns: list[str] = []
    groups = _Groups()
    for pattern in options.paths:
        logs = snapshot.logs[pattern]
        reason = _obstacle(pattern, logs, snapshot)
        if reason:
            declined.append(Declined(pattern, reason))
            continue
        managed += logs
        patterns.append(pattern)
        groups.add(pattern, snapshot.folders[pattern], logs, snapshot.is_root)
    text = render(options, groups.all, snapshot.gzip, python) if groups.all else ""
    return Plan(text, declined, managed, patterns)


class _Groups:
    """The patterns by the user who may rotate them."""

    def __init__(self) -> None:
        self._paths: dict[tuple[str, str], list[str]] = {}

    def add(
        self, pattern: str, folders: Sequence[Folder], logs: Sequence[Log], is_root: bool
    ) -> None:
        user = ("", "")
        if is_root and folders[0].needs_su:
            # A log that is made anew gets this group, and those who read it are in that of the old.
            groups = {log.group for log in logs}
            group = groups.pop() if len(groups) == 1 else folders[0].group
            user = (folders[0].owner, group)
        self._paths.setdefault(user, []).append(pattern)

    @property
    def all(self) -> list[Group]:
        return [Group(tuple(paths), user, group) for (user, group), paths in self._paths.items()]


def _obstacle(pattern: str, logs: Sequence[Log], snapshot: Snapshot) -> str:
    """Why our file must not rotate these; empty if it may."""
    folders, rivals = snapshot.folders[pattern], snapshot.rivals.get(pattern)
    if not folders:
        return "there is no such folder"
    if rivals:
        names = ", ".join(sorted({each.file for each in rivals}))
        return f"{names} rotates them, and logrotate refuses logs that two files name"
    if snapshot.pm2_logrotate and any(log.path in snapshot.pm2_logs for log in logs):
        return "pm2-logrotate rotates them"
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
