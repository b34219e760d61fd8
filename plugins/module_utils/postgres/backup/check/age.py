# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How old the newest verified backup is: what a restore would lose. Pure."""

from __future__ import annotations

from typing import Any

from ....core.check import CRITICAL, UNKNOWN, WARNING, Check, worst
from ....core.thresholds import Thresholds
from ....core.units import format_duration, format_value
from ..manifest import LEVELS
from .snapshot import Copy, Series, Snapshot

NAME = "backup.age"
#: Seconds by which the clocks of two hosts may differ.
SKEW = 300.0
#: What to do while no backup can be taken.
_SILENT = (
    "None can be taken while PostgreSQL gives no answer: postgres.reachable says why. What is in no"
    " backup is in its data directory alone: copy that before any repair. Once it answers, run"
    " 'ansible-playbook playbooks/backup.yml'."
)
_CLOCK = (
    "Check this host's clock ('timedatectl'), then take a backup: until its date has passed,"
    " nothing shows whether newer ones are missing."
)
#: Backups that the evidence lists.
_LISTED = 7


def assess_age(one: Series, snapshot: Snapshot, thresholds: Thresholds) -> Check:
    """``backup.age`` of one database."""
    more: dict[str, Any] = {"subject": one.subject, "evidence": _rows(one, snapshot.now)}
    if one.error:
        more["remedy"] = one.error.remedy
        return thresholds.verdict(NAME, UNKNOWN, f"Unknown: {one.error}", **more)
    if snapshot.server.silent and not one.tool:
        more["remedy"] = _SILENT
    if not one.verified:
        return _none(one, snapshot, thresholds, more)
    newest = one.verified[-1]
    age = snapshot.now - newest.started
    if age < -SKEW:
        ahead = format_duration(-age)
        more["remedy"] = _CLOCK
        return thresholds.verdict(
            NAME,
            UNKNOWN,
            f"Its age is not known: the newest verified backup, {newest.label}, is dated {ahead} in"
            " the future",
            **more,
        )
    ago = format_duration(age)
    summary = f"The newest verified backup is {ago} old ({newest.label}, {_about(newest)})"
    check = thresholds.evaluate(NAME, round(max(0.0, age)), summary + _running(one), **more)
    if one.failure:
        return _worse(check, CRITICAL, f"{one.tool} reports: {one.failure}", "", thresholds)
    elsewhere = newest.system_identifier
    if elsewhere and snapshot.server.identifier not in ("", elsewhere):
        return _worse(
            check,
            WARNING,
            "it was taken from another server: its system identifier is not that of the server in"
            " database_url",
            "After a move or an upgrade, take a backup now; else check backup_dir.",
            thresholds,
        )
    return check


def _none(one: Series, snapshot: Snapshot, thresholds: Thresholds, more: dict[str, Any]) -> Check:
    """No verified backup at all, which a new server may have for a day."""
    if one.failure:
        return thresholds.verdict(NAME, CRITICAL, f"{one.tool} reports: {one.failure}", **more)
    if one.copies:
        problem = one.copies[-1].problem or "it has not been verified"
        summary = f"None of {len(one.copies)} backups is verified and intact; the newest: {problem}"
        if len(one.copies) == 1:
            summary = f"The only backup does not count: {problem}"
        return thresholds.verdict(NAME, CRITICAL, summary + _running(one), **more)
    created = snapshot.server.created
    due = thresholds.of(NAME, one.subject).warning
    age = snapshot.now - created if created else None
    if age is not None and due and 0 <= age < due and not one.tool:
        return thresholds.not_judged(
            NAME,
            "There is no backup yet",
            f"none is needed yet: the server is {format_duration(age)} old, and the first is due"
            f" when it is {format_duration(due)} (playbooks/backup.yml)",
            **more,
        )
    where = f" in {snapshot.folder.path}" if snapshot.folder and not one.tool else ""
    if snapshot.folder and not snapshot.folder.exists:
        where = f": {snapshot.folder.path} does not exist"
    text = f"There is no backup{where}{_running(one)}"
    if snapshot.server.silent and not one.tool:  # then a new server needs one as well
        text += "; whether the first is due yet is not known, as PostgreSQL gives no answer"
    return thresholds.verdict(NAME, CRITICAL, text, **more)


def _worse(check: Check, status: str, why: str, remedy: str, thresholds: Thresholds) -> Check:
    return thresholds.verdict(
        NAME,
        worst([check.status, status]),
        f"{check.summary}; {why}",
        subject=check.subject,
        value=check.value,
        warning=check.warning,
        critical=check.critical,
        direction=check.direction,
        evidence=check.evidence,
        remedy=remedy,
    )


def _running(one: Series) -> str:
    return "; one is being taken now" if one.busy else ""


def _about(copy: Copy) -> str:
    size = format_value(copy.bytes, "bytes")
    return f"{size}, level {copy.level}" if copy.level is not None else size


def _rows(one: Series, now: float) -> tuple[dict[str, Any], ...]:
    return tuple(
        {
            "backup": copy.label,
            "age": format_duration(now - copy.started),
            "size": format_value(copy.bytes, "bytes"),
            "proof": copy.problem
            or (LEVELS[copy.level] if copy.level is not None else "no record"),
        }
        for copy in reversed(one.copies[-_LISTED:])
    )
