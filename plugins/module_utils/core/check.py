# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Check and Action: whatever is learned is a Check, whatever is done is an Action."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

OK = "ok"
UNKNOWN = "unknown"
WARNING = "warning"
CRITICAL = "critical"

#: The statuses of a check, best first. ``unknown`` ranks below ``warning``, so that it never hides
#: a known problem.
STATUSES = (OK, UNKNOWN, WARNING, CRITICAL)

PLANNED = "planned"
DONE = "done"
SKIPPED = "skipped"
FAILED = "failed"
ACTION_STATUSES = (PLANNED, DONE, SKIPPED, FAILED)

#: The base units of values; an empty unit is for a value that has none, such as a ratio.
UNITS = ("", "seconds", "bytes", "percent", "days", "count")

#: Directions of a threshold: the side of it on which values are bad.
ABOVE = "above"
BELOW = "below"
DIRECTIONS = ("", ABOVE, BELOW)

#: Maximum rows of evidence in a check; more would flood the report.
EVIDENCE_ROWS = 20


@dataclass(frozen=True)
class Check:
    """One thing that was checked, and the verdict on it."""

    name: str
    """Stable dotted id, ``component.what``."""
    status: str
    """One of `STATUSES`."""
    summary: str
    """The finding in one line; line breaks are replaced by spaces."""
    subject: str = ""
    """Which one, if there can be several: a mount, a URL, a certificate."""
    value: float | None = None
    """The measured value in its base unit; none if there was nothing to measure."""
    unit: str = ""
    """One of `UNITS`."""
    warning: float | None = None
    """Threshold beyond which the check is a warning; none if there is no such level."""
    critical: float | None = None
    """Threshold beyond which the check is critical; none if there is no such level."""
    remedy: str = ""
    """What to do about it; empty if the check is ok."""
    window: str = ""
    """The time span that the value covers; empty for a value of the moment."""
    evidence: tuple[Mapping[str, Any], ...] = ()
    """The rows behind the verdict, at most `EVIDENCE_ROWS`, free of secrets."""
    direction: str = ""
    """One of `DIRECTIONS`: on which side of the thresholds values are bad; empty without them."""
    not_judged: str = ""
    """Why an ok is no verdict: too little to judge by yet, or nothing to compare with."""

    def __post_init__(self) -> None:
        if self.status not in STATUSES:
            raise ValueError(f"{self.name}: {self.status!r} is not a status")
        if self.unit not in UNITS:
            raise ValueError(f"{self.name}: {self.unit!r} is not a unit")
        if self.direction not in DIRECTIONS:
            raise ValueError(f"{self.name}: {self.direction!r} is not a direction")
        if self.not_judged and self.status != OK:
            raise ValueError(f"{self.name}: {self.status} is a verdict, so it is judged")
        if "\n" in self.summary:
            object.__setattr__(self, "summary", " ".join(self.summary.split()))
        object.__setattr__(self, "evidence", tuple(self.evidence)[:EVIDENCE_ROWS])


@dataclass(frozen=True)
class Action:
    """One thing that was done, or that a run without check mode would do."""

    name: str
    status: str
    """One of `ACTION_STATUSES`; check mode returns ``planned``."""
    reason: str = ""
    """Why it is in the plan, or why it was skipped or failed."""
    subject: str = ""
    """Which one, if there can be several."""
    before: Any = None
    """The state before and after, as plain data."""
    after: Any = None
    seconds: float | None = None
    """How long it took."""
    bytes: int | None = None
    """Bytes that it freed or moved."""
    estimate: float | None = None
    """Expected seconds, if earlier runs allow an estimate."""

    def __post_init__(self) -> None:
        if self.status not in ACTION_STATUSES:
            raise ValueError(f"{self.name}: {self.status!r} is not the status of an action")


def worst(statuses: Iterable[str]) -> str:
    """The worst of several statuses; ``ok`` if there are none."""
    return max(statuses, key=STATUSES.index, default=OK)


def as_dicts(items: Iterable[Check | Action]) -> list[dict[str, Any]]:
    """Checks or actions as the plain data that modules return."""
    return [
        asdict(item) | ({"evidence": list(item.evidence)} if isinstance(item, Check) else {})
        for item in items
    ]


def probe_result(checks: Iterable[Check]) -> dict[str, Any]:
    """The result of a probe, which an operation adds its actions to.

    ``finished_at``, in seconds since 1970 by the clock of the host, lets the report find out which
    of two results is the later one.
    """
    return {
        "changed": False,
        "checks": as_dicts(checks),
        "finished_at": round(time.time(), 3),
    }
