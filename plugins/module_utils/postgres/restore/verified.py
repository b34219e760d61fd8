# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""state=verified: prove backups, up to restoring them into a database of their own."""

from __future__ import annotations

import os
import time
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from typing import Any

from ...core.check import CRITICAL, OK, PLANNED, UNKNOWN, Action, Check
from ...core.errors import NotCollected, Refused, Unreachable
from ...core.lock import exclusive_lock
from ...core.operation import Outcome
from ...core.thresholds import Thresholds
from ...core.units import format_duration, format_value, pluralize
from ..backup.archive import Reader, listing
from ..backup.manifest import LEVELS, Manifest, Proof, read_manifest, write_manifest
from ..backup.naming import SQL
from ..backup.proof import prove
from ..backup.repository import LOCK, Backup
from ..backup.toc import read_toc
from ..programs import Programs
from ..url import Target
from .choice import backups_to_verify
from .compare import rows_of
from .load import LoadFailed
from .names import VERIFY, Mark, format_time
from .plain import PlainDump
from .plan import require_extensions
from .run import Run, StepFailed
from .scratch import Scratch, create_roles, newest_programs, programs_for, sweep
from .server import Control, Snapshot, control
from .temporary import leftovers, remove, temporary_server

CHECK = "backup.restorable"
INTERRUPTED = "left by a run that was interrupted"
#: The highest level that needs no server.
WITHOUT_SERVER = 3


@dataclass
class Verification:
    """Verifies backups, one after the other."""

    target: Target
    thresholds: Thresholds
    run: Run
    checks: list[Check] = field(default_factory=list)
    session: Control | None = None
    snapshot: Snapshot | None = None

    def show_plan(self) -> Outcome:
        """What would be verified; nothing is."""
        level = self.run.options.level
        actions = [
            Action("backup.verify", PLANNED, f"to level {_level(backup, level)}", _subject(backup))
            for backup in backups_to_verify(self.run.options)
        ]
        if level > WITHOUT_SERVER:
            left = self._leftovers()
            actions[:0] = [Action("restore.drop", PLANNED, INTERRUPTED, name) for name in left]
        return Outcome(actions=actions)

    def _leftovers(self) -> list[str]:
        """What runs that were killed have left: databases, or folders of temporary servers."""
        options = self.run.options
        if options.temporary_server:
            return leftovers(options.server_dir)
        with control(self.target, options.timeout) as session:
            return [one.name for one in session.snapshot().leftovers()]

    def carry_out(self) -> Outcome:
        """Verify everything; raises `RunbookError` if not even one could be begun."""
        backups = backups_to_verify(self.run.options)
        self.run.total = 6 * len(backups)
        with ExitStack() as stack:
            if self.run.options.level > WITHOUT_SERVER:
                self._open(stack, backups)
            for backup in backups:
                self.checks.append(self._verify(backup))
        bad = [check for check in self.checks if check.status == CRITICAL]
        problem = "; ".join(check.summary for check in bad)
        return Outcome(self.checks, self.run.actions, problem)

    def _open(self, stack: ExitStack, backups: list[Backup]) -> None:
        """The server to restore on; what killed runs have left there is dropped."""
        options = self.run.options
        if options.temporary_server:
            for home in leftovers(options.server_dir):
                with self.run.step("restore.drop", home, INTERRUPTED):
                    remove(home)
            programs = newest_programs(backups, options.bin_dir)
            folder, reason = options.server_dir, f"PostgreSQL {programs.version}, for the proof"
            with self.run.step("restore.server", folder, reason):
                watch = self.run.watch("restore.server", folder)
                self.target = stack.enter_context(temporary_server(programs, folder, watch))
        self.session = stack.enter_context(control(self.target, options.time_limit))
        self.session.lock()
        self.snapshot = self.session.snapshot()
        if self.snapshot.server["standby"]:
            raise NotCollected(
                "The server is a standby, where nothing can be restored",
                "Give another server as verify_url, or set temporary_server.",
            )
        sweep(self.run, self.session, self.snapshot)

    def _verify(self, backup: Backup) -> Check:
        """Verify one backup, and write the proof into its manifest."""
        database = _database(backup)
        if backup.manifest is None:
            summary = f"{backup.path} cannot be used: {backup.problem}"
            return self.thresholds.verdict(CHECK, CRITICAL, summary, subject=database)
        try:
            proof = self._prove(backup, backup.manifest)
            with self.run.step("backup.verify", _subject(backup), LEVELS[proof.level]) as fields:
                fields["after"] = {"level": proof.level, "seconds": proof.seconds}
                if not isinstance(backup, PlainDump):
                    self._record(backup, proof)
        except (LoadFailed, NotCollected, StepFailed, Unreachable, Refused) as error:
            summary = f"Whether {_subject(backup)} can be restored is unknown: {error}"
            return self.thresholds.verdict(
                CHECK, UNKNOWN, summary, subject=database, remedy=error.remedy
            )
        return self._verdict(backup, backup.manifest, proof)

    def _prove(self, backup: Backup, manifest: Manifest) -> Proof:
        options = self.run.options
        server = self.snapshot.server if self.snapshot else {}
        reader = Reader(
            programs_for(manifest, server, options.bin_dir),
            options.age_identity,
            options.age_program,
            options.jobs,
        )
        wanted = min(_level(backup, options.level), self._highest(reader.programs))
        watch = self.run.watch("backup.verify", _subject(backup))
        if isinstance(backup, PlainDump):  # it was read to its end
            if wanted <= WITHOUT_SERVER:
                return Proof(wanted, time.time(), 0.0, wanted)
            return self._restore(backup, manifest, reader, wanted)
        proof = prove(backup.path, manifest, min(wanted, WITHOUT_SERVER), reader, watch)
        if proof.problem or wanted <= WITHOUT_SERVER:
            return replace(proof, wanted=wanted)
        return self._restore(backup, manifest, reader, wanted)

    def _highest(self, programs: Programs) -> int:
        """The highest level that can be reached on the server."""
        server = self.snapshot.server if self.snapshot else {}
        has_amcheck = server.get("superuser") and "amcheck" in (server.get("extensions") or ())
        has_program = os.access(programs.path("pg_amcheck"), os.X_OK)
        return 6 if has_amcheck and has_program else 5

    def _restore(self, backup: Backup, manifest: Manifest, reader: Reader, wanted: int) -> Proof:
        """Levels 4 to 6, in a database of their own, which is dropped again."""
        if self.session is None or self.snapshot is None:
            raise NotCollected("there is no server to restore it to")
        require_extensions(self.snapshot.server, manifest)
        if self.run.options.temporary_server and not isinstance(backup, PlainDump):
            watch = self.run.watch("restore.load", _subject(backup))
            toc = read_toc(listing(backup.path, backup.name, reader, watch))
            create_roles(self.session, manifest, toc.entries)
        mark = Mark(VERIFY, format_time(time.time()), manifest.database)
        scratch = Scratch(self.run, self.session, self.target, mark, backup, manifest, reader)
        reached, problem, started = WITHOUT_SERVER, "", time.monotonic()
        seconds = 0.0
        try:
            scratch.create(self.snapshot)
            scratch.load()
            reached, seconds = 4, time.monotonic() - started
            if wanted >= 5:
                scratch.compare()
                reached = 5
            if wanted >= 6:
                scratch.check_indexes()
                reached = 6
        except LoadFailed as error:
            problem = str(error)
        finally:
            scratch.drop("it has served its purpose")
        seconds = round(seconds or time.monotonic() - started, 3)
        return Proof(reached, time.time(), seconds, wanted, self._where(), problem)

    def _where(self) -> str:
        if self.run.options.temporary_server:
            return "a temporary server"
        return self.target.address

    def _record(self, backup: Backup, proof: Proof) -> None:
        """Add the proof to the manifest as it is now, if the backup still exists."""
        try:
            with exclusive_lock(f"{_root(backup)}/{LOCK}", f"the backups in {_root(backup)}"):
                manifest = read_manifest(backup.manifest_path)
                write_manifest(backup.manifest_path, manifest.with_proof(proof))
        except OSError as error:
            raise NotCollected(
                f"its manifest cannot be written: {error.strerror}",
                "Run this as the user who owns the backups.",
            ) from None

    def _verdict(self, backup: Backup, manifest: Manifest, proof: Proof) -> Check:
        database = _database(backup)
        if proof.problem:
            summary = f"{_subject(backup)} is not good: {proof.problem}"
            return self.thresholds.verdict(
                CHECK, CRITICAL, summary, subject=database, evidence=[_evidence(proof)]
            )
        meaning = LEVELS[proof.level]
        summary = f"{_subject(backup)} is {meaning} (level {proof.level})"
        if proof.level > WITHOUT_SERVER:
            rows = rows_of(manifest)
            summary += (
                f": {pluralize(len(manifest.tables), 'table')}, {pluralize(rows, 'row')}, "
                f"{format_value(manifest.database_bytes, 'bytes')} in "
                f"{format_duration(proof.seconds)}"
            )
        if proof.level < _level(backup, self.run.options.level):
            summary += (
                "; level 6 needs a superuser's login, the extension amcheck and pg_amcheck "
                "beside pg_restore"
            )
        return self.thresholds.verdict(
            CHECK, OK, summary, subject=database, evidence=[_evidence(proof)]
        )


def _evidence(proof: Proof) -> dict[str, Any]:
    return {
        "level": proof.level,
        "wanted": proof.wanted,
        "seconds": proof.seconds,
        "where": proof.where,
    }


def _level(backup: Backup, wanted: int) -> int:
    """Roles and other globals are never restored for a proof: they belong to the whole server."""
    is_globals = backup.name.form == SQL and not isinstance(backup, PlainDump)
    return min(wanted, WITHOUT_SERVER) if is_globals else wanted


def _database(backup: Backup) -> str:
    return backup.manifest.database if backup.manifest else ""


def _root(backup: Backup) -> str:
    return backup.folder.rpartition("/")[0]


def _subject(backup: Backup) -> str:
    if isinstance(backup, PlainDump):
        return backup.file
    return f"{backup.folder.rpartition('/')[2]}/{backup.name}"
