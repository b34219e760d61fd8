# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The way to PostgreSQL: the option, the URL, and a connection that can neither hang nor disturb anyone.

The connection is asynchronous on the client's side, so that its deadline holds whatever the server does: refuse, freeze, or
vanish. On the server's side everything happens in one read-only transaction whose settings end with it, so that a connection
pooler between the two never hands them on to another client.
"""

from __future__ import annotations

import ctypes
import locale
import os
import re
import select
import socket
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

from ansible.module_utils.basic import env_fallback

from ..core.deadline import Deadline, DeadlineExceeded
from ..core.errors import UsageError
from ..core.text import redact, shorten
from .errors import Refusal, explain, silence

try:
    import psycopg2
    import psycopg2.extensions
except ImportError as error:
    PSYCOPG2_ERROR: str | None = str(error)
else:
    PSYCOPG2_ERROR = None

#: Option of every module that talks to PostgreSQL, documented in the fragment ``gpt_agent.runbook.postgres``.
POSTGRES_OPTIONS: dict[str, Any] = {
    "database_url": {"type": "str", "no_log": True, "fallback": (env_fallback, ["DATABASE_URL"])},
}

#: Longest wait for any lock, in milliseconds.
LOCK_TIMEOUT = 100

#: Parameters that other drivers put into the same URL and that mean nothing to libpq.
FOREIGN_PARAMETERS = {
    "connection_limit",
    "max_idle_connection_lifetime",
    "pgbouncer",
    "pool_timeout",
    "schema",
    "socket_timeout",
    "sslaccept",
    "sslidentity",
    "statement_cache_size",
    "uselibpqcompat",
}

_ENCODE = "percent-encode special characters in user name and password: '%' as %25, '/' as %2F, '@' as %40, ':' as %3A"


@dataclass(frozen=True)
class Target:
    """Where to connect, and as whom."""

    params: dict[str, str]
    """Connection parameters as libpq names them."""

    @property
    def address(self) -> str:
        """Hosts with ports, or the folder of the socket, for people."""
        hosts = (self.params.get("host") or self.params.get("hostaddr") or "").split(",")
        ports = (self.params.get("port") or os.environ.get("PGPORT") or "5432").split(",")
        return ", ".join(
            _host_port(host, ports[index] if len(ports) == len(hosts) else ports[0])
            for index, host in enumerate(hosts)
        )

    @property
    def user(self) -> str:
        return (
            self.params.get("user") or os.environ.get("PGUSER") or "of the operating system's user"
        )

    @property
    def database(self) -> str:
        return (
            self.params.get("dbname")
            or os.environ.get("PGDATABASE")
            or self.params.get("user")
            or "of the role's name"
        )

    @property
    def secrets(self) -> list[str]:
        """What must not be shown. A password of three letters would mask half of every text and is none."""
        return [
            value
            for key, value in self.params.items()
            if key in ("password", "sslpassword") and len(value) > 3
        ]


def _host_port(host: str, port: str) -> str:
    if not host:
        return f"the local socket, port {port}"
    if host.startswith(("/", "@")):
        return f"socket {host}, port {port}"
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def parse_url(url: str | None) -> Target:
    """The target that a URL names; raises `UsageError` with a sentence that shows nothing of a password."""
    url = (url or "").strip()
    if not url:
        raise UsageError(
            "database_url is missing: give postgresql://USER:PASSWORD@HOST:PORT/DATABASE, or set DATABASE_URL where the module runs"
        )
    if not url.startswith(("postgresql://", "postgres://")):
        raise UsageError("database_url has to begin with 'postgresql://'")
    before_host, at, _rest = url.partition("://")[2].rpartition("@")
    if at and ("/" in before_host or "@" in before_host):
        # libpq would take a part of the password for host, port, database or parameter, and name it in its errors.
        raise UsageError(f"database_url is malformed: {_ENCODE}")
    try:
        params = psycopg2.extensions.parse_dsn(_without_foreign(url))
    except psycopg2.Error as error:
        raise UsageError(f"database_url is malformed: {_flaw(str(error))}") from None
    except UnicodeDecodeError:  # its text quotes bytes of the URL
        raise UsageError(
            "database_url is malformed: what is percent-encoded in it is not UTF-8"
        ) from None
    host, port = params.get("host", ""), params.get("port", "")
    for number in port.split(",") if port else ():
        if number and not (number.isdecimal() and 0 < int(number) < 65536):
            raise UsageError("database_url is malformed: its port is not a number from 1 to 65535")
    if port.count(",") and port.count(",") != host.count(","):
        raise UsageError("database_url is malformed: give one port for all hosts, or one for each")
    if (
        not host
        and not params.get("hostaddr")
        and not params.get("service")
        and os.environ.get("PGHOST")
    ):
        params["host"] = os.environ["PGHOST"]
    return Target(params)


def _without_foreign(url: str) -> str:
    """The URL without the parameters of drivers that are not libpq, which an app's own URL may carry."""
    base, mark, query = url.partition("?")
    kept = [
        part
        for part in query.split("&")
        if part and unquote(part.split("=")[0]) not in FOREIGN_PARAMETERS
    ]
    return base + mark + "&".join(kept) if kept else base


def _flaw(text: str) -> str:
    """What is wrong with a URL, from libpq's words but without the parts of the URL that they quote."""
    parameter = re.search(r'URI query parameter: "(\w{1,40})"', text)
    if parameter and "invalid URI query parameter" in text:
        return f"libpq knows no parameter '{parameter[1]}'; remove it"
    if parameter:
        return f"its parameter '{parameter[1]}' has to be written NAME=VALUE"
    if "percent-encoded" in text:
        return _ENCODE
    if "IPv6" in text or "looking for matching" in text:
        return "an IPv6 address has to stand in brackets, as in [::1]"
    return f"it is not of the form postgresql://USER:PASSWORD@HOST:PORT/DATABASE; {_ENCODE}"


class Connection:
    """A connection for looking, in one read-only transaction at a time, with time limits.

    ``question`` says what is being waited for, for the case that no answer comes.
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
        self._raw: Any = None

    def open(self) -> None:
        """Connect; raises `Refusal` where the server cannot be had, `DeadlineExceeded` where it does not answer."""
        started = time.monotonic()
        # libpq speaks the language of the process; its texts are recognised in English.
        locale.setlocale(locale.LC_MESSAGES, "C")
        params: dict[str, Any] = {**self.target.params, **_addresses(self.target, self.deadline)}
        params.update(application_name=self.application, client_encoding="UTF8", async_=True)
        try:
            self._phase = "connect"
            self._raw = psycopg2.connect(**params)
            _show_sqlstate(self._raw)
            self._wait()
        except psycopg2.Error as error:
            raise self._refusal(error) from None
        self._phase = "ask"
        self.connect_seconds = time.monotonic() - started

    @property
    def version(self) -> int:
        """The server's version as PostgreSQL counts it: 180006."""
        return int(self._raw.server_version)

    @property
    def address(self) -> str:
        """Where the connection ended up, of several hosts or of libpq's defaults."""
        info = self._raw.info
        return _host_port(info.host or "", str(info.port))

    @property
    def database(self) -> str:
        return str(self._raw.info.dbname)

    @property
    def pid(self) -> int:
        """Process of the server that serves this connection."""
        return int(self._raw.info.backend_pid)

    def begin(self, question: str, query: str) -> list[tuple[Any, ...]]:
        """Start the transaction and ask the first question, in one message; raises `Refusal` where there is no answer."""
        self.question = question
        self._ended = False
        settings = {
            "statement_timeout": max(
                1, int(self.deadline.seconds * 1000 / 4)
            ),  # so that one slow answer leaves time for the others
            "lock_timeout": LOCK_TIMEOUT,
            "idle_in_transaction_session_timeout": int(self.deadline.seconds * 1000) + 1000,
            "search_path": "pg_catalog, pg_temp",  # nobody's function or view stands in for the system's
            "jit": "off",
        }
        if self.version >= 170000:
            settings["transaction_timeout"] = 0
        # The role's defaults may be others: a serializable transaction waits for a safe snapshot, and fails on a standby.
        mode = "ISOLATION LEVEL READ COMMITTED READ ONLY NOT DEFERRABLE"
        message = f"BEGIN {mode}; {' '.join(f'SET LOCAL {name} = {value};' for name, value in settings.items())} {query}"
        try:
            try:
                return self._ask(message)
            except psycopg2.errors.QueryCanceled:
                # A role's own statement_timeout of a millisecond can strike before ours is set.
                self._ask("ROLLBACK")
                return self._ask(message)
        except psycopg2.Error as error:
            raise self._refusal(error) from None

    def rows(
        self, question: str, query: str, parameters: Sequence[Any] | Mapping[str, Any] = ()
    ) -> list[tuple[Any, ...]]:
        """The rows of a query; raises `Unanswered` where there are none to be had, after which the next question can be asked."""
        self.question = question
        try:
            return self._ask(f"SAVEPOINT question; {query}", parameters)
        except UnicodeError:
            raise Unanswered(
                "the answer is not text in UTF-8",
                "See the names and comments in a database of encoding SQL_ASCII.",
            ) from None
        except psycopg2.Error as error:
            if not error.pgcode or error.pgcode.startswith("57P") or self._raw.closed:
                raise self._refusal(error) from None
            try:
                self._ask("ROLLBACK TO SAVEPOINT question")
            except psycopg2.Error as lost:
                raise self._refusal(lost) from None
            raise Unanswered(*_reason(error, self.target.user)) from None

    def end(self) -> None:
        """End the transaction, with the locks and settings that last as long; `begin` starts the next one."""
        try:
            self._ask("COMMIT")
        except psycopg2.Error as error:
            raise self._refusal(error) from None
        self._ended = True

    def apart(
        self, question: str, query: str, parameters: Mapping[str, Any]
    ) -> list[tuple[Any, ...]]:
        """The rows of a query that takes locks, in a transaction of its own that ends at once; raises `Unanswered`."""
        self.begin(question, "SELECT 1")
        try:
            rows = self.rows(question, query, parameters)
        except Unanswered:
            self.end()
            raise
        self.end()
        return rows

    def close(self) -> None:
        """End the transaction, so that a pooler can keep its side of the connection, and the connection."""
        if self._raw is None:
            return
        try:
            if not self._raw.closed and self._phase == "ask" and not self._ended:
                self._ask("COMMIT")
        except (psycopg2.Error, DeadlineExceeded):
            pass  # it is being closed anyway
        finally:
            self._raw.close()

    def silence(self) -> Refusal:
        """What it means that the time ran out just now."""
        return silence(self._phase, self.question, self.target.address, self.deadline.seconds)

    def _refusal(self, error: psycopg2.Error) -> Refusal:
        return explain(
            _primary(error),
            self.target.address,
            self.target.user,
            self.target.database,
            self.target.secrets,
            error.pgcode,
        )

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
            if self._phase != "ask":
                self._phase = "connect" if state == psycopg2.extensions.POLL_WRITE else "greet"
            reading = state == psycopg2.extensions.POLL_READ
            select.select(
                waiting if reading else [],
                [] if reading else waiting,
                [],
                self.deadline.remaining(),
            )


class Unanswered(Exception):
    """One question was not answered, while the connection goes on."""

    def __init__(self, reason: str, remedy: str) -> None:
        super().__init__(reason)
        self.reason = reason
        self.remedy = remedy


def _reason(error: psycopg2.Error, role: str) -> tuple[str, str]:
    """Why a question was not answered, and what to do about it."""
    message = redact(shorten(_primary(error), 200))
    if error.pgcode == "42501":
        return (
            f"role '{role}' is not allowed to look: {message}",
            f'As a superuser: GRANT pg_monitor TO "{role}"; if that is not enough, what it names.',
        )
    if error.pgcode == "57014":
        return (
            "PostgreSQL took too long to answer",
            "See what slows the server down: its processor, its disk, its locks.",
        )
    if error.pgcode == "55P03":
        return (
            "another session keeps a lock on what has to be read",
            "Find that session: 'SELECT * FROM pg_locks WHERE mode = $$AccessExclusiveLock$$'.",
        )
    return (
        f"PostgreSQL answered with an error: {message}",
        "Read PostgreSQL's log around this time.",
    )


def _primary(error: psycopg2.Error) -> str:
    return error.diag.message_primary or str(error)


def _addresses(target: Target, deadline: Deadline) -> dict[str, str]:
    """Resolved addresses for libpq, whose own name resolution nothing could interrupt."""
    params = target.params
    if (
        params.get("hostaddr")
        or params.get("service")
        or os.environ.get("PGHOSTADDR")
        or os.environ.get("PGSERVICE")
    ):
        return {}
    hosts = params.get("host", "").split(",")
    ports = (params.get("port") or "").split(",")
    found: list[tuple[str, str, str]] = []
    problem: OSError | None = None
    for index, host in enumerate(hosts):
        port = ports[index] if len(ports) == len(hosts) else ports[0]
        if not host or host.startswith(("/", "@")):
            found.append((host, "", port))
            continue
        try:
            found.extend((host, address, port) for address in _resolve(host, deadline))
        except OSError as error:
            problem = error
    if not found:
        name = target.params["host"]
        raise Refusal(
            f"The name of PostgreSQL's host, {name!r}, cannot be resolved ({problem.strerror if problem else 'no address'})",
            f"Check the host in database_url and the name service of this machine: 'getent hosts {hosts[0]}'.",
        )
    if not any(address for _host, address, _port in found):
        return {}
    return {
        key: ",".join(entry[place] for entry in found)
        for place, key in enumerate(("host", "hostaddr", "port"))
    }


def _resolve(host: str, deadline: Deadline) -> list[str]:
    """The addresses of a name, in a thread that may be left behind."""
    answer: list[Any] = []

    def ask() -> None:
        try:
            answer.append(
                list(
                    dict.fromkeys(
                        str(entry[4][0])
                        for entry in socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
                    )
                )
            )
        except (OSError, UnicodeError) as error:
            answer.append(
                error if isinstance(error, OSError) else OSError(0, "not a valid host name")
            )

    thread = threading.Thread(target=ask, daemon=True)
    thread.start()
    thread.join(deadline.remaining())
    if not answer:
        deadline.remaining(0)  # raises, unless the thread answered at the last moment
        thread.join(0.1)
    result = answer[0] if answer else OSError(0, "no answer from the name service")
    if isinstance(result, OSError):
        raise result
    return list(result)


def _show_sqlstate(raw: Any) -> None:
    """Make libpq add the SQLSTATE to what a server says while it refuses a connection.

    psycopg2 gives only the text, which is in the language of the server; without this the text is all there is.
    """
    try:
        verbose = ctypes.CDLL(psycopg2._psycopg.__file__).PQsetErrorVerbosity
        verbose.argtypes = [ctypes.c_void_p, ctypes.c_int]
        verbose(raw.pgconn_ptr, 2)
    except (AttributeError, OSError):
        pass
