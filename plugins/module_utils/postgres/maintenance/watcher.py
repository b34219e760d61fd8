# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Watching running statements: what they wait for, whom they block, and standby lag."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from ...core.progress import ProgressCallback, progress, running_item
from ...core.units import format_duration
from ..worker import Worker
from .options import Options
from .queries import STANDBY_LAG, WATCH_STATEMENTS
from .results import Results
from .running import RunningStatement
from .schedule import Schedule

#: Seconds between two checks of the running statements.
INTERVAL = 0.25
#: Seconds between two reports of progress, and between two checks of the standbys.
SLOW_INTERVAL = 1.0


class Observation(NamedTuple):
    """A row of `WATCH_STATEMENTS`."""

    pid: int
    waits: bool
    waits_for: str | None
    blocks_seconds: float | None
    """For how long another session has waited for this one."""
    vacuum_phase: str | None
    heap_total: int | None
    heap_scanned: int | None
    heap_vacuumed: int | None
    index_phase: str | None
    blocks_total: int | None
    blocks_done: int | None
    tuples_total: int | None
    tuples_done: int | None
    analyze_phase: str | None
    sample_total: int | None
    sample_scanned: int | None

    @property
    def phase(self) -> str:
        return self.vacuum_phase or self.index_phase or self.analyze_phase or ""

    @property
    def share(self) -> float | None:
        """The share of the phase that is done, from 0 to 1; none if that is unknown."""
        if self.vacuum_phase == "vacuuming heap":
            return _share(self.heap_vacuumed, self.heap_total)
        if self.vacuum_phase == "scanning heap":
            return _share(self.heap_scanned, self.heap_total)
        if self.vacuum_phase:
            return None
        if self.index_phase and self.tuples_total:
            return _share(self.tuples_done, self.tuples_total)
        if self.index_phase:
            return _share(self.blocks_done, self.blocks_total)
        return _share(self.sample_scanned, self.sample_total) if self.analyze_phase else None


class Watcher:
    """Cancels statements that block others, wait too long themselves, or outlast the time budget.

    ``pids`` gives the run's own sessions. ``end`` is the moment, by the monotonic clock, at which
    the time budget is used up.
    """

    def __init__(
        self,
        control: Worker,
        pids: Callable[[], list[int]],
        options: Options,
        results: Results,
        end: float,
        has_standbys: bool,
    ) -> None:
        self._control = control
        self._pids = pids
        self._options = options
        self._results = results
        self._end = end
        self._has_standbys = has_standbys
        self._lag = 0.0
        self._watched = self._reported = self._lag_checked = 0.0

    @property
    def standby_is_behind(self) -> bool:
        """Whether a standby is so far behind that nothing new is started."""
        return self._lag > self._options.max_lag

    def check_standbys(self, now: float) -> None:
        """Find out how far the slowest standby is behind, once a second."""
        if not self._has_standbys or now - self._lag_checked < SLOW_INTERVAL:
            return
        lag, self._results.lag_hidden = self._control.ask("standbys", STANDBY_LAG)[0]
        self._lag = lag or 0.0
        self._lag_checked = now

    def watch(
        self, running: Sequence[RunningStatement], schedule: Schedule, report: ProgressCallback
    ) -> None:
        """Check everything, if it is time to; raises like `Worker.ask`."""
        now = time.monotonic()
        elapsed = now - self._watched
        if elapsed < INTERVAL:
            return
        if self._watched and self.standby_is_behind:
            self._results.paused += elapsed
        self._watched = now
        self.check_standbys(now)
        if not running:
            return
        rows = self._control.ask("its work", WATCH_STATEMENTS, {"pids": self._pids()})
        observations = {row[0]: Observation(*row) for row in rows}
        for statement in running:
            observation = observations[statement.worker.pid]
            _update(statement, observation, min(elapsed, now - statement.started))
            if not statement.cancelled:
                self._cancel_if_needed(statement, observation, now)
        if now - self._reported >= SLOW_INTERVAL:
            self._reported = now
            report(_progress(running, schedule, now))

    def _cancel_if_needed(
        self, statement: RunningStatement, observation: Observation, now: float
    ) -> None:
        blocks = observation.blocks_seconds
        if now >= self._end and statement.step.operation != "cleanup":
            statement.cancel(self._control, "the time budget is used up", retry=False)
        elif blocks is not None and blocks > self._options.max_block:
            waited = format_duration(blocks)
            statement.cancel(self._control, f"another session had waited {waited} for it")
        elif statement.waited > self._options.max_wait:
            waited, whom = format_duration(statement.waited), statement.waits_for
            statement.cancel(
                self._control, f"it had waited {waited} for {whom or 'another session'}"
            )


def _update(statement: RunningStatement, observation: Observation, elapsed: float) -> None:
    statement.phase, statement.share = observation.phase, observation.share
    statement.waits_for = observation.waits_for or statement.waits_for
    if observation.waits:
        statement.waited += elapsed
        statement.phase = f"waits for {observation.waits_for or 'another session'}"


def _progress(
    running: Sequence[RunningStatement], schedule: Schedule, now: float
) -> dict[str, Any]:
    done = schedule.total - len(schedule) - len(running)
    work = [
        running_item(
            f"{each.step.operation} {each.step.quoted}", now - each.started, each.phase, each.share
        )
        for each in running
    ]
    return progress(done, schedule.total, work)


def _share(done: float | None, total: float | None) -> float | None:
    return round(min(1.0, (done or 0) / total), 3) if total else None
