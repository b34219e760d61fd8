# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Connections for work that may take long: statements are started, watched from another connection, and stopped if need be.

Unlike the connection for looking, these have no transaction of their own: VACUUM and REINDEX CONCURRENTLY refuse to run in one.
Their settings are the session's, so they must lead to PostgreSQL itself and not to a pooler.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

from ...core.deadline import Deadline
from ...core.errors import UsageError
from ...core.text import redact, shorten
from ..connection import Connection
from ..url import Target

with suppress(ImportError):  # modules say so that it is missing
    import psycopg2
    import psycopg2.extensions

#: How often the server looks, in a long statement, whether whoever started it is still there. PostgreSQL 14 and later.
CLIENT_CHECK = "5s"
#: What a long statement must not inherit from its role, and what keeps it from getting into others' way.
SETTINGS: Mapping[str, str] = {
    "statement_timeout": "0",
    "lock_timeout": "0",
    "idle_session_timeout": "0",
    "default_transaction_read_only": "off",
    "client_min_messages": "error",
    # Reading ahead is done by processes of their own from PostgreSQL 18 on: a scan would take several processors, and app's queries would wait for them.
    "effective_io_concurrency": "0",
    "maintenance_io_concurrency": "0",
    "search_path": "pg_catalog, pg_temp",
    "client_connection_check_interval": f"'{CLIENT_CHECK}'",
}


class Trouble(Exception):
    """A statement was not carried out, while the connection goes on."""

    def __init__(self, code: str, text: str) -> None:
        super().__init__(text)
        self.code = code


class Worker(Connection):
    """A session that carries out one statement at a time.

    ``settings`` hold for the whole session; values are written as they stand in SQL.
    """

    def __init__(
        self, target: Target, application: str, seconds: float, settings: Mapping[str, str]
    ) -> None:
        super().__init__(target, application, Deadline(seconds))
        self.seconds = seconds
        self.settings = settings
        self._cursor: Any = None

    def open(self) -> None:
        super().open()
        behind(
            self.pid, self._first("SELECT pg_backend_pid()")[0][0]
        )  # before anything is set: it would be the next client's
        settings = {
            **SETTINGS,
            **self.settings,
            **({"transaction_timeout": "0"} if self.version >= 170000 else {}),
        }
        self._first("".join(f"SET {name} = {value};" for name, value in settings.items()))

    def _first(self, query: str) -> list[tuple[Any, ...]]:
        """Ask before the session has its own settings: the role's statement_timeout of a few milliseconds can strike."""
        with suppress(Trouble):
            return self.ask("itself", query)
        return self.ask("itself", query)

    def ask(
        self, question: str, query: str, parameters: Sequence[Any] | Mapping[str, Any] = ()
    ) -> list[tuple[Any, ...]]:
        """The rows of a short query; raises `Trouble` where the server declines, `DeadlineExceeded` where it does not answer."""
        self.deadline, self.question = Deadline(self.seconds), question
        try:
            return self._ask(query, parameters)
        except psycopg2.Error as error:
            raise self._trouble(error) from None

    def start(self, statement: str) -> None:
        """Start a statement that may take long; `poll` tells when it has ended."""
        self.round_trips += 1
        self._cursor = self._raw.cursor()  # psycopg2 holds it by a weak reference only
        self._cursor.execute(statement)

    def poll(self) -> bool:
        """Whether the statement has ended; raises `Trouble` where it failed."""
        try:
            return bool(self._raw.poll() == psycopg2.extensions.POLL_OK)
        except psycopg2.Error as error:
            raise self._trouble(error) from None

    def cancel(self) -> None:
        """Stop the statement that is running by libpq's own means, over a connection of its own."""
        with suppress(psycopg2.Error):
            self._raw.cancel()

    def fileno(self) -> int:
        """For select()."""
        return int(self._raw.fileno())

    def close(self) -> None:
        if self._raw is not None:
            self._raw.close()

    def _trouble(self, error: psycopg2.Error) -> Exception:
        """What an error means: the end of the connection, or of the statement alone."""
        if not error.pgcode or error.pgcode.startswith("57P") or self._raw.closed:
            return self._refusal(error)
        # Not the detail, in which the values of rows stand.
        return Trouble(
            error.pgcode,
            redact(shorten(error.diag.message_primary or str(error), 300), self.target.secrets),
        )


def behind(expected: int, pid: int) -> None:
    """Raise `UsageError` where the process that answers is not the one that has accepted the connection."""
    if pid != expected:
        raise UsageError(
            "database_url leads to a connection pooler, where settings and locks of a session get lost: give the address of PostgreSQL itself"
        )
