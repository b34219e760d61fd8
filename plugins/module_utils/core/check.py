# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The two words of this collection: everything learned is a Check, everything done is an Action."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

OK = "ok"
UNKNOWN = "unknown"
WARNING = "warning"
CRITICAL = "critical"

#: The statuses of a check, best first. ``unknown`` ranks below ``warning``: it must never hide a known problem.
STATUSES = (OK, UNKNOWN, WARNING, CRITICAL)

PLANNED = "planned"
DONE = "done"
SKIPPED = "skipped"
FAILED = "failed"
ACTION_STATUSES = (PLANNED, DONE, SKIPPED, FAILED)

#: The base units in which values are given; an empty unit means a value without one (a ratio, a version).
UNITS = ("", "seconds", "bytes", "percent", "days", "count")

#: No verdict needs more rows than these behind it; more would flood the report.
EVIDENCE_ROWS = 20


@dataclass(frozen=True)
class Check:
    """One thing that was looked at, and the verdict."""

    name: str
    """Stable dotted id, ``component.what``."""
    status: str
    """One of `STATUSES`."""
    summary: str
    """One line that a tired person understands."""
    subject: str = ""
    """Which one, where there are several: a mount, a URL, a certificate."""
    value: float | None = None
    """The measured value in the base unit, or none where there was nothing to measure."""
    unit: str = ""
    """One of `UNITS`."""
    warning: float | None = None
    """The limit beyond which the check is a warning."""
    critical: float | None = None
    """The limit beyond which the check is critical."""
    remedy: str = ""
    """What to do about it; empty when the check is ok."""
    window: str = ""
    """What the figure covers, where it covers a span of time."""
    evidence: tuple[Mapping[str, Any], ...] = ()
    """The few rows behind the verdict, free of secrets."""

    def __post_init__(self) -> None:
        if self.status not in STATUSES:
            raise ValueError(f"{self.name}: {self.status!r} is not a status")
        if self.unit not in UNITS:
            raise ValueError(f"{self.name}: {self.unit!r} is not a unit")
        if "\n" in self.summary:
            object.__setattr__(self, "summary", " ".join(self.summary.split()))
        object.__setattr__(self, "evidence", tuple(self.evidence)[:EVIDENCE_ROWS])


@dataclass(frozen=True)
class Action:
    """One thing that was done, or that would be done."""

    name: str
    status: str
    """One of `ACTION_STATUSES`; ``planned`` is what check mode returns."""
    reason: str = ""
    """Why it is in the plan, or why it was skipped or failed."""
    subject: str = ""
    before: Any = None
    after: Any = None
    seconds: float | None = None
    bytes: int | None = None
    estimate: float | None = None
    """Expected seconds, where earlier runs allow one."""

    def __post_init__(self) -> None:
        if self.status not in ACTION_STATUSES:
            raise ValueError(f"{self.name}: {self.status!r} is not the status of an action")


def worst(statuses: Iterable[str]) -> str:
    """The verdict over several statuses; ``ok`` over none at all."""
    return max(statuses, key=STATUSES.index, default=OK)


def as_dicts(items: Iterable[Check | Action]) -> list[dict[str, Any]]:
    """Checks or actions as plain data, as modules return them."""
    return [
        asdict(item) | ({"evidence": list(item.evidence)} if isinstance(item, Check) else {})
        for item in items
    ]
