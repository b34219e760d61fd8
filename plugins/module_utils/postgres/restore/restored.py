# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""state=restored: a new database from a backup, verified before it takes the place of the old."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from ...core.check import CRITICAL, OK, WARNING, Action
from ...core.confirmation import require_confirmation
from ...core.deadline import DeadlineExceeded
from ...core.errors import Refused, RunbookError, Unreachable
from ...core.operation import Outcome
from ...core.thresholds import Thresholds
from ...core.units import format_value, pluralize
from ..backup.archive import Reader
from ..backup.manifest import Manifest
from ..backup.proof import prove
from ..backup.repository import Backup
from ..url import Target
from .choice import backup_to_restore
from .compare import Comparison
from .failures import Failure
from .names import BEFORE, RESTORE, Mark
from .plain import PlainDump
from .plan import Plan, carried, new_mark, plan_restore
from .queries import OID_OF
from .run import Run
from .scratch import Scratch, programs_for, sweep
from .server import Control, Snapshot, control, session_in
from .swap import Rename, Swapped, swap

CHECK = "backup.restored"
CREATE, SWAP = "restore.create", "restore.swap"
#: Makes a fresh backup of a database, and returns its actions; raises `RunbookError`.
BackUp = Callable[[str], list[Action]]


@dataclass
class Restore:
    """One database is replaced by a backup, or made from it."""

    target: Target
    thresholds: Thresholds
    run: Run
    back_up: BackUp
    notes: list[str] = field(default_factory=list)

    @property
    def database(self) -> str:
        return self.run.options.database or self.target.database

    def show_plan(self) -> Outcome:
        """What would be done; nothing is."""
        with control(self.target, self.run.options.timeout) as session:
            plan, _backup, _manifest = self._plan(session.snapshot())
        return Outcome(actions=list(plan.actions))

    def carry_out(self) -> Outcome:
        """Restore, verify and swap; raises `RunbookError` if nothing was begun."""
        run = self.run
        with control(self.target, run.options.time_limit) as session:
            session.lock()
            snapshot = session.snapshot()
            plan, backup, manifest = self._plan(snapshot)
            if self.database in snapshot.databases:
                require_confirmation(run.options.confirm, "database", self.database)
            run.total = len(plan.actions)
            try:
                sweep(run, session, snapshot)
                checks = [self._restore(session, snapshot, plan, backup, manifest)]
            except (RunbookError, DeadlineExceeded) as error:
                return self._failed(error)
        return Outcome(checks, run.actions)

    def _plan(self, snapshot: Snapshot) -> tuple[Plan, Backup, Manifest]:
        backup = backup_to_restore(self.run.options, self.database)
        if backup.manifest is None:
            raise Refused(f"{backup.path} cannot be used: {backup.problem}")
        plan = plan_restore(snapshot, self.database, backup, backup.manifest, self.run.options)
        return plan, backup, backup.manifest

    def _restore(
        self,
        session: Control,
        snapshot: Snapshot,
        plan: Plan,
        backup: Backup,
        manifest: Manifest,
    ) -> Any:
        reader = self._reader(snapshot, backup, manifest)
        if self.database in snapshot.databases and self.run.options.safety_backup:
            self.run.actions += self.back_up(self.database)
        mark = new_mark(RESTORE, snapshot, self.database)
        scratch = Scratch(self.run, session, self.target, mark, backup, manifest, reader)
        try:
            scratch.create(snapshot)
            lacking = scratch.load()
            compared = scratch.compare(analyze=True)
            swapped = self._swap(session, snapshot, mark, manifest)
        except BaseException:
            scratch.drop("the restore failed")
            raise
        return self._verdict(plan, backup, lacking, compared, swapped)

    def _reader(self, snapshot: Snapshot, backup: Backup, manifest: Manifest) -> Reader:
        """What the backup is read with, once it is known to be complete."""
        options = self.run.options
        programs = programs_for(manifest, snapshot.server, options.bin_dir)
        reader = Reader(programs, options.age_identity, options.age_program)
        if isinstance(backup, PlainDump):  # it was read to its end
            return reader
        reason = "all files, with their checksums"
        with self.run.step("backup.verify", str(backup.name), reason):
            watch = self.run.watch("backup.verify", str(backup.name))
            proof = prove(backup.path, manifest, 2, reader, watch)
            if proof.problem:
                raise Refused(f"The backup is damaged: {proof.problem}", "Restore another one.")
        return reader

    def _swap(
        self, session: Control, snapshot: Snapshot, mark: Mark, manifest: Manifest
    ) -> Swapped:
        """Put the new database in the place of the old one, with its properties and comment."""
        live = snapshot.databases.get(self.database)
        properties = live.properties if live else manifest.properties
        more, left_out = carried(snapshot.server, self.database, properties)
        self.notes += [f"{what}: its role does not exist" for what in left_out]
        comment = properties.get("comment")
        renames = [Rename(mark.name, self.database, comment)]
        reason = "made from the backup"
        if live:
            kept = Mark(BEFORE, mark.time, self.database, comment or "")
            renames.insert(0, Rename(self.database, kept.name, str(kept)))
            reason = f"the old one stays as {kept.name}"
        with self.run.step(SWAP, self.database, reason) as fields:
            with control(self.target, 30) as watcher:
                swapped = swap(session, watcher, renames, more)
            fields["after"] = {"held_seconds": round(swapped.held, 3), "ended": swapped.ended}
        self._answers()
        return swapped

    def _answers(self) -> None:
        """The restored database accepts connections; a note if it does not."""
        try:
            with session_in(self.target, self.database, self.run.options.timeout) as session:
                session.ask("the database", OID_OF, {"name": self.database})
        except (Unreachable, Refused, DeadlineExceeded) as error:
            self.notes.append(f"it does not accept this login: {error}")

    def _verdict(
        self,
        plan: Plan,
        backup: Backup,
        lacking: list[Failure],
        compared: Comparison,
        swapped: Swapped,
    ) -> Any:
        missing = [*(each.shown for each in lacking), *self.notes]
        missing += [f"{what} belongs to the old database" for what in plan.lost]
        seconds = time.monotonic() - self.run.started
        summary = (
            f"Database '{self.database}' is that of {backup.name}, with "
            f"{pluralize(compared.rows, 'row')}, in {format_value(seconds, 'seconds')}; "
            f"connections were held off for {format_value(swapped.held, 'seconds')} "
            f"and {pluralize(swapped.ended, 'session')} ended"
        )
        remedy = ""
        if missing:
            summary += f"; not carried over: {pluralize(len(missing), 'item')}"
            remedy = "Give the database by hand what the evidence names."
        evidence = [{"missing": text} for text in missing]
        evidence += [{"note": text} for text in compared.notes]
        return self.thresholds.verdict(
            CHECK,
            WARNING if missing else OK,
            summary,
            subject=self.database,
            remedy=remedy,
            evidence=evidence,
        )

    def _failed(self, error: BaseException) -> Outcome:
        text = str(error) or "PostgreSQL did not answer in time"
        remedy = getattr(error, "remedy", "")
        state = self._state()
        summary = f"Database '{self.database}' was not restored: {text}. {state}"
        check = self.thresholds.verdict(
            CHECK, CRITICAL, summary, subject=self.database, remedy=remedy
        )
        return Outcome([check], self.run.actions, f"{summary}. {check.remedy}")

    def _state(self) -> str:
        """What the database is now, asked of the server if a swap was begun."""
        if not any(action.name == SWAP for action in self.run.actions):
            return "The live database was not touched"
        with suppress(RunbookError, DeadlineExceeded):
            with control(self.target, self.run.options.timeout) as session:
                swapped = session.snapshot().marked(BEFORE)
            times = [action.subject for action in self.run.actions if action.name == CREATE]
            done = any(one.mark and times and one.mark.time in times[-1] for one in swapped)
            return "It was swapped all the same" if done else "The live database is as it was"
        return "Whether it was swapped is unknown, as the server does not answer"
