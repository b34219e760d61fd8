# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The operation behind pg_restore: one of its states, planned or carried out."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from ...core.check import CRITICAL
from ...core.confirmation import require_match
from ...core.errors import NotCollected, Refused, RunbookError, Unreachable, UsageError
from ...core.lock import Locked
from ...core.operation import Outcome
from ...core.thresholds import Thresholds
from ..url import Target
from ..verdicts import unreachable
from .kept import Cleaning, Reversal
from .options import CLEANED, RESTORED, REVERTED, VERIFIED, Options
from .restored import BackUp, Restore
from .run import Run
from .tables import TableRestore
from .verified import Verification


class _State(Protocol):
    def show_plan(self) -> Outcome: ...
    def carry_out(self) -> Outcome: ...


def restore(
    target: Target,
    run: Run,
    thresholds: Thresholds,
    back_up: BackUp,
    check_mode: bool,
) -> Outcome:
    """Reach the state, or show what that takes; raises `UsageError`."""
    states: dict[str, Callable[[], _State]] = {
        VERIFIED: lambda: Verification(target, thresholds, run),
        RESTORED: lambda: Restore(target, thresholds, run, back_up),
        REVERTED: lambda: Reversal(target, thresholds, run),
        CLEANED: lambda: Cleaning(target, thresholds, run),
    }
    options = run.options
    if options.state != VERIFIED:
        require_match(options.confirm, "database", options.database or target.database)
    state = states[options.state]()
    if options.tables:
        state = TableRestore(target, thresholds, run)
    try:
        return state.show_plan() if check_mode else state.carry_out()
    except UsageError:
        raise
    except Unreachable as error:
        problem = f"Nothing was changed: {error}. {error.remedy}"
        return Outcome([unreachable(error, thresholds)], run.actions, problem)
    except (NotCollected, Refused, Locked) as error:
        return _declined(error, run, thresholds)


def _declined(error: RunbookError, run: Run, thresholds: Thresholds) -> Outcome:
    options: Options = run.options
    name = "backup.restorable" if options.state == VERIFIED else "backup.restored"
    check = thresholds.verdict(
        name, CRITICAL, str(error), subject=options.database, remedy=error.remedy
    )
    problem = f"Nothing was changed: {error}. {error.remedy}".strip()
    return Outcome([check], run.actions, problem)
