# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether WAL is archived. Pure."""

from __future__ import annotations

import re
from typing import Any

from ...core.check import CRITICAL, OK, STATUSES, UNKNOWN, WARNING, Check
from ...core.definition import Threshold
from ...core.thresholds import Thresholds
from ...core.units import format_duration, pluralize
from .snapshot import Row, Wal

NAME = "postgres.archiver"
#: Seconds for which nothing has been archived although a segment waits. PostgreSQL does not
#: count it if the shell cannot start the command (exit status above 125) or a signal ends it.
STALLED = Threshold(600, 3600)


def archiver(wal: Wal, facts: Row, thresholds: Thresholds) -> Check:
    mode = facts["archive_mode"]
    if mode == "off":
        summary = "WAL archiving is off (archive_mode), so point-in-time recovery is not possible"
        return thresholds.verdict(NAME, OK, summary)
    if facts["standby"] and mode != "always":
        summary = "A standby archives nothing (archive_mode = on); its primary does"
        return thresholds.verdict(NAME, OK, summary)
    if not facts["archive_command"] and not facts["archive_library"]:
        summary = "archive_mode is on, but there is no archive_command: WAL piles up"
        remedy = (
            "Set archive_command or archive_library, or archive_mode = off with a restart; until "
            "then every WAL file stays on the disk."
        )
        return thresholds.verdict(NAME, WARNING, summary, remedy=remedy)
    return _last_attempt(wal, facts, thresholds)


def _last_attempt(wal: Wal, facts: Row, thresholds: Thresholds) -> Check:
    row, waiting = wal.archiver, _waiting(wal)
    keys = ("archived", "failed", "last_archived_wal", "last_failed_wal")
    more: dict[str, Any] = {"evidence": ({key: row[key] for key in keys},)}
    archived, failed = row["archived_seconds"], row["failed_seconds"]
    success = "none has ever been archived"
    if archived is not None:
        success = f"the last success was {format_duration(max(0.0, archived))} ago"
    text = f"; {pluralize(waiting, 'WAL segment waits', 'WAL segments wait')}" if waiting else ""
    if failed is not None and (archived is None or failed < archived):
        ago = format_duration(max(0.0, failed))
        summary = f"Archiving fails: WAL {row['last_failed_wal']} was refused {ago} ago, {success}"
        if waiting is not None:
            more["value"] = float(waiting)
        return thresholds.verdict(NAME, CRITICAL, f"{summary}{text}", **more)
    stalled = _stalled_seconds(wal)
    if STALLED.status_of(stalled) != OK:
        return _stalled(stalled, f"{success}{text}", float(waiting or 0), thresholds, **more)
    if waiting is None:
        reason = f"role '{facts['role']}' lacks permission to see what waits"
        summary = f"Unknown whether WAL archiving keeps up: {success}, and {reason}"
        remedy = f'As a superuser: GRANT pg_monitor TO "{facts["role"]}".'
        return thresholds.verdict(NAME, UNKNOWN, summary, remedy=remedy, **more)
    if archived is not None:
        summary = f"WAL archiving works, {success}"
    elif waiting:
        summary = f"WAL archiving is on, {success}"
    else:
        summary = "WAL archiving is on; no segment has had to be archived yet"
    return thresholds.evaluate(NAME, float(waiting), f"{summary}{text}", **more)


def _waiting(wal: Wal) -> int | None:
    """How many segments wait; without permission to count them, by the name of the last one."""
    row = wal.archiver
    name = re.match("[0-9A-F]{8}([0-9A-F]{8})([0-9A-F]{8})", row["last_archived_wal"] or "")
    if wal.waiting is not None or not name:
        return wal.waiting
    last = int(name[1], 16) * (2**32 // row["segment"]) + int(name[2], 16)
    complete = max(0, int(row["position"]) - 1) // row["segment"] - 1
    return int(max(0, complete - last))


def _stalled_seconds(wal: Wal) -> float:
    """For how long nothing has been archived although something waits; 0 if that is not known."""
    archived, oldest = wal.archiver["archived_seconds"], wal.waiting_seconds
    if not wal.waiting or oldest is None:
        return 0.0
    return max(0.0, oldest if archived is None else min(oldest, archived))


def _stalled(
    seconds: float, state: str, waiting: float, thresholds: Thresholds, **more: Any
) -> Check:
    """An archive command that hangs, or cannot be started: PostgreSQL does not count that."""
    status = max(
        STALLED.status_of(seconds), thresholds.of(NAME).status_of(waiting), key=STATUSES.index
    )
    since = format_duration(seconds)
    summary = f"Archiving has neither succeeded nor failed for {since} while WAL waits: {state}"
    remedy = (
        "The archive command hangs, or its program cannot be started, such as one that is not "
        "installed: PostgreSQL's log says so. Run it by hand as the server's user; WAL is kept "
        "until it succeeds, so watch the disk."
    )
    return thresholds.verdict(NAME, status, summary, value=waiting, remedy=remedy, **more)
