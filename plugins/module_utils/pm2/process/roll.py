# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Gives an app other settings, such as another directory, instance by instance.

A cluster app is tried out first (`Trial`): if the new version does not start, no instance of the
old one has been touched. Then PM2 reloads one instance after the other, each as a new process that
takes over before the old one gets its signal.
"""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Callable

from ...core.check import DONE, FAILED, PLANNED, SKIPPED, Action
from ...core.progress import ProgressCallback, progress, running_item
from ...core.units import format_duration
from ..instance import ONLINE, WAITING, App, Instance
from .options import Options
from .order import carry_out, reload_order, require_ready
from .proof import Proof
from .settings import Settings
from .trial import Trial
from .verify import NotProven, log_size, require_new, was_killed

#: Names of the actions.
RELOAD, TRIAL = "app.reload", "app.trial"


@dataclass(frozen=True)
class Change:
    """One instance, the settings that it has, and those that it gets."""

    instance: Instance
    now: Settings
    wanted: Settings
    action: Action


@dataclass(frozen=True)
class Roll:
    """The instances to change, in this order, and whether one is tried out first."""

    app: App
    changes: tuple[Change, ...]
    directory: str
    """The directory, without links, that the instances must be in afterwards; empty for any."""
    trial: Action | None

    @property
    def actions(self) -> list[Action]:
        actions = [change.action for change in self.changes]
        return [self.trial, *actions] if self.trial else actions


def plan_roll(
    app: App,
    settings: Sequence[tuple[Instance, Settings, Settings]],
    directory: str,
    reason: str,
) -> Roll:
    """The plan for instances with the settings they have and get. Pure.

    Instances that are down come first. Only a cluster app that serves is tried out: an extra
    instance in fork mode would want the port that is taken, or do the same work twice.
    """
    ordered = sorted(settings, key=lambda item: (item[0].status == ONLINE, item[0].pm_id))
    changes = tuple(
        Change(row, now, wanted, _action(app, row, reason)) for row, now, wanted in ordered
    )
    tried = bool(changes) and bool(app.online) and all(change.now.cluster for change in changes)
    trial = Action(
        TRIAL, PLANNED, "shows whether it starts before an instance is changed", app.label
    )
    return Roll(app, changes, directory, trial if tried else None)


def _action(app: App, row: Instance, reason: str) -> Action:
    alone = len(app.instances) == 1 and row.status == ONLINE and not row.cluster
    return Action(
        RELOAD,
        PLANNED,
        f"{reason}; the app is down until it is back" if alone else reason,
        subject=f"{app.label} id {row.pm_id}",
        before=f"process {row.pid}" if row.pid else row.status,
    )


def roll(options: Options, plan: Roll, report: ProgressCallback) -> list[Action]:
    """Carry out a plan; its actions with their results. The first that fails ends the run."""
    return _Run(options, plan, report).actions()


class _Run:
    def __init__(self, options: Options, plan: Roll, report: ProgressCallback) -> None:
        self._options = options
        self._plan = plan
        self._callback = report
        self._results: list[Action] = []
        self._subject, self._began = "", time.monotonic()
        self._note = ""

    def actions(self) -> list[Action]:
        with Trial(self._options, self._plan.app, self._report) as trial:
            if self._plan.trial and not self._do(self._plan.trial, lambda: self._try(trial)):
                return self._all()
            changed: list[tuple[Instance, int]] = []
            for change in self._plan.changes:
                if not self._do(change.action, partial(self._reload, change, changed)):
                    return self._all()
            if self._plan.trial:
                self._prove_together(changed)
        return self._all()

    def _do(self, action: Action, work: Callable[[], Instance]) -> bool:
        """Whether the work succeeded; its result is kept."""
        self._subject, self._began = action.subject, time.monotonic()
        try:
            after = work()
        except NotProven as problem:
            result = replace(action, status=FAILED, reason=str(problem))
        else:
            after_it = f"process {after.pid}{self._note}"
            result = replace(action, status=DONE, after=after_it)
        self._note = ""
        seconds = round(time.monotonic() - self._began, 1)
        self._results.append(replace(result, seconds=seconds))
        return result.status == DONE

    def _all(self) -> list[Action]:
        """The results, and the actions that were not reached."""
        rest = self._plan.actions[len(self._results) :]
        failed = next((action for action in self._results if action.status == FAILED), None)
        what = (
            "the trial instance" if failed and failed.name == TRIAL else failed and failed.subject
        )
        reason = f"left unchanged: {what} did not come up"
        return [
            *self._results,
            *(replace(action, status=SKIPPED, reason=reason) for action in rest),
        ]

    def _report(self, phase: str) -> None:
        running = running_item(self._subject, time.monotonic() - self._began, phase)
        done, total = len(self._results), len(self._plan.actions)
        self._callback(progress(done, total, [running]))

    def _try(self, trial: Trial) -> Instance:
        return trial.start(self._plan.changes[0].wanted, self._plan.directory)

    def _reload(self, change: Change, changed: list[tuple[Instance, int]]) -> Instance:
        before = change.instance
        log_start = log_size(before.error_log)
        pm2_log = os.path.join(self._options.home, "pm2.log")
        pm2_log_start = log_size(pm2_log)
        self._report("reloading")
        if before.status == WAITING:
            # Otherwise PM2's own restart would follow once its delay is over.
            with self._options.connect() as client:
                client.call("stopProcessId", before.pm_id)
        order = reload_order(before, change.now.request_to(change.wanted))
        seen = carry_out(
            self._options,
            order,
            before.kill_timeout + 2 * before.listen_timeout,
            lambda rows: _successor(rows, before),
            lambda: self._report("reloading"),
        )
        if before.pid and was_killed(self._options.home, before.pid, pm2_log_start):
            limit = format_duration(before.kill_timeout)
            self._note = (
                f"; process {before.pid} had not ended after its kill_timeout of {limit} and was "
                "killed, so requests may be lost"
            )
        if seen.instance is None:
            raise NotProven("it is no longer in PM2's list: someone else has removed it")
        require_new(seen.instance, before, log_start)
        require_ready(seen, log_start)
        changed.append((seen.instance, log_start))
        seconds = 0.0 if self._plan.trial else self._options.stable_for
        return self._proof().hold(changed[-1:], seconds, self._report)[before.pm_id]

    def _prove_together(self, changed: list[tuple[Instance, int]]) -> None:
        """Watch all instances; the results of those that do not stay up become failures."""
        self._subject, self._began = self._plan.app.label, time.monotonic()
        try:
            self._proof().hold(changed, self._options.stable_for, self._report, 2 * len(changed))
        except NotProven as problem:
            last = self._results[-1]
            self._results[-1] = replace(last, status=FAILED, reason=str(problem))

    def _proof(self) -> Proof:
        return Proof(self._options, self._plan.directory, self._options.url)


def _successor(rows: Sequence[Instance], before: Instance) -> Instance | None:
    """The instance with the same id, once it is another process or has ended."""
    key = (before.pm_id, before.name, before.namespace)
    return next((row for row in rows if (row.pm_id, row.name, row.namespace) == key), None)
