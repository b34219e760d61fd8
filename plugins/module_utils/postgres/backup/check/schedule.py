# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether a verified backup was taken on each of the last days. Pure."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

from ....core.check import Check
from ....core.thresholds import Thresholds
from ....core.units import format_duration
from .snapshot import Series

NAME = "backup.schedule"
#: Days that are looked back on; retention keeps the backups of as many by default.
DAYS = 6
_DAY = 86400.0


def assess_schedule(one: Series, now: float, thresholds: Thresholds) -> Check | None:
    """``backup.schedule`` of one database; none without a verified backup."""
    if not one.verified or one.globals:
        return None
    times = [copy.started for copy in one.verified if copy.started <= now]
    limit = thresholds.of("backup.age", one.subject).warning
    window = f"{DAYS} days"
    if limit is None or limit >= 2 * _DAY:
        often = "not limited" if limit is None else f"limited to {format_duration(limit)}"
        return thresholds.not_judged(
            NAME,
            f"{len(one.verified)} verified backups are kept",
            f"backup.age is {often}, so a day without one may be meant",
            subject=one.subject,
        )
    days = [day for day in _days(now) if times and day > times[0]]
    if not days:
        return thresholds.not_judged(
            NAME, "The backups have only begun", "that takes a full day", subject=one.subject
        )
    missed = [day for day in days if _missed(day, times, now, limit)]
    names = ", ".join(_name(day) for day in missed)
    summary = f"A verified backup was taken on each of the last {len(days)} days"
    if len(days) == 1:
        summary = "A verified backup was taken yesterday"
    if missed:
        summary = f"No verified backup was taken on {names} (UTC)"
    return thresholds.evaluate(
        NAME,
        len(missed),
        summary,
        subject=one.subject,
        window=window,
        evidence=[{"day": _name(day)} for day in missed],
    )


def _days(now: float) -> list[float]:
    """The starts of the full UTC days before today, oldest first."""
    today = datetime.fromtimestamp(now, timezone.utc).replace(
        hour=0, minute=0, second=0, microsecond=0
    )
    return [(today - timedelta(days=back)).timestamp() for back in range(DAYS, 0, -1)]


def _missed(day: float, times: list[float], now: float, limit: float) -> bool:
    """Whether no backup was taken on a day, and the gap around it is longer than it may be.

    A run just before midnight and the next one just after a day later leave out no backup.
    """
    if any(day <= time < day + _DAY for time in times):
        return False
    before = max((time for time in times if time < day), default=day)
    after = min((time for time in times if time >= day + _DAY), default=now)
    return after - before > limit


def _name(day: float) -> str:
    return datetime.fromtimestamp(day, timezone.utc).strftime("%Y-%m-%d")
