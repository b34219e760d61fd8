# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Proof that a backup is good, as far as it goes without a server: levels 1 to 3.

Every level reads the backup as it lies on disk, through the programs that a restore needs.
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import replace
from errno import EACCES, EPERM

from ...core.errors import NotCollected
from ...core.processes import Command
from ...core.text import shorten
from ...core.units import pluralize
from .archive import PipelineFailed, Reader, listing, output_of, reading, run, run_each
from .checksums import checksum, list_files
from .manifest import Manifest, Proof
from .naming import DIRECTORY, SQL, Name, parse_name
from .toc import encoded, read_toc, shared_out

#: The last line of a complete dump of pg_dumpall, or of pg_dump in plain SQL.
COMPLETE = re.compile(r"^-- PostgreSQL database (cluster )?dump complete$", re.MULTILINE)
#: Option with which pg_restore reads only the entries that it gets on its input.
USE_LIST = "--use-list=/dev/stdin"
_ROLE = re.compile(r"^CREATE ROLE (.+);$", re.MULTILINE)


class _Bad(Exception):
    """A level was not reached; the text says why."""


def prove(
    path: str,
    manifest: Manifest,
    wanted: int,
    reader: Reader,
    watch: Callable[[], None] = lambda: None,
) -> Proof:
    """Prove the backup at ``path`` up to a level from 1 to 3.

    ``path`` may be a partial name: the form comes from the manifest. ``watch`` is called again and
    again, and ends the proof by raising. Raises `NotCollected` if it cannot be carried out, which
    says nothing about the backup: no key or a wrong one, no permission, a missing or older program.
    """
    name = parse_name(manifest.name)
    if name is None:
        raise NotCollected(f"{manifest.name!r} is not the name of a backup")
    _require_programs(manifest, wanted, reader)
    started = time.monotonic()
    reached, problem = 0, ""
    try:
        for level in range(1, wanted + 1):
            _LEVELS[level](path, name, manifest, reader, watch)
            reached = level
    except (_Bad, PipelineFailed) as error:
        problem = shorten(str(error), 300)
    seconds = round(time.monotonic() - started, 3)
    return Proof(reached, time.time(), seconds, wanted, problem=problem)


def _require_programs(manifest: Manifest, wanted: int, reader: Reader) -> None:
    wrote = int(manifest.client_version.partition(".")[0])
    if wanted > 1 and reader.programs.major < wrote:
        raise NotCollected(
            f"pg_restore {reader.programs.version} is older than pg_dump "
            f"{manifest.client_version}, which wrote it",
            f"Install the client programs of PostgreSQL {wrote}.",
        )


def _complete(
    path: str, name: Name, manifest: Manifest, reader: Reader, watch: Callable[[], None]
) -> None:
    """Level 1: exactly the files of the manifest, each with its size and checksum."""
    try:
        found = list_files(path)
        missing = [file.path for file in manifest.files if file.path not in found]
        known = {file.path for file in manifest.files}
        added = [file for file in found if file not in known]
        if missing:
            raise _Bad(f"{_files(missing)} missing")
        if added:
            raise _Bad(f"{_files(added)} not in its manifest")
        for file in manifest.files:
            now = checksum(path, file.path, watch)
            what = file.path or "it"
            if now.bytes != file.bytes:
                raise _Bad(f"{what} has {now.bytes:,} bytes, not {file.bytes:,} as when written")
            if now.sha256 != file.sha256:
                raise _Bad(f"{what} is damaged or was changed: its checksum is wrong")
    except OSError as error:
        if error.errno in (EACCES, EPERM):
            raise NotCollected(
                f"{error.filename or path} cannot be read: {error.strerror}",
                "Run this as the user who owns the backups.",
            ) from None
        damaged = os.path.basename(str(error.filename or path))
        raise _Bad(f"{damaged} cannot be read: {error.strerror}") from None


def _files(names: list[str]) -> str:
    more = f" and {len(names) - 1} more" if len(names) > 1 else ""
    return f"{names[0] or 'it'}{more} {'are' if more else 'is'}"


def _readable(
    path: str, name: Name, manifest: Manifest, reader: Reader, watch: Callable[[], None]
) -> None:
    """Level 2: the table of contents is complete, and holds every table."""
    if name.form == SQL:
        text = _sql(path, name, reader, watch)
        if not COMPLETE.search(text[-4096:]):
            raise _Bad("its last line, 'dump complete', is missing: it is not complete")
        roles = {_unquoted(role) for role in _ROLE.findall(text)}
        lost = [role for role in manifest.roles if role not in roles]
        if lost:
            raise _Bad(f"{pluralize(len(lost), 'role')} missing, such as {lost[0]}")
        return
    toc = read_toc(listing(path, name, reader, watch))
    if manifest.toc_entries and len(toc.entries) != manifest.toc_entries:
        raise _Bad(
            f"its table of contents has {pluralize(len(toc.entries), 'entry', 'entries')}, "
            f"not {manifest.toc_entries:,} as when written"
        )
    lost_tables = toc.missing(manifest.tables, manifest.properties.get("encoding", "UTF8"))
    if lost_tables:
        first = lost_tables[0]
        raise _Bad(
            f"it lacks the data of {pluralize(len(lost_tables), 'table')}, such as "
            f"{first.schema}.{first.name}"
        )


def _unquoted(role: str) -> str:
    return role[1:-1].replace('""', '"') if role.startswith('"') else role


def _decoded(
    path: str, name: Name, manifest: Manifest, reader: Reader, watch: Callable[[], None]
) -> None:
    """Level 3: everything can be decrypted, decompressed and turned into SQL again."""
    if name.form == SQL:
        _sql(path, name, reader, watch)
        return
    decode = reader.pg_restore("--file=/dev/null")
    if name.form != DIRECTORY or reader.jobs < 2:
        run(reading(path, name, decode, reader), watch)
        return
    # A folder has a file for each table, so several processes can share them.
    sizes = {file.path: file.bytes for file in manifest.files}
    shares = shared_out(listing(path, name, reader, watch), sizes, reader.jobs)
    with ExitStack() as stack:
        programs = []
        for share in shares:
            chosen = stack.enter_context(os.fdopen(os.memfd_create("entries"), "w+b"))
            chosen.write(encoded(share))
            chosen.seek(0)
            programs.append((replace(decode, argv=[*decode.argv, USE_LIST, path]), chosen))
        run_each(programs, watch)


def _sql(path: str, name: Name, reader: Reader, watch: Callable[[], None]) -> str:
    return output_of(reading(path, name, Command(["cat"]), reader), watch)


_LEVELS: dict[int, Callable[[str, Name, Manifest, Reader, Callable[[], None]], None]] = {
    1: _complete,
    2: _readable,
    3: _decoded,
}
