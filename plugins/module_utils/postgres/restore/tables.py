# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tables of a backup beside the live ones, as <table>_restored_<time>.

The backup is restored into a database of its own. The tables are copied there without keys,
defaults and triggers, so that nothing in the live database conflicts with them, and sent over.
"""

from __future__ import annotations

from dataclasses import dataclass

from ...core.check import OK
from ...core.errors import Refused, UsageError
from ...core.operation import Outcome
from ...core.thresholds import Thresholds
from ...core.units import pluralize
from ..backup.archive import Reader
from ..backup.manifest import Manifest, Table
from ..backup.repository import Backup
from ..programs import login
from ..url import Target
from .choice import backup_to_restore
from .load import judge, run_programs
from .names import LONGEST, VERIFY, identifier
from .plan import new_mark, planned
from .run import Run
from .scratch import Scratch, programs_for, sweep
from .server import APPLICATION, Control, Snapshot, control, session_in

CHECK = "backup.restored"


@dataclass
class TableRestore:
    """Some tables of a backup are restored beside the live ones."""

    target: Target
    thresholds: Thresholds
    run: Run

    @property
    def database(self) -> str:
        return self.run.options.database or self.target.database

    def show_plan(self) -> Outcome:
        """What would be done; nothing is."""
        backup, manifest = self._backup()
        actions = [
            planned(
                "restore.table",
                f"{table.schema}.{table.name}_restored_<time>",
                f"{pluralize(table.rows, 'row')} from {backup.name}",
            )
            for table in self._tables(manifest)
        ]
        return Outcome(actions=actions)

    def carry_out(self) -> Outcome:
        """Restore them; raises `RunbookError` if it could not be done."""
        backup, manifest = self._backup()
        tables = self._tables(manifest)
        options = self.run.options
        with control(self.target, options.time_limit) as session:
            session.lock()
            snapshot = session.snapshot()
            sweep(self.run, session, snapshot)
            programs = programs_for(manifest, snapshot.server, options.bin_dir)
            reader = Reader(programs, options.age_identity, options.age_program)
            made = self._restore(session, snapshot, backup, manifest, reader, tables)
        summary = (
            f"{pluralize(len(made), 'table')} of {backup.name} beside the live ones of database "
            f"'{self.database}': {', '.join(made)}"
        )
        check = self.thresholds.verdict(CHECK, OK, summary, subject=self.database)
        return Outcome([check], self.run.actions)

    def _backup(self) -> tuple[Backup, Manifest]:
        backup = backup_to_restore(self.run.options, self.database)
        if backup.manifest is None:
            raise Refused(f"{backup.path} cannot be used: {backup.problem}")
        return backup, backup.manifest

    def _tables(self, manifest: Manifest) -> list[Table]:
        """The tables that were asked for; raises `UsageError` for one that is not in the backup."""
        found: list[Table] = []
        for wanted in self.run.options.tables:
            matching = [
                table
                for table in manifest.tables
                if wanted in (table.name, f"{table.schema}.{table.name}")
            ]
            if len(matching) != 1:
                what = "several tables" if matching else "no table"
                raise UsageError(f"tables: the backup has {what} {wanted!r}; write schema.name")
            found += matching
        return found

    def _restore(
        self,
        session: Control,
        snapshot: Snapshot,
        backup: Backup,
        manifest: Manifest,
        reader: Reader,
        tables: list[Table],
    ) -> list[str]:
        mark = new_mark(VERIFY, snapshot, self.database)
        scratch = Scratch(self.run, session, self.target, mark, backup, manifest, reader)
        try:
            scratch.create(snapshot)
            scratch.load()
            scratch.compare()
            return [self._send(scratch, table, mark.time) for table in tables]
        finally:
            scratch.drop("it has served its purpose")

    def _send(self, scratch: Scratch, table: Table, time: str) -> str:
        """Copy one table and send the copy to the live database; returns its name there."""
        end = f"_restored_{time}"
        short = table.name.encode()[: LONGEST - len(end)].decode(errors="ignore")
        schema = identifier(table.schema)
        copy = f"{schema}.{identifier(short + end)}"
        reason = f"{pluralize(table.rows, 'row')} from {scratch.backup.name}"
        with self.run.step("restore.table", copy, reason) as fields:
            with session_in(self.target, scratch.name, self.run.left) as session:
                source = f"{schema}.{identifier(table.name)}"
                only = "ONLY " if table.kind == "r" else ""
                session.ask(copy, f"CREATE TABLE {copy} AS SELECT * FROM {only}{source}")  # noqa: S608
            with session_in(self.target, self.database, self.run.left) as live:
                try:
                    self._pipe(scratch, copy)
                    rows = live.ask(copy, f"SELECT count(*) FROM {copy}")[0][0]  # noqa: S608
                    if rows != table.rows:
                        raise Refused(f"{copy} has {pluralize(rows, 'row')}, not {table.rows:,}")
                except BaseException:
                    live.ask(copy, f"DROP TABLE IF EXISTS {copy}")
                    raise
            fields["after"] = {"rows": rows}
        return copy

    def _pipe(self, scratch: Scratch, copy: str) -> None:
        """Dump the copy, and load it into the live database."""
        programs = scratch.reader.programs
        # pg_dump takes its options to be in the encoding of the database, unless it is told one.
        encoding = [] if copy.isascii() else ["--encoding=UTF8"]
        with login(self.target) as own:
            dump = own.command(
                programs.path("pg_dump"),
                *("--format=custom", "--compress=0", f"--table={copy}", *encoding),
                database=scratch.name,
                application=APPLICATION,
            )
            load = own.command(
                programs.path("pg_restore"),
                "--no-owner",
                database=self.database,
                application=APPLICATION,
            )
            ended = run_programs([dump, load], self.run.watch("restore.table", copy))
            judge(ended, own, self.database)
