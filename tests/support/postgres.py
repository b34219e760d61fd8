"""What the tests of PostgreSQL share: servers and connections, closed again whatever happens."""

from __future__ import annotations

import os
import select
import socket
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

import psycopg2
import psycopg2.extensions

from demo.processes import Identity, wait_until
from tests.support.throwaway import unused_port

#: Folders with initdb and pg_ctl of other versions, separated by colons.
FOLDERS = [folder for folder in os.environ.get("POSTGRES_PROGRAMS", "").split(":") if folder]


class Throwaway:
    """A server of a test's own, of any version: started, stopped and configured at will."""

    def __init__(self, programs: Path, home: Path, **settings: str | int) -> None:
        self.programs, self.home = programs, home
        self.identity = Identity.choose()
        self.options: dict[str, Any] = {"env": {"PATH": os.defpath, "LC_ALL": "C"}, "cwd": home}
        own = {
            "host": "127.0.0.1",
            "port": unused_port(),
            "user": "app",
            "database": "shop",
            "admin_user": "admin",
            "socket_dir": str(home),
        }
        own.update(password="of-app-b3f1", admin_password="of-admin-77c2", data=str(home / "data"))
        self.settings = {"postgres": own}
        given = {
            "listen_addresses": own["host"],
            "port": own["port"],
            "unix_socket_directories": home,
            "fsync": "off",
            **settings,
        }
        self.arguments = " ".join(f"-c {name}={value}" for name, value in given.items())

    def create(self) -> None:
        own = self.settings["postgres"]
        password = self.home / "password"
        password.write_text(str(own["admin_password"]))
        self.identity.own(self.home)
        initdb = [
            self.programs / "initdb",
            "-D",
            self.home / "data",
            "-U",
            own["admin_user"],
            "--auth",
            "scram-sha-256",
            "--pwfile",
            password,
        ]
        self.identity.run([*initdb, "-E", "UTF8", "--no-locale", "--no-sync"], **self.options)
        self.start()
        server = Server(self)
        server.admin(
            f"CREATE ROLE {own['user']} LOGIN PASSWORD '{own['password']}'",
            f"CREATE DATABASE {own['database']} OWNER {own['user']}",
        )

    def start(self) -> None:
        self.identity.run(
            [
                self.programs / "pg_ctl",
                "start",
                "-w",
                "-D",
                self.home / "data",
                "-l",
                self.home / "log",
                "-o",
                self.arguments,
            ],
            **self.options,
        )

    def stop(self, mode: str = "immediate") -> None:
        self.identity.run(
            [self.programs / "pg_ctl", "stop", "-D", self.home / "data", "-m", mode], **self.options
        )


@contextmanager
def throwaway(programs: Path, **settings: str | int) -> Iterator[Throwaway]:
    with tempfile.TemporaryDirectory(prefix="pg-") as name:
        own = Throwaway(programs, Path(name), **settings)
        own.create()
        try:
            yield own
        finally:
            own.stop()


class Server:
    """The stack's PostgreSQL, or a throwaway one, as its users and its administrator see it."""

    def __init__(self, stack: Any) -> None:
        self.stack = stack
        self.own: dict[str, Any] = stack.settings["postgres"]

    def url(
        self,
        user: str | None = None,
        password: str | None = None,
        database: str | None = None,
        **params: str | int,
    ) -> str:
        """A URL of the app's user, or of another one."""
        own = self.own
        user, password, database = (
            user or own["user"],
            own["password"] if password is None else password,
            database or own["database"],
        )
        server = f"{quote(user)}:{quote(password)}@{own['host']}:{own['port']}"
        query = f"?{urlencode(params)}" if params else ""
        return f"postgresql://{server}/{quote(database)}{query}"

    def socket_url(self, database: str) -> str:
        """A URL of the app's user through the server's socket."""
        own = self.own
        where = urlencode({"host": own["socket_dir"], "port": own["port"]})
        return f"postgresql://{own['user']}:{own['password']}@/{database}?{where}"

    @property
    def admin_url(self) -> str:
        return self.url(self.own["admin_user"], self.own["admin_password"])

    @contextmanager
    def session(
        self, url: str | None = None, application: str = "test", autocommit: bool = False
    ) -> Iterator[Any]:
        connection = psycopg2.connect(url or self.url(), application_name=application)
        connection.autocommit = autocommit
        try:
            yield connection
        finally:
            connection.close()

    @contextmanager
    def sessions(self, count: int, application: str, url: str | None = None) -> Iterator[list[Any]]:
        """So many sessions, or as many as the server lets in."""
        opened: list[Any] = []
        try:
            for _ in range(count):
                try:
                    opened.append(psycopg2.connect(url or self.url(), application_name=application))
                except psycopg2.OperationalError:  # noqa: PERF203
                    break
            yield opened
        finally:
            for connection in opened:
                connection.close()

    @contextmanager
    def running(
        self, statement: str, application: str = "test", url: str | None = None
    ) -> Iterator[Any]:
        """A session in the middle of a statement."""
        connection = psycopg2.connect(url or self.url(), application_name=application, async_=True)
        try:
            wait(connection)
            connection.cursor().execute(statement)
            yield connection
        finally:
            self.admin(f"SELECT pg_terminate_backend({connection.info.backend_pid}, 5000)")
            connection.close()

    def admin(self, *statements: str, database: str | None = None) -> list[tuple[Any, ...]]:
        """Run statements as the administrator; returns the last one's rows."""
        with self.session(
            self.url(self.own["admin_user"], self.own["admin_password"], database or "postgres"),
            autocommit=True,
        ) as connection:
            cursor = connection.cursor()
            for statement in statements:
                cursor.execute(statement)
            return list(cursor.fetchall()) if cursor.description else []

    @contextmanager
    def role(self, name: str, *statements: str) -> Iterator[str]:
        """A role with a password; yields its URL."""
        self.admin(f"CREATE ROLE {name} LOGIN PASSWORD 'of-{name}'", *statements)
        try:
            yield self.url(name, f"of-{name}")
        finally:
            self.admin(
                (
                    f"SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE "
                    f"usename = '{name}'"
                ),
                f"DROP OWNED BY {name}",
                f"DROP ROLE {name}",
            )


class Standby:
    """A hot standby of the stack's server, with a slot of its own."""

    def __init__(self, server: Server) -> None:
        self.server, self.stack, own = server, server.stack, server.own
        self.programs = Path(self.stack.settings["bin"]["postgres"])
        self.port = unused_port()
        self.data = Path(self.stack.settings["directory"]) / f"standby-{self.port}"
        where = ["-h", own["socket_dir"], "-p", str(own["port"]), "-U", own["admin_user"]]
        copy = ["-D", self.data, "--wal-method", "stream", "--checkpoint", "fast", "--no-sync"]
        follow = ["--write-recovery-conf", "--create-slot", "--slot", "follower"]
        self.stack.run(
            [self.programs / "pg_basebackup", *where, *copy, *follow],
            env={"PGPASSWORD": own["admin_password"]},
        )

    @property
    def url(self) -> str:
        own = self.server.own
        return (
            f"postgresql://{own['user']}:{own['password']}@127.0.0.1:{self.port}/{own['database']}"
        )

    def start(self, *settings: str) -> None:
        options = " ".join(
            f"-c {setting}"
            for setting in (f"port={self.port}", "cluster_name=follower", "fsync=off", *settings)
        )
        wait = "--no-wait" if "hot_standby=off" in settings else "--wait"
        self.stack.run(
            [
                self.programs / "pg_ctl",
                "start",
                "-D",
                self.data,
                "-l",
                self.data / "log",
                wait,
                "-t",
                "30",
                "-o",
                options,
            ]
        )

    def stop(self) -> None:
        self.stack.run(
            [self.programs / "pg_ctl", "stop", "-D", self.data, "-m", "immediate"], check=False
        )

    def admin(self, statement: str) -> None:
        own = self.server.own
        login = f"{own['admin_user']}:{own['admin_password']}"
        url = f"postgresql://{login}@127.0.0.1:{self.port}/postgres"
        with self.server.session(url, autocommit=True) as connection:
            connection.cursor().execute(statement)


def wait(connection: Any) -> None:
    while (state := connection.poll()) != psycopg2.extensions.POLL_OK:
        reading = state == psycopg2.extensions.POLL_READ
        select.select([connection] if reading else [], [] if reading else [connection], [], 10)


#: Options of the module with which a vacuum of `slow_to_vacuum` takes minutes.
CRAWLING = {"cost_delay": 80, "cost_limit": 20}
#: Variables with which a vacuum of `slow_to_vacuum` takes minutes, and ends with the time budget.
CRAWL = {
    f"postgres_maintenance_{name}": value for name, value in {**CRAWLING, "time_budget": 15}.items()
}


def slow_to_vacuum(table: str) -> list[str]:
    """Statements for a table of 30 MB that has never been vacuumed."""
    return [
        f"CREATE TABLE {table} (id int PRIMARY KEY, word text) WITH (autovacuum_enabled = off)",
        f"INSERT INTO {table} SELECT g, repeat('x', 500) FROM generate_series(1, 60000) g",
    ]


def eventually(condition: Callable[[], Any], seconds: float = 30) -> None:
    assert wait_until(condition, seconds), "it did not come about"


def until(server: Server, query: str) -> None:
    """Wait for a query to have rows."""
    assert wait_until(lambda: server.admin(query), 30, 0.02), query


@contextmanager
def another_pid(port: int) -> Iterator[int]:
    """A port that acts like a pooler: the pid it gives for cancelling is not the session's."""
    listening = socket.create_server(("127.0.0.1", 0))

    def carry(source: socket.socket, sink: socket.socket, changed: bool) -> None:
        with suppress(OSError):
            while data := source.recv(65536):
                place = data.find(b"K\x00\x00\x00\x0c") if changed else -1
                sink.sendall(
                    data
                    if place < 0
                    else data[: place + 5] + b"\x00\x00\x00\x01" + data[place + 9 :]
                )
            sink.shutdown(socket.SHUT_WR)

    def accept() -> None:
        with suppress(OSError):
            while True:
                client, server = (
                    listening.accept()[0],
                    socket.create_connection(("127.0.0.1", port)),
                )
                for pair in ((client, server, False), (server, client, True)):
                    threading.Thread(target=carry, args=pair, daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    try:
        yield int(listening.getsockname()[1])
    finally:
        listening.close()


@contextmanager
def database(server: Server, name: str) -> Iterator[str]:
    """A database of a test's own; yields its URL as the app's user, who owns it."""
    server.admin(f"CREATE DATABASE {name} OWNER {server.own['user']}")
    try:
        yield server.url(database=name)
    finally:
        server.admin(f"DROP DATABASE {name} WITH (FORCE)")


def run_sql(url: str, *statements: str, counted: bool = True) -> list[tuple[Any, ...]]:
    """Run statements, if ``counted`` each one after the statistics have the counters of the last.

    That costs more than half a second for each statement with PostgreSQL 14.
    """
    with closing(psycopg2.connect(url)) as connection:
        connection.autocommit = True
        cursor = connection.cursor()
        for statement in statements:
            cursor.execute(statement)
            rows = list(cursor.fetchall()) if cursor.description else []
            if counted and connection.info.server_version >= 150000:
                cursor.execute("SELECT pg_stat_force_next_flush()")
            elif counted:
                time.sleep(0.6)
        return rows


def bloated(
    table: str = "messages", rows: int = 120_000, index: str = "messages_word"
) -> list[str]:
    """Statements for a table without dead rows whose index on `word` is half empty."""
    return [
        f"CREATE TABLE {table} (id bigint PRIMARY KEY, kind int, word text)",
        f"INSERT INTO {table} SELECT g, g % 100, md5(g::text) FROM generate_series(1, {rows}) g",
        f"CREATE INDEX {index} ON {table} (word)",
        f"ANALYZE {table}",
        *[
            f"UPDATE {table} SET word = md5(word)",
            f"VACUUM {table}",
            f"UPDATE {table} SET word = md5(word)",
            f"VACUUM ANALYZE {table}",
        ],
    ]
