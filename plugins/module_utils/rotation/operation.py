# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The rotation of logs: collect, plan, apply, verify."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass, replace

from ..core.check import CRITICAL, PLANNED, SKIPPED, Action
from ..core.deadline import DeadlineExceeded
from ..core.errors import RunbookError, UsageError
from ..core.operation import Outcome, file_diff
from ..core.progress import ProgressCallback
from ..core.thresholds import Thresholds
from . import assess
from .apply import ARCHIVE, CONFIGURE, REMOVE, ROTATE, TIDY, Apply
from .archive import archives_in, require_folder
from .collect import collect
from .cut import pending
from .install import require_accepted, temporary
from .leftovers import leftovers
from .lock import take_turn
from .logrotate import Logrotate
from .options import Options
from .plan import Plan, due_for_archive, expired, plan_configuration
from .snapshot import Snapshot
from .writers import stays


@dataclass
class RotationOutcome(Outcome):
    """The result of a run, with our configuration before and after it."""

    config_file: str = ""
    config_before: str = ""
    config_after: str = ""

    @property
    def file_diffs(self) -> list[dict[str, str]]:
        return file_diff(self.config_file, self.config_before, self.config_after)


def run(
    options: Options,
    thresholds: Thresholds,
    check_mode: bool,
    report: ProgressCallback = lambda newest: None,
) -> RotationOutcome:
    """Rotate, archive, verify; raises only `UsageError`."""
    outcome = RotationOutcome(
        results={"rotated": [], "archived": 0, "complete": True}, config_file=options.config_file
    )
    if not options.paths:
        outcome.checks = [assess.no_logs(thresholds)]
        return outcome
    try:
        if check_mode:
            _show(options, thresholds, outcome)
        else:
            with take_turn(options):
                _carry_out(options, thresholds, outcome, report)
    except UsageError:
        raise
    except DeadlineExceeded:
        outcome.problem = f"Not finished within {options.time_limit:g} s (time_limit)"
    except RunbookError as error:
        outcome.problem = f"{error}. {error.remedy}".strip()
    except OSError as error:
        outcome.problem = f"{error.filename or 'a file'}: {error.strerror}"
    if outcome.problem and not outcome.checks:
        check = thresholds.verdict(assess.CONFIGURATION, CRITICAL, outcome.problem)
        outcome.checks = [check]
    outcome.results["complete"] = not outcome.problem
    return outcome


def _plan(snapshot: Snapshot, options: Options) -> Plan:
    return plan_configuration(snapshot, options, sys.executable)


def _carry_out(
    options: Options, thresholds: Thresholds, outcome: RotationOutcome, report: ProgressCallback
) -> None:
    before = collect(options)
    plan = _plan(before, options)
    work = Apply(options, before, plan, outcome.actions, report)
    outcome.config_before = before.installed or ""
    try:
        work.tidy()
        work.configure()
        work.rotate()
        work.wait_for_release()
        work.remove_expired()  # first: a full disk must not keep them for ever
        work.archive_due()
    finally:
        # This run has written the state of logrotate, too.
        after = replace(collect(options), last_run=before.last_run, now=before.now)
        plan = _plan(after, options)
        outcome.config_after = after.installed or ""
        outcome.results["rotated"] = work.rotated
        outcome.results["archived"] = work.archived
        outcome.problem = "; ".join(dict.fromkeys(work.problems))
        waiting = [each for each in after.rotated if plan.covers(each.log)]
        outcome.checks = [
            *assess.assess(after, plan, options, thresholds),
            assess.released(work.held, work.writers, work.unsure, thresholds),
            assess.archived(
                list(archives_in(options.archive_dir)) if options.archive_dir else [],
                len(waiting),
                work.archive_problems,
                options,
                thresholds,
            ),
            assess.sizes(before, after, thresholds),
        ]


def _show(options: Options, thresholds: Thresholds, outcome: RotationOutcome) -> None:
    """The plan, of which nothing is done."""
    snapshot = collect(options)
    plan = _plan(snapshot, options)
    outcome.config_before = outcome.config_after = snapshot.installed or ""
    outcome.checks = assess.assess(snapshot, plan, options, thresholds)
    outcome.checks.append(assess.sizes(snapshot, snapshot, thresholds))
    rotated = [each for each in snapshot.rotated if plan.covers(each.log)]
    for copy, whole in leftovers(rotated):
        outcome.actions.append(Action(TIDY, PLANNED, f"{whole} has all of it", copy))
    for copy in sorted(copy for log in plan.managed for copy in pending(log.path)):
        reason = "a run that was killed was copying it"
        outcome.actions.append(Action(TIDY, PLANNED, reason, copy))
    if snapshot.program and snapshot.is_ours:
        _show_rotation(snapshot, plan, options, outcome)
    _show_archive(snapshot, plan, options, outcome)


def _show_rotation(
    snapshot: Snapshot, plan: Plan, options: Options, outcome: RotationOutcome
) -> None:
    logrotate = Logrotate(snapshot.program, options.state_file)
    if plan.text != (snapshot.installed or ""):
        outcome.config_after = plan.text
        what = "it is not what is asked for" if snapshot.installed else "it is not there yet"
        what = what if plan.text else "it may rotate none of them"
        outcome.actions.append(Action(CONFIGURE, PLANNED, what, options.config_file))
    if not plan.text or plan.keeps:
        return
    require_accepted(logrotate, plan.text)
    with temporary(plan.text) as config:
        for log in logrotate.due(config, options.force):
            size = os.path.getsize(log) if os.path.exists(log) else None
            status = PLANNED
            reason = "now, as asked for (force)" if options.force else "it is due"
            if plan.cuts(log) and stays(log):
                status, reason = SKIPPED, "it has less than a block, and stays as it is"
            outcome.actions.append(Action(ROTATE, status, reason, log, bytes=size))


def _show_archive(
    snapshot: Snapshot, plan: Plan, options: Options, outcome: RotationOutcome
) -> None:
    if not options.archive_dir:
        return
    require_folder(options.archive_dir)
    for found in expired(archives_in(options.archive_dir), options, snapshot.now):
        reason = f"older than {options.archive_keep} days"
        outcome.actions.append(Action(REMOVE, PLANNED, reason, found.path, bytes=found.size))
    rotated = [each for each in snapshot.rotated if plan.covers(each.log)]
    for each in due_for_archive(rotated, options, snapshot.now):
        outcome.actions.append(
            Action(ARCHIVE, PLANNED, f"to {options.archive_dir}", each.path, bytes=each.size)
        )
