# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The sessions of a server, and the connection slots that they take."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from ..connection import Connection
from ..health.queries import FACTS
from .queries import SESSIONS

Row = Mapping[str, Any]


class Slots(NamedTuple):
    """Connections that are available to ordinary users, to one role, or to one database."""

    limit: int
    what: str
    user: str | None = None
    database: str | None = None

    def holds(self, session: Row) -> bool:
        """Whether a session takes one of these slots."""
        return self.user in (None, session["user"]) and self.database in (None, session["database"])

    def used(self, sessions: Sequence[Row]) -> int:
        return sum(self.holds(session) for session in sessions)

    def allowed(self, usage: float) -> int:
        """How many may stay in use, of ``usage`` percent."""
        return math.floor(self.limit * usage / 100)

    def describe(self, used: int) -> str:
        return f"{used} of {self.limit} {self.what}"


@dataclass(frozen=True)
class Snapshot:
    """The sessions of a server at one moment; plain data."""

    facts: Row
    """The answer to `FACTS`."""
    sessions: Sequence[Row]
    role_limits: Mapping[str, int]
    database_limits: Mapping[str, int]
    quoted_role: str
    """The role of this connection, as written in SQL."""

    @property
    def slots(self) -> list[Slots]:
        """All usable slots first, then those of roles and databases with limits of their own."""
        usable = max(1, self.facts["max_connections"] - self.facts["reserved"])
        found = [Slots(usable, "usable connections")]
        for role, limit in sorted(self.role_limits.items()):
            found.append(Slots(limit, f"connections of role '{role}'", user=role))
        for name, limit in sorted(self.database_limits.items()):
            found.append(Slots(limit, f"connections to database '{name}'", database=name))
        return found

    @property
    def hidden(self) -> int:
        """How many sessions do not show what they are doing."""
        return sum(session["state"] == "hidden" for session in self.sessions)

    @property
    def lacks_permission(self) -> bool:
        """Whether this role lacks permission to see what some sessions are doing."""
        return self.hidden > 0 and not self.facts["sees_all"]

    def identities(self) -> set[tuple[int, str]]:
        """What identifies each session: a pid may be used again."""
        return {identity(session) for session in self.sessions}


def identity(session: Row) -> tuple[int, str]:
    """What identifies a session."""
    return (session["pid"], session["started"])


def begin(connection: Connection) -> Row:
    """Start a transaction and return facts of the server; raises like `Connection.begin`."""
    facts: Row = connection.begin("itself", FACTS)[0][0]
    return facts


def collect(connection: Connection, facts: Row) -> Snapshot:
    """The sessions of this moment; raises like `Connection.rows`."""
    sessions, role_limits, database_limits, role = connection.rows("its sessions", SESSIONS)[0]
    return Snapshot(facts, sessions or [], role_limits or {}, database_limits or {}, role)
