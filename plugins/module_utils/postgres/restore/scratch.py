# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A new database from a backup: created, loaded, compared, checked, and dropped again."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass, replace
from typing import Any

from ...core.deadline import DeadlineExceeded
from ...core.errors import NotCollected, Refused, RunbookError
from ...core.files import free_bytes
from ...core.text import redact, shorten
from ...core.units import pluralize
from ..backup.archive import Reader, main_line
from ..backup.contents import Contents
from ..backup.contents import Snapshot as Counting
from ..backup.manifest import Manifest
from ..backup.repository import Backup
from ..data_directory import is_this_server
from ..programs import Programs, find_programs, login
from ..url import Target
from .compare import Comparison, compare
from .failures import Failure
from .load import LoadFailed, Source, load, run_programs
from .names import Mark, identifier, literal
from .plain import PlainDump, load_plain
from .properties import creation, opening
from .queries import INVALID_INDEXES
from .run import Run
from .server import APPLICATION, Control, Snapshot, in_database, session_in

#: Free space that a restore needs, as a multiple of the size of the database that was backed up.
_DISK_MARGIN = 1.1
#: Most bytes of memory for building an index, and for all those that are built at the same time.
_INDEX_MEMORY, _INDEX_MEMORY_OF_ALL = 256 << 20, 1 << 30
#: pg_amcheck's exit code if it has found something.
_CORRUPT = 2


@dataclass(frozen=True)
class Scratch:
    """A database that is made from a backup, and no one uses yet."""

    run: Run
    session: Control
    target: Target
    mark: Mark
    backup: Backup
    manifest: Manifest
    reader: Reader

    @property
    def name(self) -> str:
        return self.mark.name

    def create(self, snapshot: Snapshot) -> None:
        """Create it with the encoding and collation that it had."""
        version = snapshot.server["version"]
        # A plain dump does not say what it needs.
        like = snapshot.databases.get(self.mark.database, snapshot.databases["template1"])
        properties = self.manifest.properties or like.properties
        with self.run.step("restore.create", self.name, f"for {self.backup.name}"):
            require_room(snapshot, self.manifest)
            self.session.execute("a new database", creation(self.name, properties, version))
            comment = f"COMMENT ON DATABASE {identifier(self.name)} IS {literal(str(self.mark))}"
            self.session.execute("a new database", comment)
            self.session.execute("a new database", opening(self.name))

    def load(self) -> list[Failure]:
        """Load the backup; returns what it lacks, such as owners."""
        source = Source(self.backup.path, self.backup.name, self.reader)
        reason = f"from {self.backup.path}"
        with self.run.step("restore.load", self.name, reason) as fields, login(self.target) as own:
            watch = self.run.watch("restore.load", self.name, self._share)
            lacking: list[Failure] = []
            if isinstance(self.backup, PlainDump):
                load_plain(
                    self.backup, self.reader.programs, own, self.name, self.session.version, watch
                )
            else:
                jobs = self.run.options.jobs
                lacking = load(source, own, self.name, jobs, watch, self._settings(jobs))
            fields["bytes"] = self._size()
            if lacking:
                what = pluralize(len(lacking), "owner or grant", "owners and grants")
                fields["after"] = [each.shown for each in lacking[:20]]
                fields["reason"] = f"{reason}, without {what}"
        return lacking

    def _settings(self, jobs: int) -> dict[str, str]:
        """Memory for the indexes that are built, if the server gives them less by itself."""
        name = "maintenance_work_mem"
        size = f"SELECT pg_size_bytes(current_setting('{name}'))"
        ((own,),) = self.session.ask("its settings", size)
        wanted = min(_INDEX_MEMORY, _INDEX_MEMORY_OF_ALL // jobs)
        return {name: f"{wanted >> 10}kB"} if wanted > own else {}

    def compare(self, analyze: bool = False) -> Comparison:
        """Compare it with the manifest; raises `LoadFailed` if anything differs.

        With ``analyze`` it also gets statistics, at the same time.
        """
        tables = pluralize(len(self.manifest.tables), "table")
        with self.run.step("restore.compare", self.name, f"{tables} with the manifest") as fields:
            contents = self._contents(analyze)
            with session_in(self.target, self.name, self.run.left) as session:
                invalid = [name for (name,) in session.ask("the indexes", INVALID_INDEXES)]
            if isinstance(self.backup, PlainDump):  # it holds no count of them
                contents = replace(contents, large_objects=0)
            found = compare(contents, self.manifest, invalid)
            if found.differences:
                raise LoadFailed(f"It differs from what was backed up: {found.problem}")
            fields["after"] = {"rows": found.rows, "notes": list(found.notes)}
        return found

    def _contents(self, analyze: bool) -> Contents:
        """What it holds; no one else uses it yet, so several processes may count."""
        workers = self.run.options.jobs if self.run.options.jobs > 1 else 0
        here = in_database(self.target, self.name)
        with closing(Counting(here, self.run.left, 60, workers)) as counting:
            counting.open()
            counting.start_counting()
            if analyze:
                self._analyze(counting.step)
            while counting.counting:
                self.run.require_time()
                counting.wait()
            return counting.contents()

    def check_indexes(self) -> None:
        """Check that every index holds every row; raises `LoadFailed` if one does not.

        Raises `NotCollected` if that cannot be checked.
        """
        program = self.reader.programs.path("pg_amcheck")
        arguments = ["--heapallindexed", f"--jobs={self.run.options.jobs}", "--install-missing"]
        with self.run.step("restore.check", self.name, "every index holds every row"):
            with login(self.target) as own, os.fdopen(os.memfd_create("found"), "w+b") as found:
                command = own.command(program, database=self.name, application=APPLICATION)
                # Unlike the other programs it has no option for the connection.
                connection = command.argv[1].partition("=")[2]
                command = replace(command, argv=[program, *arguments, connection])
                watch = self.run.watch("restore.check", self.name)
                ended = run_programs([command], watch, found.fileno())[0]
                found.seek(0)
                said = found.read(4096).decode(errors="replace").strip()
            if ended.code == _CORRUPT and said:
                raise LoadFailed(shorten(f"pg_amcheck: {said}", 300))
            if ended.failed:
                text = redact(main_line(ended.errors) or ended.how, self.target.secrets)
                raise NotCollected(shorten(f"pg_amcheck: {text}", 300))

    def _analyze(self, meanwhile: Callable[[], None]) -> None:
        """Give it statistics, without which the first queries would be slow."""
        program = self.reader.programs.path("vacuumdb")
        arguments = ["--analyze-only", "--quiet", f"--jobs={self.run.options.jobs}"]
        with self.run.step("restore.analyze", self.name, "statistics for all tables"):
            with login(self.target) as own:
                command = own.command(
                    program, *arguments, database=self.name, application=APPLICATION
                )
                watch = self.run.watch("restore.analyze", self.name)

                def look() -> None:
                    watch()
                    meanwhile()

                ended = run_programs([command], look)[0]
            if ended.failed:
                text = redact(main_line(ended.errors) or ended.how, self.target.secrets)
                raise Refused(shorten(f"vacuumdb: {text}", 300))

    def drop(self, reason: str) -> None:
        """Drop it; what cannot be dropped is left to the next run."""
        with suppress(RunbookError, DeadlineExceeded):
            drop(self.run, self.session, self.name, reason)

    def _size(self) -> int | None:
        rows = self.session.ask(
            "its size", "SELECT pg_database_size(%(name)s)", {"name": self.name}
        )
        return int(rows[0][0])

    def _share(self) -> float | None:
        expected = self.manifest.database_bytes
        return min(1.0, (self._size() or 0) / expected) if expected else None


def drop(run: Run, session: Control, name: str, reason: str) -> None:
    """Drop a database of ours, with the sessions in it; raises like `Worker.ask`."""
    with run.step("restore.drop", name, reason):
        session.execute(
            f"dropping {name}", f"DROP DATABASE IF EXISTS {identifier(name)} WITH (FORCE)"
        )


def sweep(run: Run, session: Control, snapshot: Snapshot) -> None:
    """Drop what killed runs have left; the lock is held, so no run is working on it."""
    for database in snapshot.leftovers():
        drop(run, session, database.name, "left by a run that was interrupted")


def programs_for(manifest: Manifest, server: Mapping[str, Any], bin_dir: str) -> Programs:
    """Programs that are not older than the server, nor than those that wrote the backup."""
    wrote = int(manifest.client_version.partition(".")[0]) * 10000
    return find_programs(max(wrote, server.get("version", 0)), bin_dir or None)


def newest_programs(backups: Sequence[Backup], bin_dir: str) -> Programs:
    """Programs for a server on which every one of the backups can be restored."""
    wrote = [
        int(each.manifest.client_version.partition(".")[0]) for each in backups if each.manifest
    ]
    return find_programs(max(wrote, default=0) * 10000, bin_dir or None)


def create_roles(session: Control, manifest: Manifest, entries: Sequence[str]) -> None:
    """Create the roles of a backup, without any right, on a server that is thrown away.

    Its manifest lacks the role that created the server which was backed up. ``entries`` are those
    of its table of contents, at whose ends stand the owners; what is none there does no harm.
    """
    known = {name for (name,) in session.ask("its roles", "SELECT rolname FROM pg_roles")}
    owners = {entry.rpartition(" ")[2] for entry in entries if not entry.endswith(" ")}
    for role in sorted({*manifest.roles, *(owner for owner in owners if owner.isascii())} - known):
        if not role.startswith(("pg_", "-")):
            session.execute("its roles", f"CREATE ROLE {identifier(role)}")


def require_room(snapshot: Snapshot, manifest: Manifest) -> None:
    """Raise `NotCollected` if the server's disk has no room, as far as this process sees it."""
    free = free_on_server(snapshot.server)
    wanted = int(manifest.database_bytes * _DISK_MARGIN)
    if free is not None and free < wanted:
        raise NotCollected(
            f"The server's disk has {free:,} bytes free, and the database needs {wanted:,}",
            "Free space there, or restore on another server.",
        )


def free_on_server(server: Mapping[str, Any]) -> int | None:
    """Free bytes where the data directory is; none unless it is on this host and readable."""
    directory = server.get("data_directory")
    if not directory:
        return None
    try:
        return free_bytes(directory) if is_this_server(directory, server["started"]) else None
    except (OSError, ValueError, IndexError):
        return None
