# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether WAL is archived. Pure."""

from __future__ import annotations

from typing import Any

from ...core.check import CRITICAL, OK, WARNING, Check
from ...core.thresholds import Thresholds
from ...core.units import format_duration, pluralize
from .snapshot import Row, Wal

NAME = "postgres.archiver"


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
    return _last_attempt(wal, thresholds)


def _last_attempt(wal: Wal, thresholds: Thresholds) -> Check:
    row = wal.archiver
    keys = ("archived", "failed", "last_archived_wal", "last_failed_wal")
    more: dict[str, Any] = {"evidence": ({key: row[key] for key in keys},)}
    archived, failed = row["archived_seconds"], row["failed_seconds"]
    success = "none has ever been archived"
    if archived is not None:
        success = f"the last success was {format_duration(max(0.0, archived))} ago"
    waiting = ""
    if wal.waiting:
        waiting = f"; {pluralize(wal.waiting, 'WAL segment waits', 'WAL segments wait')}"
    if failed is not None and (archived is None or failed < archived):
        ago = format_duration(max(0.0, failed))
        summary = f"Archiving fails: WAL {row['last_failed_wal']} was refused {ago} ago, {success}"
        if wal.waiting is not None:
            more["value"] = float(wal.waiting)
        return thresholds.verdict(NAME, CRITICAL, f"{summary}{waiting}", **more)
    if archived is not None:
        summary = f"WAL archiving works, {success}"
    elif wal.waiting:
        summary = f"WAL archiving is on, {success}"
    else:
        summary = "WAL archiving is on; no segment has had to be archived yet"
    if wal.waiting is None:
        return thresholds.verdict(NAME, OK, summary, **more)
    return thresholds.evaluate(NAME, float(wal.waiting), f"{summary}{waiting}", **more)
