# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Carrying out steps: statements on several sessions, watched and cancelled from one more."""

from __future__ import annotations

import select
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace

from ...core.check import FAILED, SKIPPED
from ...core.deadline import DeadlineExceeded
from ...core.errors import Unreachable
from ...core.progress import ProgressCallback
from ..relations import Inventory
from ..worker import StatementFailed, Worker
from .disk import DiskSpace
from .indexes import is_worth_rebuilding
from .options import Options
from .plan import OLD_STATISTICS
from .preconditions import Preconditions, bloat_now
from .record import is_rebuilt, record_failure, record_success, schedule_cleanup
from .results import Results
from .running import RunningStatement, invalid_indexes, relation_state
from .schedule import Queued, Schedule
from .step import Step, statement
from .watcher import INTERVAL, Watcher

#: Seconds for statements to end after they were cancelled.
CANCEL_TIMEOUT = 15.0


def is_cleanup(step: Step) -> bool:
    return step.operation == "cleanup"


def is_not_cleanup(step: Step) -> bool:
    return step.operation != "cleanup"


class Run:
    """Carries out steps within a time. ``results`` are there whatever ends it."""

    def __init__(
        self,
        control: Worker,
        workers: list[Worker],
        inventory: Inventory,
        options: Options,
        report: ProgressCallback,
        results: Results,
    ) -> None:
        self._control = control
        self._workers = workers
        self.inventory = inventory
        """May be renewed between two calls of `carry_out`."""
        self._options = options
        self._report = report
        self._results = results
        self._reopened: list[Worker] = []
        self._running: list[RunningStatement] = []

    def carry_out(self, steps: Sequence[Step], seconds: float) -> None:
        """Carry out the steps; raises `Unreachable` or `DeadlineExceeded` if the server is lost."""
        end = time.monotonic() + seconds
        disk = DiskSpace(self.inventory, self._options.disk_free)
        self._schedule = Schedule(self.inventory, steps)
        self._preconditions = Preconditions(self._control, self._options, disk, end)
        self._watcher = Watcher(
            self._control,
            self._pids,
            self._options,
            self._results,
            end,
            bool(self.inventory.facts["standbys"]),
        )
        try:
            self._watcher.check_standbys(time.monotonic())
            while self._schedule or self._running:
                self._start_idle_workers()
                if not self._workers:
                    break
                self._wait()
                self._watcher.watch(self._running, self._schedule, self._report)
                self._give_up_waiting_for_standbys(end)
        finally:
            reason = "not started before the run ended"
            self._results.skip(self._schedule, is_not_cleanup, reason)
            self._cancel_everything()
            self._results.skip(self._schedule, is_cleanup, f"{reason}; the next run cleans up")

    def _give_up_waiting_for_standbys(self, end: float) -> None:
        over = time.monotonic() >= end
        if over and not self._running and self._watcher.standby_is_behind:
            reason = "the time budget was used up while a standby was behind"
            self._results.skip(self._schedule, is_not_cleanup, reason)

    # --- starting -----------------------------------------------------------------------------

    def _start_idle_workers(self) -> None:
        for worker in list(self._workers):
            while not any(each.worker is worker for each in self._running):
                steps = [each.step for each in self._running]
                queued = self._schedule.next(steps, self._watcher.standby_is_behind)
                if queued is None:
                    return
                self._start(worker, queued)

    def _start(self, worker: Worker, queued: Queued) -> None:
        """Start a step, unless it is not needed or cannot start any more."""
        confirmed = self._confirmed(queued.step)
        if confirmed is None:
            return
        step = confirmed
        reason = self._preconditions.obstacle(step, self._running, self._pids())
        if reason:
            self._results.add(step, SKIPPED, reason)
            return
        try:
            before = relation_state(self._control, step.oid)
            known: frozenset[int] = frozenset()
            if step.operation == "reindex":
                known = frozenset(each.oid for each in invalid_indexes(self._control, step.table))
        except StatementFailed as error:
            self._results.add(step, SKIPPED, f"another session has locked it: {error}")
            return
        if before is None:
            self._results.add(step, SKIPPED, "it no longer exists")
            return
        worker.start(statement(step, self.inventory))
        started = time.monotonic()
        self._running.append(
            RunningStatement(step, worker, started, before, known, may_retry=queued.attempts == 0)
        )

    def _confirmed(self, step: Step) -> Step | None:
        """The step if statistics, renewed meanwhile, show that it is needed; else none."""
        if not step.unsure:
            return step
        bloat = bloat_now(self._control, self.inventory, step)
        if bloat is not None and bloat.confidence == "low":
            self._results.add(step, SKIPPED, OLD_STATISTICS)
            return None
        size = self.inventory.relations[step.relation]["bytes"]
        if bloat is None or not is_worth_rebuilding(bloat, size, self._options):
            self._schedule.total -= 1
            return None
        return replace(step, reason=f"{bloat.words}, by fresh statistics", unsure=False)

    def _pids(self) -> list[int]:
        return [worker.pid for worker in (self._control, *self._workers)]

    # --- ending -------------------------------------------------------------------------------

    def _wait(self) -> None:
        """Wait until a statement ends, or it is time to watch."""
        workers = [each.worker for each in self._running]
        ready, _writable, _failed = select.select(workers, [], [], INTERVAL)
        for running in [each for each in self._running if each.worker in ready]:
            self._poll(running)

    def _poll(self, running: RunningStatement) -> None:
        try:
            if not running.worker.poll():
                return
        except (StatementFailed, Unreachable) as error:
            self._ended(running, error)
        else:
            self._ended(running, None)

    def _ended(
        self, running: RunningStatement, error: StatementFailed | Unreachable | None
    ) -> None:
        """A statement has ended, well or not."""
        self._running.remove(running)
        seconds = round(time.monotonic() - running.started, 3)
        if isinstance(error, Unreachable):
            self._reopen(running.worker)
            reason = f"{error}; the next run cleans up"
            self._results.add(running.step, FAILED, reason, seconds=seconds)
            schedule_cleanup(self._control, self._schedule, running)
        elif error is None or is_rebuilt(self._control, running):
            record_success(self._control, self.inventory, self._results, running, seconds)
            schedule_cleanup(self._control, self._schedule, running)
        else:
            schedule_cleanup(self._control, self._schedule, running)
            record_failure(self._results, self._schedule, running, error, seconds)

    def _reopen(self, worker: Worker) -> None:
        """Open a session again that was ended, once; else do without it."""
        if worker not in self._reopened:
            self._reopened.append(worker)
            worker.close()
            with suppress(Unreachable, StatementFailed):
                worker.open()
                return
        self._workers.remove(worker)

    def _cancel_everything(self) -> None:
        """Leave nothing running, whatever ended the run, and drop what rebuilds left behind.

        A cleanup that must wait for others is left to the next run.
        """
        end = time.monotonic() + CANCEL_TIMEOUT
        for running in self._running:
            if not running.cancelled:
                with suppress(DeadlineExceeded):
                    running.cancel(self._control, "the run was ended", retry=False)
        with suppress(Unreachable, DeadlineExceeded, StatementFailed):
            while (self._running or self._schedule) and self._workers and time.monotonic() < end:
                self._start_idle_workers()
                if self._running:
                    self._wait()
        for running in self._running:
            with suppress(DeadlineExceeded):
                running.cancel(self._control, "the run was ended", retry=False)
            reason = "whether it has ended is unknown; the next run cleans up"
            self._results.add(running.step, FAILED, reason)
        self._running.clear()
