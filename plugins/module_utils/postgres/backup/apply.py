# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Carries out one backup: dump and counts in one snapshot, proof, manifest, final name."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, replace
from functools import partial
from typing import IO

from ...core.check import DONE, Action
from ...core.errors import NotCollected, RunbookError
from ...core.files import sync_tree
from ...core.processes import Command
from ...core.units import format_value, pluralize
from ..programs import Login, Programs
from ..url import Target
from .archive import PipelineFailed, Reader, listing, run
from .checksums import checksum_files
from .collect import Database, Server, of_database
from .commit import commit, discard, partial_manifest
from .compression import Compression
from .contents import LOCKED, Contents, Snapshot, TableLocked
from .dump import LOCK_CONFLICTS, dump_database, dump_globals
from .manifest import VERIFIED, Manifest, Proof
from .naming import CUSTOM, DIRECTORY, SQL, Name, format_time
from .options import Options
from .proof import COMPLETE, prove
from .repository import folder_path, list_backups
from .space import expected_bytes, require_space, watch_space
from .toc import decoded, read_toc
from .verify import DUMP

GLOBALS = "globals"
#: Attempts at a database while other sessions lock its tables, and the seconds between two.
ATTEMPTS, PAUSE = 3, 2.0
#: Says how much of a phase is done.
Share = Callable[[], "float | None"]
#: Called with the phase of a backup, and its share if that is known; raises once the time limit of
#: the run has passed.
Progress = Callable[[str, "Share | None"], None]


class Bad(RunbookError):
    """The backup was written, but is not good."""


@dataclass(frozen=True)
class Job:
    """What all backups of one run share."""

    target: Target
    options: Options
    server: Server
    programs: Programs
    compression: Compression
    login: Login
    run: str
    """Identifies the run in partial names."""

    @property
    def reader(self) -> Reader:
        options = self.options
        return Reader(self.programs, options.age_identity, options.age_program, options.processes)

    @property
    def encrypted(self) -> bool:
        return bool(self.options.age_recipients)

    @property
    def blind(self) -> bool:
        """Whether what is written cannot be read here: it is proven while it is written."""
        return self.encrypted and not self.options.age_identity


@dataclass(frozen=True)
class _Written:
    """What is known once the data is on disk."""

    started: float
    contents: Contents | None
    toc: str
    """The list of the archive, where it was made while writing."""


def back_up_database(job: Job, database: Database, progress: Progress) -> tuple[Action, Manifest]:
    """Back up one database; raises a `RunbookError`, and then leaves nothing behind."""
    backups = list_backups(job.options.backup_dir, database.name)
    expected = expected_bytes(database.bytes, backups.backups)
    form = CUSTOM if job.options.stream else DIRECTORY
    name, folder = _prepare(job, database.name, form, expected)

    def write(path: str) -> _Written:
        return _dump_retrying(job, database, path, expected, progress)

    return _take(job, database.name, name, folder, write, progress)


def _dump_retrying(
    job: Job, database: Database, path: str, expected: int, progress: Progress
) -> _Written:
    """Dump it, up to `ATTEMPTS` times while others lock its tables; each time anew."""
    for _attempt in range(1, ATTEMPTS):
        with suppress(TableLocked):
            return _dump(job, database, path, expected, progress)
        discard(path)
        _pause(progress)
    return _dump(job, database, path, expected, progress)


def back_up_globals(job: Job, progress: Progress) -> tuple[Action, Manifest]:
    """Back up roles and other globals; raises like `back_up_database`."""
    name, folder = _prepare(job, "", SQL, 0)

    def write(path: str) -> _Written:
        started = time.time()
        commands = dump_globals(job.login, job.programs, job.server.superuser, job.options)
        with os.fdopen(os.memfd_create("tail"), "w+b") as end, _create(path) as sink:
            copies = [(Command(["tail", "-c", "4096"]), end)]
            run(commands, partial(progress, "dumping", None), sink, copies)
            os.fsync(sink.fileno())
            end.seek(0)
            if not COMPLETE.search(end.read().decode(errors="replace")):
                raise Bad("pg_dumpall did not write its last line")
        return _Written(started, None, "")

    return _take(job, "", name, folder, write, progress)


def _prepare(job: Job, database: str, form: str, expected: int) -> tuple[Name, str]:
    """A name that is free, and its folder, which has room."""
    folder = folder_path(job.options.backup_dir, database)
    os.makedirs(folder, mode=0o700, exist_ok=True)
    require_space(folder, expected, job.options.keep_free)
    zstd = job.compression.by_program and form == CUSTOM
    while True:
        name = Name(format_time(time.time()), form, zstd, job.encrypted)
        if not any(entry.startswith(name.time) for entry in os.listdir(folder)):
            return name, folder
        time.sleep(0.2)


def _take(
    job: Job,
    database: str,
    name: Name,
    folder: str,
    write: Callable[[str], _Written],
    progress: Progress,
) -> tuple[Action, Manifest]:
    """Write, prove and commit a backup, or remove all traces of it."""
    began = time.monotonic()
    path = os.path.join(folder, name.partial(job.run))
    try:
        written = write(path)
        with _flushed(path, progress):
            manifest = _manifest(job, database, name, path, written, progress)
            manifest = _prove(job, path, manifest, progress)
        if manifest.level < VERIFIED:
            raise Bad(f"the new backup is bad: {manifest.proofs[-1].problem}")
        manifest = replace(manifest, finished=time.time())
        commit(folder, job.run, name, manifest)
    except OSError as error:
        raise NotCollected(f"it could not be written: {error.strerror or error}") from None
    finally:
        for left in (path, partial_manifest(folder, job.run, name)):
            with suppress(OSError):
                discard(left)
    action = Action(
        DUMP,
        DONE,
        _reason(job, manifest),
        subject=database or GLOBALS,
        after=os.path.join(folder, str(name)),
        seconds=round(time.monotonic() - began, 3),
        bytes=manifest.bytes,
    )
    return action, manifest


@contextmanager
def _flushed(path: str, progress: Progress) -> Iterator[None]:
    """The data is flushed to disk at the end of the block, at the same time as the block itself.

    Raises OSError.
    """
    with ThreadPoolExecutor(1) as flusher:
        flushing = flusher.submit(sync_tree, path)
        yield
        while not flushing.done():
            progress("flushing", None)
            time.sleep(0.01)
    flushing.result()


def _reason(job: Job, manifest: Manifest) -> str:
    size = format_value(manifest.bytes, "bytes")
    if not manifest.database:
        text = f"{pluralize(len(manifest.roles), 'role')}, {size}, level {manifest.level}"
        if not job.server.superuser:
            text += ", without passwords, which only a superuser can read"
        return text
    rows = sum(table.rows for table in manifest.tables if table.kind == "r")
    tables = sum(table.kind == "r" for table in manifest.tables)
    return (
        f"{pluralize(tables, 'table')} with {pluralize(rows, 'row')}, {size} "
        f"({manifest.compression}), level {manifest.level}"
    )


def _dump(job: Job, database: Database, path: str, expected: int, progress: Progress) -> _Written:
    """Dump and count in one snapshot, both at the same time."""
    options = job.options
    target = of_database(job.target, database.name)
    with closing(Snapshot(target, options.timeout, options.lock_wait)) as snapshot:
        snapshot.open()
        started = time.time()
        snapshot.start_counting()

        def share() -> float | None:
            return min(0.99, _size(path) / expected) if expected else None

        def watch() -> None:
            snapshot.step()
            watch_space(os.path.dirname(path), options.keep_free)
            progress("dumping", share)

        commands = dump_database(
            job.login, job.programs, database, snapshot.id, path, job.compression, options
        )
        try:
            toc = _write(job, commands, path, watch)
        except PipelineFailed as error:
            if any(words in error.ended.errors for words in LOCK_CONFLICTS):
                raise TableLocked(f"another session has locked a table: {error}", LOCKED) from None
            raise
        while snapshot.counting:
            snapshot.wait()
            progress("counting rows", None)
        return _Written(started, snapshot.contents(), toc)


def _write(job: Job, commands: Sequence[Command], path: str, watch: Callable[[], None]) -> str:
    """Run the pipeline of a dump; returns the list of what cannot be read afterwards."""
    if not job.options.stream:
        run(commands, watch)
        return ""
    with os.fdopen(os.memfd_create("list"), "w+b") as output, _create(path) as sink:
        copies: list[tuple[Command, IO[bytes] | int | None]] = []
        if job.blind:
            copies = [
                (job.reader.pg_restore("--list"), output),
                (job.reader.pg_restore("--file=/dev/null"), None),
            ]
        run(commands, watch, sink, copies)
        os.fsync(sink.fileno())
        output.seek(0)
        return decoded(output.read())


def _manifest(
    job: Job, database: str, name: Name, path: str, written: _Written, progress: Progress
) -> Manifest:
    files = checksum_files(path, partial(progress, "checksums", None))
    contents = written.contents
    toc = written.toc
    if contents is not None and not toc:
        toc = listing(path, name, job.reader, partial(progress, "reading", None))
    manifest = Manifest(
        name=str(name),
        database=database,
        started=written.started,
        finished=written.started,
        bytes=sum(file.bytes for file in files),
        files=files,
        compression=str(job.compression) if contents else "none",
        client_version=job.programs.version,
        server_version=job.server.version,
        system_identifier=job.server.system_identifier,
        database_bytes=contents.bytes if contents else 0,
        roles=contents.roles if contents else job.server.roles,
        toc_entries=len(read_toc(toc).entries),
        recipients=job.options.age_recipients,
    )
    if contents is None:
        return replace(manifest, properties={"passwords": job.server.superuser})
    missing = read_toc(toc).missing(contents.tables, contents.properties["encoding"])
    if missing:
        first = f"{missing[0].schema}.{missing[0].name}"
        raise Bad(f"the new backup is bad: it lacks the data of {first}")
    return replace(
        manifest,
        tables=contents.tables,
        sequences=contents.sequences,
        large_objects=contents.large_objects,
        extensions=contents.extensions,
        properties=contents.properties,
    )


def _prove(job: Job, path: str, manifest: Manifest, progress: Progress) -> Manifest:
    """The manifest with its proof.

    Without the key, all programs have read the stream to its end before it was encrypted.
    """
    if job.blind:
        return manifest.with_proof(Proof(VERIFIED, time.time(), 0.0, VERIFIED))
    watch = partial(progress, "verifying", None)
    return manifest.with_proof(prove(path, manifest, VERIFIED, job.reader, watch))


def _create(path: str) -> IO[bytes]:
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    return os.fdopen(handle, "wb")


def _size(path: str) -> int:
    with suppress(OSError):
        if not os.path.isdir(path):
            return os.stat(path).st_size
        with os.scandir(path) as entries:
            return sum(entry.stat().st_size for entry in entries)
    return 0


def _pause(progress: Progress) -> None:
    end = time.monotonic() + PAUSE
    while time.monotonic() < end:
        progress("waiting for locks", None)
        time.sleep(0.1)
