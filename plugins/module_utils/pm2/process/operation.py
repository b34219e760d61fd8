# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The steps of pm2_process: collect, plan, and outside check mode apply and verify."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from contextlib import nullcontext

from ...core.check import DONE, FAILED, OK, SKIPPED, Action, Check
from ...core.operation import Outcome
from ...core.progress import ProgressCallback
from ...core.thresholds import Thresholds
from ...core.units import pluralize
from ..liveness import assess_process
from .apply import apply
from .cli import CommandFailed
from .collect import NotStarted, collect_app, require_idle
from .define import Definer
from .lock import exclusive_lock
from .options import ABSENT, RESTARTED, STARTED, STOPPED, Options
from .plan import plan
from .switch import nothing_done


def preview(options: Options, thresholds: Thresholds) -> Outcome:
    """What `run` would do."""
    if options.state not in (RESTARTED, STARTED):
        return _define(options, thresholds, lambda newest: None, check_mode=True)
    try:
        app, snapshot = collect_app(options, thresholds)
        require_idle(app, options, thresholds)
    except NotStarted as reason:
        return _nothing_done(reason)
    check = assess_process(app, snapshot, options.instances, thresholds)
    return _outcome([check], plan(app, options.state, snapshot.taken).actions)


def run(options: Options, thresholds: Thresholds, report: ProgressCallback) -> Outcome:
    """Restart the instances one by one. The first that does not stay up is the last one touched."""
    if options.state not in (RESTARTED, STARTED):
        return _define(options, thresholds, report, check_mode=False)
    try:
        with exclusive_lock(options, thresholds):
            app, snapshot = collect_app(options, thresholds)
            require_idle(app, options, thresholds)
            actions = apply(options, plan(app, options.state, snapshot.taken), report)
            return _verified(actions, options, thresholds)
    except NotStarted as reason:
        return _nothing_done(reason)


def _define(
    options: Options, thresholds: Thresholds, report: ProgressCallback, *, check_mode: bool
) -> Outcome:
    """States present, reloaded, stopped and absent."""
    definer = Definer(options, thresholds, report)
    try:
        with nullcontext() if check_mode else exclusive_lock(options, thresholds):
            work = definer.plan()
            if check_mode or not work.actions:
                checks = [work.check] if work.check else []
                proven = not check_mode and all(check.status == OK for check in checks)
                outcome = Outcome(checks, work.actions, results={"proven": proven})
                if not check_mode and options.state in (STOPPED, ABSENT):
                    outcome = definer.outcome(work, [])
            else:
                outcome = definer.outcome(work, definer.run(work))
    except NotStarted as reason:
        return nothing_done(reason, "changed")
    except CommandFailed as reason:
        return Outcome(problem=f"Nothing was changed: {reason}.", results={"proven": False})
    outcome.results.pop("untouched", None)
    outcome.results.update(definer.facts())
    return outcome


def _verified(actions: list[Action], options: Options, thresholds: Thresholds) -> Outcome:
    """The state of the app after the actions, and whether it is proven to work."""
    problem = _problem(actions)
    try:
        app, snapshot = collect_app(options, thresholds)
        check = assess_process(app, snapshot, options.instances, thresholds)
    except NotStarted as reason:
        check, problem = reason.check, problem or str(reason)
    proven = not problem and check.status == OK
    return _outcome([check], actions, problem, proven=proven)


def _outcome(
    checks: list[Check], actions: list[Action], problem: str = "", *, proven: bool = False
) -> Outcome:
    return Outcome(checks, actions, problem, results={"proven": proven})


def _nothing_done(reason: NotStarted) -> Outcome:
    problem = f"Nothing was restarted: {reason}"
    if reason.remedy:
        problem += f". {reason.remedy}"
    return _outcome([reason.check], [], problem)


def _problem(actions: Sequence[Action]) -> str:
    """Why the task fails; empty if every action is done."""
    count = Counter(action.status for action in actions)
    summary = f"{count[DONE]} of {pluralize(len(actions), 'instance')} restarted"
    if count[SKIPPED]:
        summary += f", {count[SKIPPED]} left unchanged"
    for action in actions:
        if action.status == FAILED:
            return (
                f"{summary}. {action.subject}: {action.reason}. Read its error log; if the app "
                "was deployed recently, roll that back."
            )
    if count[SKIPPED]:
        return f"{summary}. The run has taken too long; start it again for the rest."
    return ""
