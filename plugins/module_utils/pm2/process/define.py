# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The states that define, stop and remove an app: what they plan, and how they carry it out."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass, replace
from typing import Any, Callable

from ...core.check import DONE, FAILED, OK, PLANNED, SKIPPED, Action, Check
from ...core.deadline import DeadlineExceeded
from ...core.errors import Unreachable
from ...core.operation import Outcome
from ...core.progress import ProgressCallback, progress, running_item
from ...core.thresholds import Thresholds
from ...core.units import pluralize
from ..client import AccessDenied
from ..daemon import recorded_pid
from ..instance import STOPPED as IS_STOPPED
from ..instance import App, Instance
from ..liveness import assess_process
from ..snapshot import Snapshot
from .boot import boot_problem
from .cli import Command, CommandFailed
from .collect import NotStarted, collect_app, require_idle
from .difference import Difference, compare
from .dump import dump_problem
from .options import ABSENT, PRESENT, RELOADED, STOPPED, Options
from .replacement import replace_app
from .roll import roll
from .settings import Settings
from .start import end_instances, remembered, start_instances
from .switch import directory_of, settings_of, verified
from .trial import leftovers
from .verify import NotProven

START, STOP, REMOVE, SAVE, DAEMON = "app.start", "app.stop", "app.remove", "pm2.save", "pm2.start"
BOOT = "pm2.boot"


@dataclass
class Work:
    """A plan, and the steps that carry it out; each gives the results of the actions it is for."""

    actions: list[Action]
    steps: list[Callable[[], list[Action]]]
    check: Check | None = None
    """The state of the app before."""


class Definer:
    """One run of state present, reloaded, stopped or absent."""

    def __init__(self, options: Options, thresholds: Thresholds, report: ProgressCallback) -> None:
        self._options = options
        self._thresholds = thresholds
        self._callback = report
        self._began = time.monotonic()
        self._command = Command(options.home, options.executable, _node(options.home))

    def plan(self) -> Work:
        """What must be done; raises `NotStarted` and `CommandFailed`."""
        options = self._options
        try:
            app, snapshot = collect_app(options, self._thresholds)
        except NotStarted:
            if options.state == ABSENT and self._daemon_state() != "unknown":
                return self._with_save(Work([], []))
            if options.state != PRESENT or not self._can_start():
                raise
            return self._with_save(self._plan_start())
        require_idle(app, options, self._thresholds)
        if options.state in (STOPPED, ABSENT):
            return self._with_save(self._plan_end(app, snapshot))
        difference = self._difference(app)
        check = assess_process(app, snapshot, options.instances, self._thresholds)
        work = Work(difference.actions, [lambda: self._change(difference)], check)
        return self._with_save(work)

    def _daemon_state(self) -> str:
        """``running``, ``none``, or ``unknown`` if this user lacks permission to tell."""
        try:
            with self._options.connect():
                return "running"
        except AccessDenied:
            return "unknown"
        except (Unreachable, DeadlineExceeded):
            return "none"

    def _can_start(self) -> bool:
        known = self._options.definition.is_complete or remembered(self._options) is not None
        return known and self._daemon_state() != "unknown"

    # -- an app that is missing

    def _plan_start(self) -> Work:
        options, actions, steps = self._options, [], []
        if self._daemon_state() == "none":
            home = options.home
            actions.append(Action(DAEMON, PLANNED, "PM2 is not running", home, "not running"))
            steps.append(self._start_daemon)
        settings, count = self._new_settings()
        what = f"{pluralize(count, 'instance')} of {settings.script} in {settings.cwd}"
        actions.append(Action(START, PLANNED, what, options.name, "not in PM2's list"))
        steps.append(lambda: self._start(settings, count))
        return Work(actions, steps)

    def _new_settings(self) -> tuple[Settings, int]:
        options, definition = self._options, self._options.definition
        kept = None if definition.is_complete else remembered(options)
        if kept:
            return definition.applied_to(kept[0]), options.instances or kept[1]
        app = definition.as_ecosystem()
        if options.namespace:
            app["namespace"] = options.namespace
        resolved = self._command.resolve(
            options.name, app, definition.env, definition.config, definition.config_env
        )
        fields = {k: v for k, v in resolved.fields.items() if k != "instances"}
        count = options.instances or _number(resolved.fields.get("instances"))
        return Settings(fields, resolved.env), count

    def _start_daemon(self) -> list[Action]:
        (action,) = self._planned(DAEMON)
        self._command.start_daemon()
        return [self._done(action, "running")]

    def _start(self, settings: Settings, count: int) -> list[Action]:
        (action,) = self._planned(START)
        try:
            rows = start_instances(self._options, settings, count, settings.cwd, self._report)
        except NotProven as problem:
            return [self._failed(action, problem)]
        return [self._done(action, _processes(rows))]

    # -- an app that is there

    def _difference(self, app: App) -> Difference:
        options, definition = self._options, self._options.definition
        pairs = settings_of(options, app)
        instances = options.instances
        if definition.config:
            resolved = self._command.resolve(
                options.name,
                definition.as_ecosystem(),
                definition.env,
                definition.config,
                definition.config_env,
            )
            wanted = [(row, now, definition.resolved_to(now, resolved)) for row, now in pairs]
            instances = instances or _number(resolved.fields.get("instances"))
        else:
            wanted = [(row, now, definition.applied_to(now)) for row, now in pairs]
        if options.state == RELOADED:
            return compare(app, wanted, len(app.instances), True)
        return compare(app, wanted, instances, False, self._elsewhere(wanted))

    def _elsewhere(self, wanted: list[tuple[Instance, Settings, Settings]]) -> frozenset[int]:
        """Ids of the instances whose process is not in the directory that the operator names."""
        if "cwd" not in self._options.definition.values:
            return frozenset()
        found = [(row, directory_of(row.pid), then.cwd) for row, _now, then in wanted if row.alive]
        return frozenset(
            row.pm_id for row, actual, cwd in found if actual and actual != os.path.realpath(cwd)
        )

    def _change(self, difference: Difference) -> list[Action]:
        results: list[Action] = []
        if difference.replacement:
            results = replace_app(self._options, difference.replacement, self._callback)
        elif difference.roll:
            results = roll(self._options, difference.roll, self._callback)
        if any(action.status == FAILED for action in results):
            reason = "the app did not come up"
            skipped = [replace(one, status=SKIPPED, reason=reason) for one in difference.scale]
            return [*results, *skipped]
        return results + [self._scale(action, difference) for action in difference.scale]

    def _scale(self, action: Action, difference: Difference) -> Action:
        try:
            end_instances(self._options, difference.remove, "deleteProcessId", self._report)
            if difference.start:
                settings = difference.settings
                start_instances(self._options, settings, difference.start, "", self._report)
        except NotProven as problem:
            return self._failed(action, problem)
        return self._done(action, action.after)

    def _plan_end(self, app: App, snapshot: Snapshot) -> Work:
        stop = self._options.state == STOPPED
        rows = [row for row in app.instances if not (stop and row.status == IS_STOPPED)]
        name, method = (STOP, "stopProcessId") if stop else (REMOVE, "deleteProcessId")
        before = _processes(row for row in rows if row.pid) or "not running"
        action = Action(name, PLANNED, "as requested", app.label, before=before)

        def end() -> list[Action]:
            try:
                end_instances(self._options, rows, method, self._report)
            except NotProven as problem:
                return [self._failed(action, problem)]
            return [self._done(action, "stopped" if stop else "not in PM2's list")]

        check = assess_process(app, snapshot, None, self._thresholds)
        return Work([action], [end], check) if rows else Work([], [], check)

    # -- the dump

    def _with_save(self, work: Work) -> Work:
        """The work, and the dump's, if it is out of step or will be."""
        self._work = work
        rows = [] if work.actions else self._leftovers()
        if rows:
            what = "a run that was killed left it behind"
            name = f"{self._options.name}-trial"
            work.actions.append(Action(REMOVE, PLANNED, what, name, before=_processes(rows)))
            work.steps.append(lambda: self._end_leftovers(rows))
        problem = boot_problem(self._options.home) if self._options.boot else ""
        if problem:
            work.actions.append(Action(BOOT, PLANNED, problem, self._options.home))
            work.steps.append(self._start_at_boot)
        if not self._options.save:
            return work
        problem = "its list changes" if work.actions else self._dump_problem()
        if problem:
            home = self._options.home
            action = Action(SAVE, PLANNED, f"PM2's dump: {problem}", home, "out of step")
            work.actions.append(action)
            work.steps.append(self._save)
        return work

    def _leftovers(self) -> list[Instance]:
        try:
            return leftovers(self._options)
        except (Unreachable, DeadlineExceeded):
            return []

    def _end_leftovers(self, rows: list[Instance]) -> list[Action]:
        (action,) = self._planned(REMOVE)
        try:
            end_instances(self._options, rows, "deleteProcessId", self._report)
        except NotProven as problem:
            return [self._failed(action, problem)]
        return [self._done(action, "not in PM2's list")]

    def _start_at_boot(self) -> list[Action]:
        (action,) = self._planned(BOOT)
        self._command.start_at_boot()
        problem = boot_problem(self._options.home)
        return [self._failed(action, problem) if problem else self._done(action, "enabled")]

    def _dump_problem(self) -> str:
        try:
            with self._options.connect() as client:
                rows = client.rows()
        except (Unreachable, DeadlineExceeded):
            return ""
        if not rows and not os.path.exists(os.path.join(self._options.home, "dump.pm2")):
            return ""
        return dump_problem(self._options.home, rows)

    def _save(self) -> list[Action]:
        (action,) = self._planned(SAVE)
        self._command.save()
        problem = self._dump_problem()
        if problem:
            return [self._failed(action, problem)]
        return [self._done(action, "in step with PM2's list")]

    # -- results

    def run(self, work: Work) -> list[Action]:
        """Carry out the steps; the first that fails ends the run."""
        results: list[Action] = []
        for step in work.steps:
            try:
                results += step()
            except (CommandFailed, Unreachable) as problem:
                results.append(self._failed(work.actions[len(results)], problem))
            if results[-1:] and any(one.status == FAILED for one in results):
                break
        reason = "an earlier step failed"
        rest = work.actions[len(results) :]
        return [*results, *(replace(one, status=SKIPPED, reason=reason) for one in rest)]

    def outcome(self, work: Work, results: list[Action]) -> Outcome:
        """The state of the app afterwards."""
        if self._options.state not in (STOPPED, ABSENT):
            return verified(self._options, self._thresholds, results)
        failed = next((one for one in results if one.status == FAILED), None)
        problem = f"{failed.subject}: {failed.reason}" if failed else ""
        done = "is stopped" if self._options.state == STOPPED else "is not in PM2's list"
        check = self._thresholds.verdict(
            "app.process",
            OK,
            f"{self._options.name} {done}, as requested",
            subject=self._options.name,
        )
        if failed and work.check:
            check = work.check
        return Outcome([check], results, problem, {"proven": not problem})

    def facts(self) -> dict[str, Any]:
        """Further results: the versions of the daemon and of the command, and the dump."""
        try:
            with self._options.connect() as client:
                daemon = str(client.call("getVersion", {})[0])
        except (Unreachable, DeadlineExceeded, IndexError):
            daemon = ""
        return {
            "daemon_version": daemon,
            "command_version": self._command.version,
            "dump_problem": self._dump_problem(),
        }

    def _planned(self, name: str) -> list[Action]:
        return [action for action in self._work.actions if action.name == name]

    def _report(self, phase: str) -> None:
        running = running_item(self._options.name, time.monotonic() - self._began, phase)
        self._callback(progress(0, 1, [running]))

    def _done(self, action: Action, after: Any) -> Action:
        return replace(action, status=DONE, after=after, seconds=self._seconds())

    def _failed(self, action: Action, problem: Exception | str) -> Action:
        return replace(action, status=FAILED, reason=str(problem), seconds=self._seconds())

    def _seconds(self) -> float:
        return round(time.monotonic() - self._began, 1)


def _processes(rows: Any) -> str:
    pids = [str(row.pid) for row in rows]
    return f"process {', '.join(pids)}" if pids else ""


def _number(instances: Any) -> int:
    """The number of instances in an ecosystem file, as PM2 counts."""
    processors = os.cpu_count() or 1
    try:
        count = 0 if instances == "max" else int(instances or 1)
    except (TypeError, ValueError):
        return 1
    return count if count > 0 else max(1, processors + count)


def _node(home: str) -> str:
    """The Node.js that runs the daemon; empty if there is none, or it cannot be read."""
    try:
        return os.readlink(f"/proc/{recorded_pid(home)}/exe")
    except OSError:
        return ""
