# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which backups of a database are kept, and for what; only verified ones count. Pure."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone

from ...core.units import pluralize
from .naming import parse_time
from .options import Keep
from .repository import Backup

#: Seconds by which the clocks of two hosts may differ.
CLOCKS = 60.0


@dataclass(frozen=True)
class Decision:
    """What becomes of one backup, and why."""

    backup: Backup
    keep: bool
    reason: str
    """The slots that it fills: ``day 2026-11-28, week 2026-48``; or why it is kept or removed."""


def decide(backups: Sequence[Backup], keep: Keep, now: float) -> list[Decision]:
    """A decision on every backup of one database, which come oldest first.

    A backup without a valid manifest or proof is kept: it fills no slot, and a person must decide
    on it. If the newest one is dated in the future, the clock is wrong, and all are kept.
    """
    if backups and parse_time(backups[-1].name.time) > now + CLOCKS:
        reason = f"{backups[-1].name} is dated in the future, so the clock is or was wrong"
        return [Decision(backup, True, reason) for backup in backups]
    verified = [backup for backup in reversed(backups) if backup.verified]
    slots: dict[int, list[str]] = {id(backup): [] for backup in verified}
    for position, backup in enumerate(verified[: keep.at_least]):
        slots[id(backup)].append(f"newest {position + 1} of {keep.at_least}")
    tested = max(verified, key=_tested_at, default=None)
    if tested is not None and _tested_at(tested):  # with it, the record of that test would go
        slots[id(tested)].append("last test restore")
    for count, period in _periods(keep):
        filled: set[str] = set()
        for backup in verified:
            label = period(datetime.fromtimestamp(parse_time(backup.name.time), timezone.utc))
            if label not in filled and len(filled) < count:
                filled.add(label)
                slots[id(backup)].append(label)
    return [_decision(backup, slots.get(id(backup)), keep) for backup in backups]


def _tested_at(backup: Backup) -> float:
    """When it was last restored as a test; 0 if never."""
    restored = backup.manifest.restored if backup.manifest else None
    return restored.at if restored else 0.0


def _periods(keep: Keep) -> list[tuple[int, Callable[[datetime], str]]]:
    return [
        (keep.daily, lambda day: day.strftime("day %Y-%m-%d")),
        (keep.weekly, lambda day: day.strftime("week %G-%V")),
        (keep.monthly, lambda day: day.strftime("month %Y-%m")),
        (keep.yearly, lambda day: day.strftime("year %Y")),
    ]


def _decision(backup: Backup, slots: list[str] | None, keep: Keep) -> Decision:
    if slots is None:
        reason = backup.problem or "it is not verified"
        return Decision(backup, True, f"{reason}; it is not counted, and left to you")
    if slots:
        return Decision(backup, True, ", ".join(slots))
    kept = pluralize(keep.daily, "day") + ", " + pluralize(keep.weekly, "week")
    return Decision(backup, False, f"no longer needed for {kept} and so on")
