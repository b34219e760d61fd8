# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How far the backups are proven, and when one was last restored as a test. Pure."""

from __future__ import annotations

from typing import Any

from ....core.check import CRITICAL, WARNING, Check
from ....core.thresholds import Thresholds
from ....core.units import format_duration
from ..manifest import LEVELS, VERIFIED
from .snapshot import Copy, Restored, Series, Snapshot

NAME = "backup.proof"
_DAY = 86400.0
_DAMAGED = (
    "Take a backup now (playbooks/backup.yml) and keep the older ones. Then check the disk, and who"
    " writes to backup_dir."
)


def assess_proof(one: Series, snapshot: Snapshot, thresholds: Thresholds) -> Check | None:
    """``backup.proof`` of one database; none if there is nothing that could be proven."""
    if not one.copies or one.globals or one.error:
        return None
    newest = one.copies[-1]
    if newest.problem:
        summary = f"The newest backup, {newest.label}, is no good: {newest.problem}"
        remedy = "" if one.tool else _DAMAGED
        return thresholds.verdict(NAME, CRITICAL, summary, subject=one.subject, remedy=remedy)
    if newest.level is None:
        return thresholds.not_judged(
            NAME,
            f"The newest backup, {newest.label}, is complete by {one.tool}'s own checksums",
            f"{one.tool} has no record of test restores",
            subject=one.subject,
        )
    summary = f"The newest backup is at level {newest.level} of 6 ({LEVELS[newest.level]})"
    if newest.level < VERIFIED:
        return thresholds.verdict(
            NAME,
            WARNING,
            f"{summary}; it counts from level {VERIFIED} on",
            subject=one.subject,
            remedy="Verify it: 'ansible-playbook playbooks/verify_backups.yml'.",
        )
    major = int(newest.client_version.partition(".")[0] or 0)
    if major in snapshot.too_new:
        return thresholds.verdict(
            NAME,
            WARNING,
            f"{summary}, but no pg_restore on this host can read it: pg_dump"
            f" {newest.client_version} wrote it",
            subject=one.subject,
            remedy=f"Install the client programs of PostgreSQL {major} here (Debian:"
            f" postgresql-client-{major}).",
        )
    return _test_restore(one, summary, snapshot.now, thresholds)


def _test_restore(one: Series, summary: str, now: float, thresholds: Thresholds) -> Check:
    restored = [copy.restored for copy in one.copies if copy.restored]
    if restored:
        last = max(restored, key=lambda each: each.at)
        days = max(0.0, now - last.at) / _DAY
        return thresholds.evaluate(
            NAME,
            round(days, 1),
            f"{summary}; one was last restored {format_duration(now - last.at)} ago, to level"
            f" {last.level}, in {format_duration(last.seconds)}",
            subject=one.subject,
            evidence=[_row(copy, copy.restored) for copy in one.copies if copy.restored],
        )
    limit = thresholds.of(NAME, one.subject).warning
    known = (now - one.copies[0].started) / _DAY
    if limit is None or known < limit:
        due = "" if limit is None else f", due within {limit:g} days of the first backup"
        return thresholds.not_judged(
            NAME, summary, f"none has been restored as a test yet{due}", subject=one.subject
        )
    return thresholds.verdict(
        NAME,
        WARNING,
        f"{summary}, but none of {len(one.copies)} backups, the oldest of them {known:.0f} days"
        " old, has ever been restored as a test",
        subject=one.subject,
    )


def _row(copy: Copy, restored: Restored) -> dict[str, Any]:
    return {
        "backup": copy.label,
        "level": restored.level,
        "seconds": restored.seconds,
        "where": restored.where,
    }
