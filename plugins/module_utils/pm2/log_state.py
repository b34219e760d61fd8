# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Check app.logs: whether what the app writes reaches its logs, and how large they are."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

from ..core.check import CRITICAL, EVIDENCE_ROWS, WARNING, Check
from ..core.thresholds import Thresholds
from ..core.units import format_value
from ..logs.summary import LOST, LogProblem
from .instance import App, Instance
from .liveness import join_some

#: Kinds of trouble with a log, the worst first.
FULL = "full"
READ_ONLY = "read-only"
DELETED = "deleted"
RENAMED = "renamed"
CLOSED = "closed"

#: Seconds after a start within which an instance may not have opened its logs yet.
_SETTLED = 2.0
_NOWHERE = ("", "NULL", "/dev/null")


@dataclass(frozen=True)
class LogState:
    """A log that an online instance writes."""

    path: str
    size: int = 0
    trouble: str = ""
    """One of the kinds above; empty if what is written arrives."""
    detail: str = ""
    opened_as: str = ""
    """Where the content of a deleted log can be read."""


class _OpenFile(NamedTuple):
    """A file that a process has open; ``path`` is where it was opened, or moved to since."""

    path: str
    opened_as: str
    size: int


_Open = Mapping[tuple[int, int], _OpenFile]


def observe_logs(app: App, daemon_pid: int, now: float) -> list[LogState]:
    """The logs of the app's online instances, each once; none that PM2 does not write."""
    open_files: dict[int, _Open] = {}
    found: dict[str, LogState] = {}
    for row in app.online:
        if row.logs_disabled:
            continue
        writer = row.pid if row.cluster else daemon_pid
        if writer not in open_files:
            open_files[writer] = _open_files(writer)
        for path in _paths(row):
            state = _observe(path, open_files[writer], daemon_pid)
            if row.seconds_running(now) < _SETTLED:
                state = replace(state, trouble="")
            found.setdefault(path, state)
    return list(found.values())


def assess_logs(app: App, states: Sequence[LogState], thresholds: Thresholds) -> Check | None:
    """Trouble with the logs, else the size of the largest; none if PM2 writes no log."""
    if not states:
        return None
    largest = max(states, key=lambda state: state.size)
    size = format_value(largest.size, "bytes")
    text = f"PM2 writes the app's logs, the largest is {largest.path} with {size}"
    evidence = _evidence(states)
    check = thresholds.evaluate(
        "app.logs", largest.size, text, subject=app.label, evidence=evidence
    )
    for kind in (FULL, READ_ONLY, DELETED, RENAMED, CLOSED):
        troubled = [state for state in states if state.trouble == kind]
        if troubled:
            return thresholds.verdict(
                "app.logs",
                CRITICAL if kind in (FULL, READ_ONLY) else WARNING,
                _describe(kind, troubled),
                subject=app.label,
                value=largest.size,
                remedy=_REMEDIES[kind].replace("APP", app.name),
                evidence=evidence,
            )
    return check


def lost(states: Iterable[LogState]) -> list[LogProblem]:
    """The logs in which messages of the app are missing, as nothing that is written arrives."""
    return [
        LogProblem(state.path, LOST)
        for state in states
        if state.trouble in (FULL, READ_ONLY, CLOSED)
    ]


def _describe(kind: str, states: Sequence[LogState]) -> str:
    paths = join_some([state.path for state in states])
    detail = states[0].detail
    size = format_value(sum(state.size for state in states), "bytes")
    texts = {
        FULL: f"messages are lost: the file system of {paths} is full",
        READ_ONLY: f"messages are lost: the file system of {paths} is read-only",
        DELETED: f"{paths} was deleted while PM2 writes to it, so it cannot be read by name; "
        f"the deleted file still takes up {size}",
        RENAMED: f"PM2 does not write to {paths}, but still to {detail}",
        CLOSED: f"messages are lost: PM2 does not have {paths} open",
    }
    return texts[kind]


_REMEDIES = {
    FULL: "Free space there: see host.disk_used and host.inodes_used of this host.",
    READ_ONLY: "Find out why it was mounted read-only or stopped itself: 'dmesg'; then remount it.",
    DELETED: "'pm2 reloadLogs' opens new files and frees the space. Empty logs with 'pm2 flush' "
    "instead of deleting them.",
    RENAMED: "'pm2 reloadLogs' opens the new file; playbooks/log_rotation.yml rotates logs of PM2 "
    "while they stay open.",
    CLOSED: "Check that the folder exists and that PM2's user may write to it; then "
    "'pm2 reloadLogs', or 'pm2 restart APP'.",
}


def _paths(row: Instance) -> Iterable[str]:
    return [path for path in (row.error_log, row.out_log) if path not in _NOWHERE]


def _observe(path: str, open_files: _Open, daemon_pid: int) -> LogState:
    """Whether what is written to a log arrives there."""
    trouble = _file_system_trouble(os.path.dirname(path), daemon_pid)
    try:
        status = os.stat(path)
        size, held = status.st_size, (status.st_dev, status.st_ino) in open_files
    except OSError:
        size, held = 0, False
    if trouble or held or not open_files:
        return LogState(path, size, trouble)
    for file in open_files.values():
        if file.path == f"{path} (deleted)":
            return LogState(path, file.size, DELETED, opened_as=file.opened_as)
    for file in open_files.values():
        if file.path.startswith(os.path.splitext(path)[0]) and not file.path.endswith(".log"):
            return LogState(path, file.size, RENAMED, file.path)
    return LogState(path, size, CLOSED)


def _file_system_trouble(folder: str, daemon_pid: int) -> str:
    try:
        state = os.statvfs(folder)
        is_root = os.stat(f"/proc/{daemon_pid}").st_uid == 0
    except OSError:
        return ""
    if state.f_flag & os.ST_RDONLY:
        return READ_ONLY
    blocks = state.f_bfree if is_root else state.f_bavail
    no_inodes = state.f_files > 0 and state.f_ffree == 0
    return FULL if (blocks == 0 and state.f_blocks > 0) or no_inodes else ""


def _open_files(pid: int) -> _Open:
    """The regular files that a process has open; none if that cannot be read."""
    found = {}
    folder = f"/proc/{pid}/fd"
    try:
        entries = os.listdir(folder)
    except OSError:
        return {}
    for entry in entries:
        link = os.path.join(folder, entry)
        try:
            target = os.readlink(link)
            if not target.startswith("/") or target.startswith(("/dev/", "/proc/")):
                continue
            status = os.stat(link)
        except OSError:
            continue
        found[status.st_dev, status.st_ino] = _OpenFile(target, link, status.st_size)
    return found


def _evidence(states: Sequence[LogState]) -> list[dict[str, object]]:
    rows = sorted(states, key=lambda state: (not state.trouble, -state.size))
    return [
        {"log": state.path, "size": format_value(state.size, "bytes"), "trouble": state.trouble}
        for state in rows[:EVIDENCE_ROWS]
    ]
