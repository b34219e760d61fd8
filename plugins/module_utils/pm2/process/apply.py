# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Carries out a plan: instance by instance, until one does not come back."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Callable

from ...core.check import DONE, FAILED, SKIPPED, Action
from ...core.progress import ProgressCallback, progress, running_item
from ..instance import WAITING, Instance
from .options import Options
from .plan import Plan, Step
from .verify import NotProven, answered_within, log_size, require_ready, require_restarted, watch

#: Seconds after which no further instance is restarted.
MAX_SECONDS = 3600.0


def apply(options: Options, plan: Plan, report: ProgressCallback) -> list[Action]:
    """The actions of the plan with their results. The first instance that fails ends the run."""
    actions: list[Action] = []
    end = time.monotonic() + MAX_SECONDS
    reason = ""
    for number, step in enumerate(plan.steps):
        if not reason and time.monotonic() > end:
            reason = "the run has taken too long"
        if reason:
            skipped = replace(step.action, status=SKIPPED, reason=f"left unchanged: {reason}")
            actions.append(skipped)
            continue
        action = _restart(options, step, _StepProgress(step, number, plan, report))
        if action.status == FAILED:
            reason = f"{action.subject} did not come back"
        actions.append(action)
    return actions


class _StepProgress:
    """Reports the phases of one step."""

    def __init__(self, step: Step, done: int, plan: Plan, report: ProgressCallback) -> None:
        self._subject = step.action.subject
        self._done = done
        self._total = len(plan.steps)
        self._report = report
        self._began = time.monotonic()

    @property
    def seconds(self) -> float:
        return time.monotonic() - self._began

    def __call__(self, phase: str) -> None:
        running = running_item(self._subject, self.seconds, phase)
        self._report(progress(self._done, self._total, [running]))


def _restart(options: Options, step: Step, report: _StepProgress) -> Action:
    """Restart one instance; the action with its result."""
    try:
        now = restart_instance(options, step.instance, report)
    except NotProven as problem:
        result = replace(step.action, status=FAILED, reason=str(problem))
    else:
        result = replace(step.action, status=DONE, after=f"process {now.pid}")
    return replace(result, seconds=round(report.seconds, 1))


def restart_instance(options: Options, before: Instance, report: Callable[[str], None]) -> Instance:
    """Restart one instance, and watch it for as long as it must stay up.

    Raises `NotProven` if it does not come back, or that cannot be seen.
    """
    log_start = log_size(before.error_log)
    extra_seconds = before.kill_timeout + before.listen_timeout
    report("restarting")
    with answered_within(options.timeout + extra_seconds):
        with options.connect(extra_seconds) as client:
            if before.status == WAITING:
                # Otherwise PM2's own restart would follow once its delay is over.
                client.call("stopProcessId", before.pm_id)
            client.call("restartProcessId", {"id": before.pm_id})
            answered = time.time()
        started = require_restarted(options, before, log_start)
        require_ready(started, before, answered, log_start)
        return watch(options, started, log_start, report)
