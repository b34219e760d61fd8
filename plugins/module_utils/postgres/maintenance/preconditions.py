# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether a step can start now: what has changed since the plan was made."""

from __future__ import annotations

import time
from collections.abc import Sequence

from ...core.units import format_duration
from ..bloat import Bloat
from ..queries import WORKED
from ..relations import Inventory, current_bloat
from ..worker import StatementFailed, Worker
from .disk import DiskSpace
from .options import Options
from .plan import IN_USE, lacks_space, lacks_time
from .queries import OLD_TRANSACTION
from .running import RunningStatement
from .step import Step


class Preconditions:
    """Asks, just before a step starts, whether it can.

    ``end`` is the moment, by the monotonic clock, at which the time budget is used up.
    """

    def __init__(self, control: Worker, options: Options, disk: DiskSpace, end: float) -> None:
        self._control = control
        self._options = options
        self._disk = disk
        self._end = end

    def obstacle(self, step: Step, running: Sequence[RunningStatement], own_pids: list[int]) -> str:
        """Why a step cannot start now; empty if it can. Raises like `Worker.ask`."""
        if step.operation != "cleanup":
            too_long = lacks_time(step, self._end - time.monotonic())
            if too_long:
                return too_long
        if (step.table,) in self._control.ask("running vacuums", WORKED):
            return IN_USE
        if step.operation != "reindex":
            return ""
        return self._no_space(step, running) or self._old_transaction(own_pids)

    def _no_space(self, step: Step, running: Sequence[RunningStatement]) -> str:
        free = self._disk.free(step.tablespace)
        if free is None:
            return ""
        taken = sum(statement.step.space for statement in running)
        return lacks_space(step, max(0.0, free - taken))

    def _old_transaction(self, own_pids: list[int]) -> str:
        parameters = {"pids": own_pids, "seconds": self._options.max_wait}
        rows = self._control.ask("old transactions", OLD_TRANSACTION, parameters)
        if not rows:
            return ""
        whom, seconds = rows[0]
        open_for = format_duration(seconds)
        return f"a rebuild would wait for {whom}, whose transaction has been open for {open_for}"


def bloat_now(control: Worker, inventory: Inventory, step: Step) -> Bloat | None:
    """How bloated an index is by the statistics of now; none if that cannot be estimated."""
    try:
        return current_bloat(control.ask, inventory, inventory.relations[step.relation])
    except StatementFailed:
        return None
