# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A connection to PostgreSQL that cannot hang and does not disturb anyone.

On the client's side it is asynchronous, so that its deadline holds whatever the server does:
refuse, freeze, or vanish. On the server's side everything happens in read-only transactions whose
settings end with them, so that a connection pooler in between never hands them on to another
client.
"""

from __future__ import annotations

import ctypes
import locale
import os
import select
import socket
import threading
import time
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from ansible.module_utils.basic import env_fallback

from ..core.deadline import Deadline, DeadlineExceeded
from ..core.errors import NotCollected, Unreachable
from ..core.text import redact, shorten
from .errors import Said, explain, no_answer
from .url import Target, show_address

try:
    import psycopg2
    import psycopg2.extensions
except ImportError as error:
    PSYCOPG2_ERROR: str | None = str(error)
else:
    PSYCOPG2_ERROR = None

#: Option of every module that talks to PostgreSQL; its doc fragment is ``postgres``.
POSTGRES_OPTIONS: dict[str, Any] = {
    "database_url": {"type": "str", "no_log": True, "fallback": (env_fallback, ["DATABASE_URL"])},
}

#: Longest wait for any lock, in milliseconds.
LOCK_TIMEOUT = 100


class Written(NamedTuple):
    """The result of a write: its duration, or none and, unless it took too long, the error."""

    seconds: float | None
    error: str = ""
    sqlstate: str = ""


class Connection:
    """A connection for reading, in one read-only transaction at a time, within a deadline.

    ``question`` says what is being asked, for the case that no answer comes.
    """

    def __init__(self, target: Target, application: str, deadline: Deadline) -> None:
        self.target = target
        self.deadline = deadline
        self.application = application
        self.question = ""
        self.round_trips = 0
        self.connect_seconds = 0.0
        self._phase = "resolve"
        self._ended = False
        self._waited: list[int] = []
        self._raw: Any = None

    def open(self) -> None:
        """Connect; raises `Unreachable`, or `DeadlineExceeded` if no answer comes in time."""
        started = time.monotonic()
        # libpq's messages come in the language of the process; `explain` knows the English ones.
        locale.setlocale(locale.LC_MESSAGES, "C")
        params: dict[str, Any] = {**self.target.params, **_addresses(self.target, self.deadline)}
        params.update(application_name=self.application, client_encoding="UTF8", async_=True)
        try:
            self._phase = "connect"
            self._raw = psycopg2.connect(**params)
            _show_sqlstate(self._raw)
            self._wait()
        except UnicodeDecodeError as error:
            # The server's messages are in an encoding of their own until the session has one.
            raise self._explain(error.object.decode("latin-1")) from None
        except psycopg2.Error as error:
            raise self._refusal(error) from None
        self._phase = "query"
        self.connect_seconds = time.monotonic() - started

    @property
    def version(self) -> int:
        """The server's version as PostgreSQL counts it: 180006."""
        return int(self._raw.server_version)

    @property
    def address(self) -> str:
        """The server that was reached, of several hosts or of libpq's defaults."""
        info = self._raw.info
        return show_address(info.host or "", str(info.port))

    @property
    def database(self) -> str:
        return str(self._raw.info.dbname)

    @property
    def pid(self) -> int:
        """Process of the server that serves this connection."""
        return int(self._raw.info.backend_pid)

    def begin(self, question: str, query: str) -> list[tuple[Any, ...]]:
        """Start a transaction and run its first query, in one round trip; raises `Unreachable`."""
        self.question = question
        self._ended = False
        message = f"{self._transaction_start()} {query}"
        try:
            try:
                return self._ask(message)
            except psycopg2.errors.QueryCanceled:
                # A role's own statement_timeout of a millisecond can strike before ours is set.
                self._ask("ROLLBACK")
                return self._ask(message)
        except UnicodeDecodeError:
            raise Unreachable(
                f"PostgreSQL at {self.target.address} gave an answer that is not valid UTF-8",
                "Check the names of databases, roles and applications: the database has the "
                "encoding SQL_ASCII, which accepts anything. Use a database of encoding UTF8 in "
                "database_url.",
            ) from None
        except psycopg2.Error as error:
            raise self._refusal(error) from None

    def _transaction_start(self) -> str:
        """BEGIN, and the settings that the role's own must not replace."""
        milliseconds = int(self.deadline.seconds * 1000)
        settings = {
            "statement_timeout": max(
                1, milliseconds // 4
            ),  # one slow answer leaves time for others
            "lock_timeout": LOCK_TIMEOUT,
            "idle_in_transaction_session_timeout": milliseconds + 1000,
            "search_path": "pg_catalog, pg_temp",  # no one's function replaces the system's
            "jit": "off",
        }
        if self.version >= 170000:
            settings["transaction_timeout"] = 0
        # A serializable transaction, if that is the role's default, waits for a safe snapshot and
        # fails on a standby.
        begin = "BEGIN ISOLATION LEVEL READ COMMITTED READ ONLY NOT DEFERRABLE;"
        return " ".join(
            [begin, *(f"SET LOCAL {name} = {value};" for name, value in settings.items())]
        )

    def rows(
        self, question: str, query: str, parameters: Sequence[Any] | Mapping[str, Any] = ()
    ) -> list[tuple[Any, ...]]:
        """The rows of a query.

        Raises `NotCollected` if the query fails, after which the transaction goes on, and
        `Unreachable` if the connection is lost.
        """
        self.question = question
        try:
            return self._ask(f"SAVEPOINT question; {query}", parameters)
        except UnicodeError:
            raise NotCollected(
                "the answer is not valid UTF-8",
                "Check the names and comments in a database of encoding SQL_ASCII.",
            ) from None
        except psycopg2.Error as error:
            if not error.pgcode or error.pgcode.startswith("57P") or self._raw.closed:
                raise self._refusal(error) from None
            try:
                self._ask("ROLLBACK TO SAVEPOINT question")
            except psycopg2.Error:
                raise self._refusal(error) from None  # it says why the connection is gone
            raise _not_collected(error, self.target.user) from None

    def end(self) -> None:
        """End the transaction, and with it its locks and settings; `begin` starts the next one."""
        try:
            self._ask("COMMIT")
        except psycopg2.Error as error:
            raise self._refusal(error) from None
        self._ended = True

    def rows_in_own_transaction(
        self, question: str, query: str, parameters: Mapping[str, Any]
    ) -> list[tuple[Any, ...]]:
        """The rows of a query whose locks are released at once; raises like `rows`."""
        self.begin(question, "SELECT 1")
        try:
            rows = self.rows(question, query, parameters)
        except NotCollected:
            self.end()
            raise
        self.end()
        return rows

    def write(self, question: str, statements: str, seconds: float) -> Written:
        """Run statements, the last of which is COMMIT, in a transaction as the role's sessions do.

        No transaction may be open, and none is afterwards. What takes longer than ``seconds`` is
        canceled: a statement is rolled back; a commit that waits for a synchronous standby no
        longer waits. Raises `Unreachable` if the connection is lost.
        """
        self.question = question
        whole, started = self.deadline, time.monotonic()
        settings = f"""SET LOCAL lock_timeout = {LOCK_TIMEOUT};
            SET LOCAL search_path = pg_catalog, pg_temp; SET LOCAL temp_tablespaces = '';"""
        try:
            self.deadline = Deadline(whole.remaining(seconds))
            self._ask(f"BEGIN; {settings} {statements}")
            return Written(time.monotonic() - started)
        except DeadlineExceeded:
            self.deadline = whole
            self._cancel()
            return Written(None)
        except psycopg2.Error as error:
            self.deadline = whole
            if not error.pgcode or error.pgcode.startswith("57P") or self._raw.closed:
                raise self._refusal(error) from None
            self._ask("ROLLBACK")
            return Written(None, _primary(error), error.pgcode)
        finally:
            self.deadline = whole

    def _cancel(self) -> None:
        """Cancel what runs, wait until it has ended, and roll back; a second at most."""
        thread = threading.Thread(target=self._raw.cancel, daemon=True)
        thread.start()
        whole, self.deadline = self.deadline, Deadline(self.deadline.remaining(1.0))
        try:
            self._wait()
        except (psycopg2.Error, DeadlineExceeded):
            pass  # closing the connection is all that is left to do
        finally:
            self.deadline = whole

    def close(self) -> None:
        """End the transaction, so that a pooler can reuse the session, and the connection."""
        if self._raw is None:
            return
        try:
            if not self._raw.closed and self._phase == "query" and not self._ended:
                self._ask("COMMIT")
        except (psycopg2.Error, DeadlineExceeded):
            pass  # it is being closed anyway
        finally:
            self._raw.close()

    def no_answer(self) -> Unreachable:
        """The error for a time limit that expired just now."""
        return no_answer(self._phase, self.question, self.target.address, self.deadline.seconds)

    def _refusal(self, error: psycopg2.Error) -> Unreachable:
        said = None
        if error.pgcode:
            diag = error.diag
            more = " ".join(filter(None, (diag.message_detail, diag.message_hint)))
            said = Said(error.pgcode, _primary(error), more, bool(diag.source_function))
        return self._explain(_primary(error), said)

    def _explain(self, text: str, said: Said | None = None) -> Unreachable:
        target = self.target
        return explain(text, target.address, target.user, target.database, target.secrets, said)

    def _ask(
        self, query: str, parameters: Sequence[Any] | Mapping[str, Any] = ()
    ) -> list[tuple[Any, ...]]:
        self.round_trips += 1
        cursor = self._raw.cursor()
        cursor.execute(query, parameters or None)
        self._wait()
        return cursor.fetchall() if cursor.description else []

    def _wait(self) -> None:
        while True:
            state = self._raw.poll()
            if state == psycopg2.extensions.POLL_OK:
                return
            waiting = [self._raw.fileno()]  # another one for each address that is tried
            reading = state == psycopg2.extensions.POLL_READ
            if self._phase != "query":
                self._phase = _next_phase(self._phase, reading, waiting != self._waited)
                self._waited = waiting
            select.select(
                waiting if reading else [],
                [] if reading else waiting,
                [],
                self.deadline.remaining(),
            )


def _next_phase(phase: str, reading: bool, another: bool) -> str:
    """How far a connection got when it waits again; ``another`` is a new attempt."""
    if another or phase == "connect":
        return "handshake" if reading else "connect"
    # The other side has answered at least once.
    return "login" if reading else phase


def _not_collected(error: psycopg2.Error, role: str) -> NotCollected:
    """Why a query failed, and what to do about it."""
    message = redact(shorten(_primary(error), 200))
    if error.pgcode == "42501":
        return NotCollected(
            f"role '{role}' lacks permission: {message}",
            f'As a superuser: GRANT pg_monitor TO "{role}"; if that is not enough, what it names.',
        )
    if error.pgcode == "57014":
        return NotCollected(
            "PostgreSQL took too long to answer",
            "Find out what slows the server down: its processor, its disk, its locks.",
        )
    if error.pgcode == "55P03":
        return NotCollected(
            "another session holds a lock on a relation that must be read",
            "Find it: 'SELECT * FROM pg_locks WHERE mode = $$AccessExclusiveLock$$'.",
        )
    return NotCollected(
        f"PostgreSQL answered with an error: {message}",
        "Read PostgreSQL's log around this time.",
    )


def _primary(error: psycopg2.Error) -> str:
    return error.diag.message_primary or str(error)


def _addresses(target: Target, deadline: Deadline) -> dict[str, str]:
    """Resolved addresses for libpq, whose own name resolution cannot be interrupted."""
    params = target.params
    if any(params.get(name) for name in ("hostaddr", "service")) or any(
        os.environ.get(name) for name in ("PGHOSTADDR", "PGSERVICE")
    ):
        return {}
    found: list[tuple[str, str, str]] = []
    problem: OSError | None = None
    for host, port in target.hosts:
        if not host or host.startswith(("/", "@")):
            found.append((host, "", port))
            continue
        try:
            found.extend((host, address, port) for address in _resolve(host, deadline))
        except OSError as error:
            problem = error
    if not found:
        reason = problem.strerror if problem else "no address"
        raise Unreachable(
            f"The name of PostgreSQL's host, {params['host']!r}, cannot be resolved ({reason})",
            "Check the host in database_url and the DNS resolver of this host: "
            f"'getent hosts {target.hosts[0][0]}'.",
        )
    if not any(address for _host, address, _port in found):
        return {}
    hosts, addresses, ports = zip(*found)
    return {"host": ",".join(hosts), "hostaddr": ",".join(addresses), "port": ",".join(ports)}


def _resolve(host: str, deadline: Deadline) -> list[str]:
    """The addresses of a name, in a thread that may be left behind; raises OSError."""
    answer: list[list[str] | OSError] = []

    def resolve() -> None:
        try:
            found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
            answer.append(list(dict.fromkeys(str(entry[4][0]) for entry in found)))
        except OSError as error:
            answer.append(error)
        except UnicodeError:
            answer.append(OSError(0, "not a valid host name"))

    thread = threading.Thread(target=resolve, daemon=True)
    thread.start()
    thread.join(deadline.remaining())
    if not answer:
        deadline.remaining(0)  # raises, unless the thread answered at the last moment
        thread.join(0.1)
    result = answer[0] if answer else OSError(0, "no answer from the DNS resolver")
    if isinstance(result, OSError):
        raise result
    return result


def _show_sqlstate(raw: Any) -> None:
    """Make libpq add the SQLSTATE to the server's message while it refuses a connection.

    psycopg2 gives only the text, which is in the language of the server.
    """
    try:
        verbose = ctypes.CDLL(psycopg2._psycopg.__file__).PQsetErrorVerbosity
        verbose.argtypes = [ctypes.c_void_p, ctypes.c_int]
        verbose(raw.pgconn_ptr, 2)
    except (AttributeError, OSError):
        pass
