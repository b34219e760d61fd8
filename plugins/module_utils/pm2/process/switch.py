# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""For modules that put another version of an app in place: run it in another directory, proven."""

from __future__ import annotations

import os
from contextlib import suppress
from dataclasses import replace

from ...core.check import DONE, FAILED, OK, Action
from ...core.errors import UsageError
from ...core.operation import Outcome
from ...core.progress import ProgressCallback
from ...core.thresholds import Thresholds
from ...linux.proc import working_directory
from ..checks import CHECKS
from ..instance import App, Instance, instance_from
from ..liveness import assess_process
from ..snapshot import Snapshot
from .collect import NotStarted, collect_app, require_idle
from .lock import exclusive_lock
from .options import Options
from .replacement import plan_replacement, replace_app
from .roll import TRIAL, Roll, plan_roll, roll
from .settings import Settings
from .start import remembered, start_instances
from .verify import NotProven


def reload_into(
    options: Options,
    directory: str,
    report: ProgressCallback = lambda newest: None,
    *,
    cwd: str = "",
    only_others: bool = False,
    try_first: bool = True,
    check_mode: bool = False,
) -> Outcome:
    """Reload the app so that its instances run in a directory, and prove that they do.

    PM2 gets ``cwd`` as the app's working directory. By default it keeps its own if that leads to
    the directory, as a link ``current`` does, and gets the directory otherwise. ``only_others``
    leaves the instances alone that are online in the directory already, for a run that puts the
    rest right. Without ``try_first`` no trial instance is started, for a version that has been
    tried already. `Outcome.problem` says why it failed, ``results["proven"]`` whether it is proven,
    and ``results["untouched"]`` whether no instance was changed.
    """
    thresholds = Thresholds(CHECKS)
    _require_directory(directory)
    try:
        with exclusive_lock(options, thresholds):
            app, snapshot = collect_app(options, thresholds)
            require_idle(app, options, thresholds)
            plan = _plan(options, app, directory, cwd, only_others)
            if not try_first:
                plan = replace(plan, trial=None)
            if check_mode:
                check = assess_process(app, snapshot, options.instances, thresholds)
                return Outcome([check], plan.actions, results={"proven": False, "untouched": True})
            return verified(options, thresholds, roll(options, plan, report))
    except NotStarted as reason:
        return nothing_done(reason, "reloaded")


def recreate(
    options: Options,
    cwd: str,
    report: ProgressCallback = lambda newest: None,
    *,
    check_mode: bool = False,
) -> Outcome:
    """Remove the app from PM2 and start it again with another working directory, proven.

    For what a reload cannot change. A cluster app gets a trial instance first, which serves while
    the others are replaced. If the app does not come up in the new directory, it is started with
    its old settings again, and `Outcome.problem` says so. An app that a killed run has removed is
    started from the settings that the run kept.
    """
    thresholds = Thresholds(CHECKS)
    _require_directory(cwd)
    try:
        with exclusive_lock(options, thresholds):
            app, snapshot = _collect_or_restore(options, thresholds, check_mode, report)
            require_idle(app, options, thresholds)
            settings = settings_of(options, app)
            wanted = settings[0][1].moved_to(cwd)
            replacement = plan_replacement(app, settings[0][1], wanted, f"to run in {cwd}")
            if check_mode:
                check = assess_process(app, snapshot, options.instances, thresholds)
                actions = replacement.actions
                return Outcome([check], actions, results={"proven": False, "untouched": True})
            return verified(options, thresholds, replace_app(options, replacement, report))
    except NotStarted as reason:
        return nothing_done(reason, "recreated")


def _collect_or_restore(
    options: Options, thresholds: Thresholds, check_mode: bool, report: ProgressCallback
) -> tuple[App, Snapshot]:
    """The app; one that a killed run has removed is started again first."""
    try:
        return collect_app(options, thresholds)
    except NotStarted:
        kept = remembered(options)
        if kept is None or check_mode:
            raise
        with suppress(NotProven):  # what is wrong with it is found by what follows
            start_instances(options, kept[0], kept[1], "", lambda phase: None)
        return collect_app(options, thresholds)


def _require_directory(directory: str) -> None:
    if not os.path.isabs(directory) or not os.path.isdir(directory):
        raise UsageError(f"directory: {directory} is not the absolute path of a folder")


def _plan(options: Options, app: App, directory: str, cwd: str, only_others: bool) -> Roll:
    target = os.path.realpath(directory)
    settings = []
    for row, now in settings_of(options, app):
        given = cwd or (now.cwd if os.path.realpath(now.cwd) == target else directory)
        wanted = now.moved_to(given)
        if only_others and row.alive and directory_of(row.pid) == target and now == wanted:
            continue
        settings.append((row, now, wanted))
    return plan_roll(app, settings, target, f"to run in {target}")


def settings_of(options: Options, app: App) -> list[tuple[Instance, Settings]]:
    """The instances of an app with the settings that PM2 has for them."""
    ids = {row.pm_id for row in app.instances}
    with options.connect() as client:
        rows = [(instance_from(row), Settings.of_row(row)) for row in client.rows()]
    return [(row, settings) for row, settings in rows if row.pm_id in ids and row.name == app.name]


def directory_of(pid: int) -> str:
    """The directory that a process is in; empty if it cannot be read."""
    try:
        return working_directory(pid)
    except OSError:
        return ""


def nothing_done(reason: NotStarted, done: str) -> Outcome:
    """The outcome of a run that changed nothing, and why."""
    problem = f"Nothing was {done}: {reason}"
    if reason.remedy:
        problem += f". {reason.remedy}"
    return Outcome([reason.check], [], problem, {"proven": False, "untouched": True})


def verified(options: Options, thresholds: Thresholds, actions: list[Action]) -> Outcome:
    """The state of the app after the actions, and whether it is proven to work."""
    failed = next((action for action in actions if action.status == FAILED), None)
    problem = f"{failed.subject}: {failed.reason}" if failed else ""
    if failed and failed.name == TRIAL:
        problem = f"{failed.subject}: {failed.reason}. No instance that serves was changed"
    changed = [action for action in actions if action.name != TRIAL]
    untouched = not any(action.status in (DONE, FAILED) for action in changed)
    try:
        app, snapshot = collect_app(options, thresholds, watched=not problem)
        check = assess_process(app, snapshot, options.instances, thresholds)
    except NotStarted as reason:
        check, problem = reason.check, problem or str(reason)
    proven = not problem and check.status == OK
    return Outcome([check], actions, problem, {"proven": proven, "untouched": untouched})
