# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Dumps in plain SQL, as the runbook's own script writes them: backup-*.sql.gz.

They have no manifest. Every row is a line of the file, so the exact counts are read from it.
"""

from __future__ import annotations

import gzip
import os
import re
import time
import zlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import IO

from ...core.errors import NotCollected, Refused
from ...core.processes import Command
from ...core.text import redact, shorten
from ..backup.archive import main_line
from ..backup.manifest import Manifest, Table
from ..backup.naming import SQL, Name, format_time
from ..backup.repository import Backup
from ..programs import Login, Programs
from .load import LoadFailed, run_programs
from .server import APPLICATION

#: The last line of a complete dump. One that ends in the middle of a table loads without an error,
#: so only this line shows that it is whole.
_COMPLETE = b"-- PostgreSQL database dump complete"
_COPY = re.compile(
    rb'COPY (?:("(?:[^"]|"")+"|[^".]+)\.)("(?:[^"]|"")+"|[^" ]+) (?:\(.*\) )?FROM stdin;'
)
_VERSION = re.compile(rb"-- Dumped (from database|by pg_dump) version (\d+(?:\.\d+)?)")
#: Lines at the end among which that line must be.
_END_LINES = 10

#: A parameter that newer programs set at the start of a dump, and older servers do not know.
_TRANSACTION_TIMEOUT = 170000
_WITHOUT_TRANSACTION_TIMEOUT = "1,60{/^SET transaction_timeout = 0;$/d}"
#: The first release of each major version whose psql runs no commands that a dump may hold.
SAFE_PSQL = {14: 24, 15: 19, 16: 15, 17: 11, 18: 6}


@dataclass(frozen=True)
class PlainDump(Backup):
    """A dump in SQL that pg_backup has not written, with a manifest made from what it holds."""

    file: str = ""

    @property
    def path(self) -> str:
        return self.file


def is_plain(path: str) -> bool:
    """Whether a path is that of a plain dump, by its name."""
    return path.endswith((".sql", ".sql.gz"))


def read_plain(path: str, database: str) -> PlainDump:
    """Read a whole dump: complete, its versions, and the rows of every table.

    Raises `NotCollected` if it is damaged or not complete.
    """
    try:
        with _opened(path) as stream:
            tables, versions, end = _scan(stream)
        size, changed = os.path.getsize(path), os.path.getmtime(path)
    except (OSError, EOFError, zlib.error) as error:
        reason = getattr(error, "strerror", "") or str(error)
        raise NotCollected(
            f"{path} is damaged or cannot be read: {reason}", "Restore another backup."
        ) from None
    if not any(line.startswith(_COMPLETE) for line in end):
        raise NotCollected(
            f"{path} is not complete: its last line, 'dump complete', is missing",
            "Restore another backup; this one would load without an error, and lack rows.",
        )
    name = Name(format_time(changed), SQL)
    server = int(versions.get("from database", "0").partition(".")[0]) * 10000
    manifest = Manifest(
        name=str(name),
        database=database,
        started=changed,
        finished=time.time(),
        bytes=size,
        files=(),
        compression="gzip" if path.endswith(".gz") else "none",
        client_version=versions.get("by pg_dump", "0"),
        server_version=server,
        system_identifier="",
        database_bytes=0,
        tables=tuple(tables),
    )
    return PlainDump(os.path.dirname(path), name, manifest, file=path)


def load_plain(
    dump: PlainDump,
    programs: Programs,
    login: Login,
    database: str,
    server_version: int,
    watch: Callable[[], None],
) -> None:
    """Load it with psql, which stops at the first error; raises `LoadFailed`."""
    require_safe_psql(programs)
    psql = login.command(
        programs.path("psql"),
        *("--no-psqlrc", "--quiet", "--set=ON_ERROR_STOP=1", "--set=VERBOSITY=verbose"),
        database=database,
        application=APPLICATION,
    )
    first = ["cat", dump.file]
    if dump.file.endswith(".gz"):
        first = ["gzip", "--decompress", "--stdout", dump.file]
    commands = [Command(first), psql]
    if server_version < _TRANSACTION_TIMEOUT:
        commands.insert(1, Command(["sed", _WITHOUT_TRANSACTION_TIMEOUT]))
    for ended in reversed(run_programs(commands, watch)):
        if ended.failed:
            lines = [line for line in ended.errors.splitlines() if "ERROR:" in line]
            text = lines[0] if lines else main_line(ended.errors) or ended.how
            raise LoadFailed(shorten(f"{ended.program}: {redact(text, login.target.secrets)}", 300))


def require_safe_psql(programs: Programs) -> None:
    """Raise `Refused` for a psql that runs commands which a dump may hold."""
    minor = int(programs.version.partition(".")[2] or 0)
    least = SAFE_PSQL.get(programs.major, 0)
    if minor < least:
        raise Refused(
            f"psql {programs.version} runs commands on this host that a dump in SQL may hold",
            f"Install version {programs.major}.{least} or later of the client programs.",
        )


@contextmanager
def _opened(path: str) -> Iterator[IO[bytes]]:
    if path.endswith(".gz"):
        with gzip.open(path, "rb") as packed:
            yield packed  # type: ignore[misc]
    else:
        with open(path, "rb") as plain:
            yield plain


def _scan(stream: Iterable[bytes]) -> tuple[list[Table], dict[str, str], list[bytes]]:
    """Tables with their rows, the versions, and the last lines."""
    tables: list[Table] = []
    versions: dict[str, str] = {}
    end: list[bytes] = []
    lines = iter(stream)
    for line in lines:
        end = [*end[1 - _END_LINES :], line]
        if line.startswith(b"COPY ") and (found := _COPY.match(line)):
            tables.append(Table(_name(found[1]), _name(found[2]), "r", _rows(lines)))
        elif line.startswith(b"-- Dumped") and (found := _VERSION.match(line)):
            versions[found[1].decode()] = found[2].decode()
    return tables, versions, end


def _rows(lines: Iterator[bytes]) -> int:
    count = 0
    for line in lines:
        if line == b"\\.\n":
            break
        count += 1
    return count


def _name(text: bytes) -> str:
    name = text.decode(errors="replace")
    return name[1:-1].replace('""', '"') if name.startswith('"') else name
