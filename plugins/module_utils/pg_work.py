# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Connections for work that may take long: statements are started, watched from another connection, and stopped if need be.

Unlike the connection for looking, these have no transaction of their own: VACUUM and REINDEX CONCURRENTLY refuse to run in one.
Their settings are the session's, so they must lead to PostgreSQL itself and not to a pooler.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

from ansible_collections.gpt_agent.runbook.plugins.module_utils.limits import Misuse
from ansible_collections.gpt_agent.runbook.plugins.module_utils.pg_connection import Connection, Target
from ansible_collections.gpt_agent.runbook.plugins.module_utils.probe import Deadline
from ansible_collections.gpt_agent.runbook.plugins.module_utils.text import redact, shorten

with suppress(ImportError):  # modules say so that it is missing
    import psycopg2
    import psycopg2.extensions

#: How often the server looks, in a long statement, whether whoever started it is still there. PostgreSQL 14 and later.
CLIENT_CHECK = "5s"


class Trouble(Exception):
    """A statement was not carried out, while the connection goes on."""

    def __init__(self, code: str, text: str) -> None:
        super().__init__(text)
        self.code = code


class Worker(Connection):
    """A session that carries out one statement at a time.

    ``settings`` hold for the whole session; values are written as they stand in SQL.
    """

    def __init__(self, target: Target, application: str, seconds: float, settings: Mapping[str, str]) -> None:
        super().__init__(target, application, Deadline(seconds))
        self.seconds = seconds
        self.settings = settings
        self._cursor: Any = None
        self.started: float | None = None
        """When the statement that is running was started; none where none is."""

    def open(self) -> None:
        super().open()
        settings = {"statement_timeout": "0", "lock_timeout": "0", "idle_session_timeout": "0", "client_min_messages": "error", **self.settings}
        settings.update(search_path="pg_catalog, pg_temp", client_connection_check_interval=f"'{CLIENT_CHECK}'")
        if self.version >= 170000:
            settings["transaction_timeout"] = "0"
        self.ask("its settings", "".join(f"SET {name} = {value};" for name, value in settings.items()))
        if self.ask("itself", "SELECT pg_backend_pid()")[0][0] != self.pid:
            raise Misuse("database_url leads to a connection pooler, where settings and locks of a session get lost: give the address of PostgreSQL itself")

    def ask(self, question: str, query: str, parameters: Sequence[Any] | Mapping[str, Any] = ()) -> list[tuple[Any, ...]]:
        """The rows of a short query; raises `Trouble` where the server declines, `TimeLimit` where it does not answer."""
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
        self.started = time.monotonic()

    def poll(self) -> bool:
        """Whether the statement has ended; raises `Trouble` where it failed."""
        try:
            ended = bool(self._raw.poll() == psycopg2.extensions.POLL_OK)
        except psycopg2.Error as error:
            self.started = None
            raise self._trouble(error) from None
        if ended:
            self.started = None
        return ended

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
        text = " ".join(part for part in (error.diag.message_primary, error.diag.message_detail and f"({error.diag.message_detail})") if part)
        return Trouble(error.pgcode, redact(shorten(text or str(error), 300), self.target.secrets))
