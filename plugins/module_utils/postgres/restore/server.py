# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The server that databases are restored on: its session, its databases, its lock."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from typing import Any

from ...core.errors import NotCollected, Refused, Unreachable, UsageError
from ..advisory_lock import HOLDERS, RESTORE, TAKE, holder_of
from ..url import Target, parse_url
from ..worker import StatementFailed, Worker
from .names import RESTORE as RESTORE_MARK
from .names import VERIFY, Mark, is_new, parse_mark
from .queries import DATABASES, SERVER

APPLICATION = "gpt_agent.runbook/pg_restore"
#: Databases to connect to while another one is renamed; the first that lets us in.
MAINTENANCE_DATABASES = ("postgres", "template1")
#: What new databases are copies of, and bytes by which maintenance may let a copy grow.
_EMPTY, _GROWTH = "template0", 256 * 1024
#: Hosts in a URL that mean the one where this runs.
_HERE = ("", "localhost", "127.0.0.1", "::1")


@dataclass(frozen=True)
class Database:
    """One database of the server."""

    facts: Mapping[str, Any]
    """As `queries.DATABASES` has them."""

    @property
    def name(self) -> str:
        return str(self.facts["name"])

    @property
    def properties(self) -> Mapping[str, Any]:
        """In the form of a manifest."""
        found: Mapping[str, Any] = self.facts["properties"]
        return found

    @property
    def oid(self) -> int:
        return int(self.facts["oid"])

    @property
    def mark(self) -> Mark | None:
        """What this collection made of it; none for any other database."""
        return parse_mark(self.properties["comment"])

    def is_unmarked(self, most: int) -> bool:
        """Whether it was created by a run that was killed before it could say so.

        Then no one has ever connected to it, and it has no more than ``most`` bytes.
        """
        closed = not self.facts["accepts_connections"] and self.properties["comment"] is None
        size = self.facts["bytes"]
        return closed and is_new(self.name) and size is not None and size <= most


@dataclass(frozen=True)
class Snapshot:
    """What a plan is made of."""

    server: Mapping[str, Any]
    """As `queries.SERVER` has it."""
    databases: Mapping[str, Database]

    def marked(self, *kinds: str) -> list[Database]:
        """The databases that this collection has made for a purpose."""
        return [one for one in self.databases.values() if one.mark and one.mark.kind in kinds]

    def leftovers(self) -> list[Database]:
        """What runs that were killed have left; the lock is held, so no run is working on it."""
        empty = self.databases.get(_EMPTY)
        most = (empty.facts["bytes"] or 0) + _GROWTH if empty else 0
        unmarked = [one for one in self.databases.values() if one.is_unmarked(most)]
        return unmarked + self.marked(RESTORE_MARK, VERIFY)


class Control(Worker):
    """The session that creates, renames and drops databases, and holds the lock."""

    def snapshot(self) -> Snapshot:
        """Raises `NotCollected` or `Unreachable`."""
        try:
            server = self.ask("the server", SERVER)[0][0]
            rows = self.ask("its databases", DATABASES)
        except StatementFailed as error:
            raise NotCollected(f"PostgreSQL answered with an error: {error}") from None
        databases = (Database(row[0]) for row in rows)
        return Snapshot(server, {database.name: database for database in databases})

    def lock(self) -> None:
        """Take the lock of the server; raises `Refused` if another run holds it."""
        if not self.ask("its locks", TAKE, RESTORE)[0][0]:
            holder = holder_of(self.ask("its locks", HOLDERS, RESTORE))
            raise Refused(
                f"Another run restores or verifies on this server: {holder}",
                "Wait until it has ended.",
            )

    def execute(self, question: str, statement: str) -> None:
        """Run one statement; raises like `ask`."""
        self.ask(question, statement)


@contextmanager
def control(target: Target, seconds: float) -> Iterator[Control]:
    """A session in a database that is never renamed; raises `Unreachable`."""
    problem: Unreachable | None = None
    for name in MAINTENANCE_DATABASES:
        session = Control(in_database(target, name), APPLICATION, seconds, {})
        with closing(session):
            try:
                session.open()
            except Unreachable as error:
                problem = problem or error
                continue
            yield session
            return
    raise problem or Unreachable("no database")


@contextmanager
def session_in(target: Target, database: str, seconds: float) -> Iterator[Worker]:
    """A session in one database of the server; raises `Unreachable`."""
    session = Worker(in_database(target, database), APPLICATION, seconds, {})
    with closing(session):
        session.open()
        yield session


def another_server(url: str) -> Target:
    """The target of ``verify_url``; raises `UsageError` for one that leads to this host itself."""
    try:
        target = parse_url(url)
    except UsageError as error:
        raise UsageError(str(error).replace("database_url", "verify_url")) from None
    here = [host for host, _port in target.hosts if host in _HERE or host.startswith(("/", "@"))]
    if here:
        raise UsageError(
            f"verify_url: {here[0] or 'no host'} is the host of the backups itself; give the name "
            "under which that host reaches the other server"
        )
    return target


def in_database(target: Target, name: str) -> Target:
    """The same login to another database of the server."""
    return replace(target, params={**target.params, "dbname": name})
