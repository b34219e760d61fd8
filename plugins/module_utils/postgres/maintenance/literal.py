# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The runbook's own recipe: REINDEX DATABASE and VACUUM ANALYZE, needed or not; writers wait."""

from __future__ import annotations

import select
import time
from collections.abc import Mapping, Sequence
from contextlib import closing

from ...core.check import CRITICAL, DONE, FAILED, OK, PLANNED, WARNING, Action
from ...core.confirmation import require_confirmation, require_match
from ...core.deadline import DeadlineExceeded
from ...core.errors import Unreachable
from ...core.operation import Outcome
from ...core.progress import ProgressCallback, progress, running_item
from ...core.thresholds import Thresholds
from ..url import Target
from ..worker import StatementFailed, Worker
from .declined import declined, locked_by, on_standby
from .lock import APPLICATION, take_lock
from .options import Options
from .queries import IN_RECOVERY, QUOTED_DATABASE
from .verify import CHECK

LOCKS = (
    "REINDEX DATABASE locks each table against writers, and in effect readers, while its indexes "
    "are rebuilt"
)


def run_recipe(
    target: Target,
    options: Options,
    thresholds: Thresholds,
    report: ProgressCallback,
    check_mode: bool,
) -> Outcome:
    """Run the recipe; raises `UsageError` unless ``confirm`` names the database."""
    settings = {"lock_timeout": f"'{options.max_wait:g}s'"}
    control = Worker(target, APPLICATION, options.timeout, settings)
    with closing(control):
        try:
            control.open()
            if control.ask("itself", IN_RECOVERY)[0][0]:
                return on_standby(thresholds)
            confirmed = require_match if check_mode else require_confirmation
            confirmed(options.confirm, "database", control.database)
            statements = _statements(control)
            if check_mode:
                return _outcome(_planned(statements, control.database), thresholds)
            holder = take_lock(control)
            if holder:
                return locked_by(holder, thresholds)
        except (Unreachable, StatementFailed) as error:
            return declined(error, thresholds)
        except DeadlineExceeded:
            return declined(control.no_answer(), thresholds)
        return _outcome(_carried_out(control, statements, options, report), thresholds)


def _statements(control: Worker) -> dict[str, str]:
    name = control.ask("itself", QUOTED_DATABASE)[0][0]
    return {"reindex_database": f"REINDEX DATABASE {name}", "vacuum_database": "VACUUM (ANALYZE)"}


def _planned(statements: Mapping[str, str], database: str) -> list[Action]:
    return [
        Action(f"postgres.{key}", PLANNED, text, subject=database)
        for key, text in statements.items()
    ]


def _carried_out(
    control: Worker, statements: Mapping[str, str], options: Options, report: ProgressCallback
) -> list[Action]:
    """Run the statements, up to the first that fails."""
    end = time.monotonic() + options.time_budget
    actions = []
    for key, text in statements.items():
        started = time.monotonic()
        failure = _run(control, text, end, report)
        seconds = round(time.monotonic() - started, 3)
        name, subject = f"postgres.{key}", control.database
        if failure:
            actions.append(Action(name, FAILED, f"{text}: {failure}", subject=subject))
            break
        actions.append(Action(name, DONE, text, subject=subject, seconds=seconds))
    return actions


def _run(control: Worker, text: str, end: float, report: ProgressCallback) -> str:
    """Run one statement; why it failed, empty if it did not."""
    started = time.monotonic()
    try:
        control.start(text)
        while not control.poll():
            select.select([control], [], [], 0.5)
            report(progress(0, 2, [running_item(text, time.monotonic() - started)]))
            if time.monotonic() > end:
                control.cancel()
                return "cancelled, the time budget is used up"
    except (StatementFailed, Unreachable) as error:
        return str(error)
    return ""


def _outcome(actions: Sequence[Action], thresholds: Thresholds) -> Outcome:
    failed = [action for action in actions if action.status == FAILED]
    remedy = "Leave literal out: indexes that need it are then rebuilt without blocking anyone."
    if failed:
        problem = failed[0].reason
        check = thresholds.verdict(CHECK, CRITICAL, problem, remedy=remedy)
        return Outcome([check], list(actions), problem)
    summary = "; ".join(f"{action.reason} {action.status}" for action in actions)
    check = thresholds.verdict(CHECK, OK, summary)
    if actions[0].status == PLANNED:
        check = thresholds.verdict(CHECK, WARNING, f"{summary}: {LOCKS}", remedy=remedy)
    return Outcome([check], list(actions))
