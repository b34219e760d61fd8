# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Replaces an app by one with other settings that a reload cannot give it."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace

from ...core.check import DONE, FAILED, PLANNED, SKIPPED, Action
from ...core.progress import ProgressCallback, progress, running_item
from ..instance import App
from .options import Options
from .roll import TRIAL
from .settings import Settings
from .start import replace_instances
from .trial import Trial
from .verify import NotProven

#: Name of the action.
RECREATE = "app.recreate"


@dataclass(frozen=True)
class Replacement:
    """An app, its settings, and those of the one that replaces it."""

    app: App
    now: Settings
    wanted: Settings
    actions: list[Action]


def plan_replacement(app: App, now: Settings, wanted: Settings, reason: str) -> Replacement:
    """The plan. Pure. Only what stays a cluster app is tried out, see `plan_roll`."""
    tried = bool(app.online) and now.cluster and wanted.cluster
    outage = "" if tried else "; the app is down until it is back"
    pids = ", ".join(str(row.pid) for row in app.instances if row.pid)
    recreate = Action(
        RECREATE,
        PLANNED,
        reason + (outage if app.online else ""),
        app.label,
        before=f"process {pids}" if pids else "not running",
    )
    why = "shows whether it starts before an instance is changed"
    trial = [Action(TRIAL, PLANNED, why, app.label)] if tried else []
    return Replacement(app, now, wanted, [*trial, recreate])


def replace_app(options: Options, plan: Replacement, callback: ProgressCallback) -> list[Action]:
    """Carry out a plan; its actions with their results."""
    began = time.monotonic()
    directory = plan.wanted.cwd
    recreate = plan.actions[-1]

    def report(phase: str) -> None:
        running = running_item(plan.app.label, time.monotonic() - began, phase)
        callback(progress(0, 1, [running]))

    def seconds() -> float:
        return round(time.monotonic() - began, 1)

    results: list[Action] = []
    with Trial(options, plan.app, report) as trial:
        for action in plan.actions[:-1]:
            try:
                row = trial.start(plan.wanted, directory)
            except NotProven as problem:
                failed = replace(action, status=FAILED, reason=str(problem), seconds=seconds())
                reason = "left unchanged: the trial instance did not come up"
                return [failed, replace(recreate, status=SKIPPED, reason=reason)]
            after = f"process {row.pid}"
            results.append(replace(action, status=DONE, after=after, seconds=seconds()))
        rows = list(plan.app.instances)
        try:
            new = replace_instances(options, rows, plan.now, plan.wanted, directory, report)
        except NotProven as problem:
            results.append(replace(recreate, status=FAILED, reason=str(problem), seconds=seconds()))
        else:
            pids = ", ".join(str(row.pid) for row in new)
            done = replace(recreate, status=DONE, after=f"process {pids}", seconds=seconds())
            results.append(done)
    return results
