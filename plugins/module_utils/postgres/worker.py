# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Connections for statements that may run long, watched and cancelled from another connection.

Unlike `Connection`, these have no transaction of their own: VACUUM and REINDEX CONCURRENTLY refuse
to run in one. Their settings are the session's, so they must lead to PostgreSQL itself and not to a
connection pooler.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

from ..core.deadline import Deadline
from ..core.errors import Refused, UsageError
from ..core.text import redact, shorten
from .connection import Connection
from .url import Target

with suppress(ImportError):  # modules report that it is missing
    import psycopg2
    import psycopg2.extensions

#: How often the server checks, during a long statement, that its client is still there.
CLIENT_CHECK = "5s"
#: What a long statement must not inherit from its role, and what keeps it out of others' way.
SETTINGS: Mapping[str, str] = {
    "statement_timeout": "0",
    "lock_timeout": "0",
    "idle_session_timeout": "0",
    "default_transaction_read_only": "off",
    "client_min_messages": "error",
    # From PostgreSQL 18 on, worker processes read ahead: a scan would take several processors, and
    # the app's queries would wait for them.
    "effective_io_concurrency": "0",
    "maintenance_io_concurrency": "0",
    "search_path": "pg_catalog, pg_temp",
    "client_connection_check_interval": f"'{CLIENT_CHECK}'",
}


class StatementFailed(Refused):
    """A statement failed; the connection can be used on."""

    def __init__(self, sqlstate: str, message: str) -> None:
        super().__init__(message, "Read PostgreSQL's log around this time.")
        self.sqlstate = sqlstate


class Worker(Connection):
    """A session that carries out one statement at a time.

    ``seconds`` is the time limit of a short question. ``settings`` hold for the whole session;
    their values are written as SQL has them.
    """

    def __init__(
        self, target: Target, application: str, seconds: float, settings: Mapping[str, str]
    ) -> None:
        super().__init__(target, application, Deadline(seconds))
        self.seconds = seconds
        self.settings = settings
        self._cursor: Any = None

    def open(self) -> None:
        """Connect and set up the session; raises `UsageError` behind a pooler, else like `ask`."""
        super().open()
        # Before anything is set: behind a pooler it would be set for the next client.
        require_direct_connection(self.pid, self._first("SELECT pg_backend_pid()")[0][0])
        settings = {**SETTINGS, **self.settings}
        if self.version >= 170000:
            settings["transaction_timeout"] = "0"
        self._first("".join(f"SET {name} = {value};" for name, value in settings.items()))

    def ask(
        self, question: str, query: str, parameters: Sequence[Any] | Mapping[str, Any] = ()
    ) -> list[tuple[Any, ...]]:
        """The rows of a short query.

        Raises `StatementFailed`, `Unreachable` where the connection is lost, `DeadlineExceeded`
        where no answer comes in time.
        """
        self.deadline, self.question = Deadline(self.seconds), question
        try:
            return self._ask(query, parameters)
        except psycopg2.Error as error:
            raise self._failure(error) from None

    def start(self, statement: str) -> None:
        """Start a statement that may run long; `poll` says when it has ended."""
        self.round_trips += 1
        self._cursor = self._raw.cursor()  # psycopg2 itself holds only a weak reference
        self._cursor.execute(statement)

    def poll(self) -> bool:
        """Whether the statement has ended; raises `StatementFailed` or `Unreachable`."""
        try:
            return bool(self._raw.poll() == psycopg2.extensions.POLL_OK)
        except psycopg2.Error as error:
            raise self._failure(error) from None

    def answer(self) -> list[tuple[Any, ...]]:
        """The rows of the statement that has ended."""
        return list(self._cursor.fetchall())

    def cancel(self) -> None:
        """Cancel the running statement by libpq's own means, over a connection of its own."""
        with suppress(psycopg2.Error):
            self._raw.cancel()

    def fileno(self) -> int:
        """For select()."""
        return int(self._raw.fileno())

    def close(self) -> None:
        if self._raw is not None:
            self._raw.close()

    def _first(self, query: str) -> list[tuple[Any, ...]]:
        """Ask before the session has its settings: the role's statement_timeout may strike once."""
        with suppress(StatementFailed):
            return self.ask("itself", query)
        return self.ask("itself", query)

    def _failure(self, error: psycopg2.Error) -> Exception:
        """Whether an error ended the connection, or the statement alone."""
        if not error.pgcode or error.pgcode.startswith("57P") or self._raw.closed:
            return self._refusal(error)
        # Without the detail, which shows values of rows.
        message = shorten(error.diag.message_primary or str(error), 300)
        return StatementFailed(error.pgcode, redact(message, self.target.secrets))


def require_direct_connection(connected_to: int, answered_by: int) -> None:
    """Raise `UsageError` unless the process that accepted the connection also answers."""
    if answered_by != connected_to:
        raise UsageError(
            "database_url: leads to a connection pooler, which loses a session's settings and "
            "locks; give the address of PostgreSQL itself"
        )
