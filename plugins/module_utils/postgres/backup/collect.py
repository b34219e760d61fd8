# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a backup needs to know of the server, before any database is dumped."""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass, replace

from ...core.deadline import Deadline, DeadlineExceeded
from ...core.errors import NotCollected, UsageError
from ..connection import Connection
from ..url import Target
from ..worker import require_direct_connection
from . import queries
from .contents import APPLICATION
from .options import Options


@dataclass(frozen=True)
class Database:
    """One database of the server."""

    name: str
    bytes: int
    """0 if the role lacks permission to see it."""
    allowed: bool = True
    """Whether the role may connect."""
    encoding: str = "UTF8"


@dataclass(frozen=True)
class Server:
    """The server, its databases and its roles."""

    version: int
    address: str
    role: str
    superuser: bool
    databases: tuple[Database, ...]
    roles: tuple[str, ...]
    system_identifier: str
    """Empty if the role lacks permission to read it."""


def collect(target: Target, options: Options) -> tuple[Server, list[Database]]:
    """The server, and the databases to back up.

    Raises `Unreachable`, `NotCollected`, or `UsageError`, also if a database does not exist.
    """
    with closing(Connection(target, APPLICATION, Deadline(options.timeout))) as connection:
        try:
            connection.open()
            facts = connection.begin("itself", queries.SERVER)[0][0]
            require_direct_connection(connection.pid, facts["pid"])
            try:
                identifier = connection.rows("itself", queries.SYSTEM_IDENTIFIER)[0][0]
            except NotCollected:
                identifier = ""
            server = Server(
                version=connection.version,
                address=connection.address,
                role=facts["role"],
                superuser=facts["superuser"],
                databases=tuple(Database(**each) for each in facts["databases"]),
                roles=tuple(facts["roles"]),
                system_identifier=identifier,
            )
            return server, _chosen(server, connection.database, options)
        except DeadlineExceeded:
            raise connection.no_answer() from None


def _chosen(server: Server, own: str, options: Options) -> list[Database]:
    """The databases that the options choose; raises `UsageError` for a name that is none."""
    if not options.databases:
        # A name is no pattern: '[' in it means itself.
        return [each for each in server.databases if each.name == own]
    names = [each.name for each in server.databases]
    for pattern in options.databases:
        if not any(
            replace(options, databases=(pattern,), exclude=()).selects(one) for one in names
        ):
            raise UsageError(
                f"databases: there is no database {pattern!r} on {server.address}, which has "
                f"{', '.join(names)}"
            )
    return [each for each in server.databases if options.selects(each.name)]


def of_database(target: Target, database: str) -> Target:
    """The same login to another database of the server."""
    return replace(target, params={**target.params, "dbname": database})
