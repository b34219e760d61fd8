# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The results of a run so far. Pure."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

from ...core.check import FAILED, SKIPPED, Action
from .schedule import Schedule
from .step import Step

#: Bytes of work from which a statement shows how fast the server is; of a shorter one, most is
#: overhead.
MIN_MEASURED = 64 * 1024**2


@dataclass
class Results:
    """Actions and observations of a run; they are there whatever ends it."""

    actions: list[Action] = field(default_factory=list)
    held: list[tuple[str, str]] = field(default_factory=list)
    """Relations whose dead rows could not be removed, and what holds them."""
    paused: float = 0.0
    """Seconds for which nothing was started because a standby was behind."""
    lag_hidden: bool = False
    """Whether there are standbys whose lag this role cannot see."""
    _measured: dict[str, tuple[float, float]] = field(default_factory=dict)
    """Bytes and seconds by operation."""

    def add(self, step: Step, status: str, reason: str = "", **more: Any) -> None:
        """Add the result of a step; ``more`` are further fields of the action."""
        self.actions.append(replace(step.action(status, reason), **more))

    def skip(self, schedule: Schedule, which: Callable[[Step], bool], reason: str) -> None:
        """Drop steps from the schedule and say why."""
        for step in schedule.drop(which):
            self.add(step, SKIPPED, reason)

    def measure(self, step: Step, seconds: float) -> None:
        """Count the speed of a step that took so many seconds, waits left out."""
        if step.work < MIN_MEASURED:
            return
        work, total = self._measured.get(step.operation, (0.0, 0.0))
        self._measured[step.operation] = (work + step.work, total + max(0.001, seconds))

    @property
    def failed(self) -> list[Action]:
        return [action for action in self.actions if action.status == FAILED]

    @property
    def rates(self) -> dict[str, float]:
        """Bytes a second by operation, where there was enough to measure."""
        return {
            name: work / seconds for name, (work, seconds) in self._measured.items() if seconds > 1
        }
