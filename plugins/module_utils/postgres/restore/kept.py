# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""state=reverted and state=cleaned: bring back what was replaced, and drop what is kept."""

from __future__ import annotations

import time
from dataclasses import dataclass

from ...core.check import OK
from ...core.confirmation import require_confirmation
from ...core.deadline import DeadlineExceeded
from ...core.errors import RunbookError
from ...core.operation import Outcome
from ...core.thresholds import Thresholds
from ...core.units import format_value, pluralize
from ..url import Target
from .names import REVERTED, parse_mark
from .plan import (
    Plan,
    drop_reason,
    new_mark,
    plan_cleaning,
    plan_reversal,
)
from .run import Run
from .scratch import drop, sweep
from .server import Control, Database, Snapshot, control
from .swap import Rename, Swapped, swap

CHECK = "backup.restored"


@dataclass
class Reversal:
    """The database that was replaced last comes back."""

    target: Target
    thresholds: Thresholds
    run: Run

    @property
    def database(self) -> str:
        return self.run.options.database or self.target.database

    def show_plan(self) -> Outcome:
        """What would be done; nothing is."""
        with control(self.target, self.run.options.timeout) as session:
            plan, _kept = plan_reversal(session.snapshot(), self.database)
        return Outcome(actions=list(plan.actions))

    def carry_out(self) -> Outcome:
        """Swap back; raises `RunbookError` if that cannot be done, and then nothing has changed."""
        with control(self.target, self.run.options.time_limit) as session:
            session.lock()
            snapshot = session.snapshot()
            _plan, kept = plan_reversal(snapshot, self.database)
            require_confirmation(self.run.options.confirm, "database", self.database)
            sweep(self.run, session, snapshot)
            swapped = self._swap(session, snapshot, kept)
        summary = (
            f"Database '{self.database}' is again what it was before it was replaced; connections "
            f"were held off for {format_value(swapped.held, 'seconds')} and "
            f"{pluralize(swapped.ended, 'session')} ended"
        )
        check = self.thresholds.verdict(CHECK, OK, summary, subject=self.database)
        return Outcome([check], self.run.actions)

    def _swap(self, session: Control, snapshot: Snapshot, kept: Database) -> Swapped:
        live = snapshot.databases.get(self.database)
        mark = parse_mark(kept.properties["comment"])
        renames = [Rename(kept.name, self.database, mark.comment or None if mark else None)]
        reason = f"{kept.name} is brought back"
        if live:
            own = new_mark(REVERTED, snapshot, self.database, live.properties["comment"])
            renames.insert(0, Rename(self.database, own.name, str(own)))
            reason += f"; the other one stays as {own.name}"
        with self.run.step("restore.revert", self.database, reason) as fields:
            with control(self.target, 30) as watcher:
                swapped = swap(session, watcher, renames)
            fields["after"] = {"held_seconds": round(swapped.held, 3), "ended": swapped.ended}
        return swapped


@dataclass
class Cleaning:
    """Databases that were replaced long ago are dropped."""

    target: Target
    thresholds: Thresholds
    run: Run

    def show_plan(self) -> Outcome:
        """What would be dropped; nothing is."""
        with control(self.target, self.run.options.timeout) as session:
            return Outcome(actions=list(self._plan(session.snapshot()).actions))

    def carry_out(self) -> Outcome:
        """Drop them, one by one; the check says what is left."""
        failed: list[str] = []
        with control(self.target, self.run.options.time_limit) as session:
            session.lock()
            snapshot = session.snapshot()
            sweep(self.run, session, snapshot)
            plan = self._plan(snapshot)
            for kept in plan.drop:
                try:
                    drop(self.run, session, kept.name, drop_reason(kept, time.time()))
                except (RunbookError, DeadlineExceeded) as error:  # noqa: PERF203 - each is dropped by itself
                    failed.append(f"{kept.name}: {error}")
        problem = f"Not dropped: {'; '.join(failed)}" if failed else ""
        return Outcome([], self.run.actions, problem)

    def _plan(self, snapshot: Snapshot) -> Plan:
        options = self.run.options
        return plan_cleaning(snapshot, options.database, options, time.time())
