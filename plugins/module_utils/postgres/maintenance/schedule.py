# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which step is started next. Pure."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from typing import NamedTuple

from ..relations import Inventory
from .step import Step


class Queued(NamedTuple):
    """A step to start."""

    step: Step
    attempts: int
    """How often it was tried before."""


class Schedule:
    """Steps in the order in which they are to be started.

    Two steps never run at the same time on one table, nor on a partition and its parent: ANALYZE of
    the parent locks the partition, too.
    """

    def __init__(self, inventory: Inventory, steps: Sequence[Step]) -> None:
        self._inventory = inventory
        self._queue = deque(Queued(step, 0) for step in steps)
        self.total = len(steps)
        """Steps of the run, with those that have ended."""

    def __len__(self) -> int:
        return len(self._queue)

    def next(self, running: Sequence[Step], only_cleanup: bool = False) -> Queued | None:
        """Take out the first step that may start beside those running, if there is one.

        A step does not overtake an earlier one on the same table.
        """
        ahead = list(running)
        for queued in self._queue:
            step = queued.step
            held_back = only_cleanup and step.operation != "cleanup"
            if not held_back and not any(self._conflict(step, other) for other in ahead):
                self._queue.remove(queued)
                return queued
            ahead.append(step)
        return None

    def retry_later(self, step: Step) -> None:
        """Try a step once more when everything else is done."""
        self._queue.append(Queued(step, 1))

    def add_first(self, step: Step) -> None:
        """Do a further step next."""
        self._queue.appendleft(Queued(step, 0))
        self.total += 1

    def drop(self, which: Callable[[Step], bool]) -> list[Step]:
        """Take out the steps that are not to be started any more."""
        dropped = [queued.step for queued in self._queue if which(queued.step)]
        self._queue = deque(queued for queued in self._queue if not which(queued.step))
        return dropped

    def _conflict(self, step: Step, other: Step) -> bool:
        return other.table in self._line(step.table) or step.table in self._line(other.table)

    def _line(self, table: int) -> set[int]:
        """A table and the partitioned tables that it is part of."""
        return {table, *self._inventory.above(table)}
