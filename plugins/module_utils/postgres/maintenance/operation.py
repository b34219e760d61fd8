# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Maintenance of one database: collect, plan, apply, verify."""

from __future__ import annotations

import time
from collections.abc import Mapping
from contextlib import ExitStack, closing, nullcontext, suppress
from dataclasses import dataclass, field, replace

from ...core.check import DONE, PLANNED, SKIPPED, Action
from ...core.deadline import DeadlineExceeded
from ...core.errors import NotCollected, Unreachable
from ...core.operation import Outcome
from ...core.progress import ProgressCallback
from ...core.thresholds import Thresholds
from ..relations import Inventory
from ..url import Target
from ..worker import StatementFailed, Worker
from .apply import Run
from .collect import collect
from .declined import declined, locked_by, on_standby
from .disk import DiskSpace
from .lock import APPLICATION, WORKER_APPLICATION, take_lock
from .options import Options
from .plan import Plan, make_plan
from .queries import IN_RECOVERY, UPDATE_DATABASE_AGE
from .results import Results
from .step import Step
from .verify import count, foresee, verify


@dataclass
class MaintenanceOutcome(Outcome):
    """The result of a maintenance run."""

    rates: Mapping[str, float] = field(default_factory=dict)
    """Bytes a second by operation, as this and earlier runs have measured."""


@dataclass(frozen=True)
class Maintenance:
    """One database, and how to maintain it."""

    target: Target
    options: Options
    thresholds: Thresholds
    rates: Mapping[str, float]
    """Bytes a second by operation, as earlier runs have measured."""

    def show_plan(self) -> Outcome:
        """What would be done; nothing is."""
        try:
            inventory = collect(self.target, self.options.timeout)
        except (Unreachable, NotCollected) as error:
            return declined(error, self.thresholds)
        if inventory.facts["standby"]:
            return on_standby(self.thresholds)
        plan = self._plan(inventory, self.options)
        actions = [step.action(SKIPPED if step.skip else PLANNED, step.skip) for step in plan.steps]
        check = foresee(inventory, plan, actions, self.options, self.thresholds)
        return Outcome([check], actions)

    def carry_out(self, report: ProgressCallback) -> Outcome:
        """Do what is needed, and verify the result."""
        limit = str(int(self.options.timeout * 1000))
        settings = {"lock_timeout": "100", "statement_timeout": limit}
        control = Worker(self.target, APPLICATION, self.options.timeout, settings)
        with closing(control):
            try:
                control.open()
                if control.ask("itself", IN_RECOVERY)[0][0]:
                    return on_standby(self.thresholds)
                holder = take_lock(control)
                if holder:
                    return locked_by(holder, self.thresholds)
                inventory = collect(self.target, self.options.timeout)
            except (Unreachable, NotCollected, StatementFailed) as error:
                return declined(error, self.thresholds)
            except DeadlineExceeded:
                return declined(control.no_answer(), self.thresholds)
            return self._apply(control, inventory, report)

    def _plan(self, inventory: Inventory, options: Options) -> Plan:
        free = DiskSpace(inventory, options.disk_free).by_tablespace()
        return make_plan(inventory, options, self.rates, free)

    def _apply(self, control: Worker, inventory: Inventory, report: ProgressCallback) -> Outcome:
        plan = self._plan(inventory, self.options)
        results = Results()
        problem = self._run(control, inventory, plan, results, report)
        skipped = [step.action(SKIPPED, step.skip) for step in plan.steps if step.skip]
        actions = [*results.actions, *skipped]
        problem = _problem(problem, actions, results)
        check = verify(inventory, actions, self.options, self.thresholds, results, problem)
        rates = {**self.rates, **results.rates}
        return MaintenanceOutcome(checks=[check], actions=actions, problem=problem, rates=rates)

    def _run(
        self,
        control: Worker,
        inventory: Inventory,
        plan: Plan,
        results: Results,
        report: ProgressCallback,
    ) -> str:
        """Carry out a plan; why the server was lost meanwhile, empty if it was not."""
        end = time.monotonic() + self.options.time_budget
        with ExitStack() as stack:
            workers = self._workers(plan, stack)
            run = Run(control, workers, inventory, self.options, report, results)
            try:
                _open(workers)
                run.carry_out(plan.wanted, self.options.time_budget)
                left = end - time.monotonic()
                run.carry_out(self._needed_now(run, workers, plan, results, left), left)
                _update_database_age(control, inventory, results)
            except Unreachable as error:
                return f"{error}. {error.remedy}"
            except StatementFailed as error:
                return str(error)
            except DeadlineExceeded:
                return str(control.no_answer())
        return ""

    def _workers(self, plan: Plan, stack: ExitStack) -> list[Worker]:
        """A session for each job, not yet connected."""
        settings = {
            "vacuum_cost_delay": f"{self.options.cost_delay:g}",
            "vacuum_cost_limit": str(self.options.cost_limit),
            "max_parallel_maintenance_workers": "0",
        }
        number = min(self.options.jobs, len({step.table for step in plan.wanted}))
        seconds = self.options.timeout
        return [
            stack.enter_context(closing(Worker(self.target, WORKER_APPLICATION, seconds, settings)))
            for _job in range(number)
        ]

    def _needed_now(
        self, run: Run, workers: list[Worker], plan: Plan, results: Results, left: float
    ) -> list[Step]:
        """Steps that only fresh statistics show to be needed: a crash loses the counters."""
        if left < 1 or not workers or not _done(results, "postgres.analyze"):
            return []
        try:
            run.inventory = collect(self.target, self.options.timeout)
        except NotCollected:
            return []
        known = {(step.operation, step.quoted) for step in plan.steps}
        found = self._plan(run.inventory, replace(self.options, time_budget=left)).wanted
        return [step for step in found if (step.operation, step.quoted) not in known]


def _problem(lost: str, actions: list[Action], results: Results) -> str:
    """Why the run failed; empty if it did not. ``lost`` says how the server was lost."""
    failed = results.failed
    if not lost and not failed:
        return ""
    first = f"{failed[0].subject}: {failed[0].reason}" if failed else ""
    return ". ".join(part for part in (lost, count(actions), first) if part)


def _open(workers: list[Worker]) -> None:
    """Open as many sessions as there is room for; raises `Unreachable` if not even one."""
    opened: list[Worker] = []
    for worker in workers:
        tolerated = suppress(Unreachable) if opened else nullcontext()
        with tolerated:
            worker.open()
            opened.append(worker)
    workers[:] = opened


def _update_database_age(control: Worker, inventory: Inventory, results: Results) -> None:
    """Do once what each VACUUM was set to leave out (SKIP_DATABASE_STATS)."""
    vacuumed = _done(results, "postgres.vacuum") or _done(results, "postgres.freeze")
    if vacuumed and inventory.facts["version"] >= 160000:
        with suppress(StatementFailed):
            control.ask("the database's age", UPDATE_DATABASE_AGE)


def _done(results: Results, name: str) -> bool:
    return any(action.name == name and action.status == DONE for action in results.actions)
