# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""PostgreSQL, with the app's role and database."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from demo.certificates import write_private
from demo.processes import StackError, remove_tree
from demo.services.base import Service


class Postgres(Service):
    name = "postgres"
    programs = ("postgres",)
    stages = ((signal.SIGINT, 15), (signal.SIGQUIT, 5), (signal.SIGKILL, 5))

    @property
    def data(self) -> Path:
        return Path(self.own["data"])

    @property
    def pid_file(self) -> Path:
        return self.data / "postmaster.pid"

    def configuration(self) -> dict[Path, str]:
        values = {
            "listen_addresses": self.own["host"],
            "port": self.own["port"],
            "unix_socket_directories": self.own["socket_dir"],
            "max_connections": 60,
            "shared_buffers": "32MB",
            "password_encryption": "scram-sha-256",
            "shared_preload_libraries": "pg_stat_statements",
            "pg_stat_statements.track": "all",
            "track_io_timing": "on",
            "log_timezone": "UTC",
            "log_line_prefix": "%m [%p] %q%u@%d %a ",
            "log_lock_waits": "on",
            "log_min_duration_statement": "1s",
            "log_temp_files": "10MB",
        }
        lines = (
            f"{name} = '{str(value).replace(chr(39), chr(39) * 2)}'"
            for name, value in values.items()
        )
        hba = (
            "local all all scram-sha-256",
            "host all all 127.0.0.1/32 scram-sha-256",
            "local replication all scram-sha-256",
        )
        return {
            self.data / "demo.conf": "\n".join(lines) + "\n",
            self.data / "pg_hba.conf": "\n".join(hba) + "\n",
        }

    def prepare(self) -> None:
        for folder in (self.data.parent, Path(self.own["socket_dir"])):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            self.identity.own(folder)
        programs = Path(self.settings["bin"]["postgres"])
        if self.data.exists():
            major = (self.data / "PG_VERSION").read_text().strip()
            here = self.identity.run(
                [programs / "postgres", "--version"], env=self.environment
            ).stdout.split()[-1]
            if here.split(".")[0] != major:
                raise StackError(
                    f"{self.data} is of PostgreSQL {major}, the installed one is {here}: start "
                    "afresh with 'down --purge'"
                )
            for stale in (self.pid_file, *Path(self.own["socket_dir"]).glob(".s.PGSQL.*")):
                stale.unlink(missing_ok=True)
            return
        fresh = self.data.with_name("data.new")
        remove_tree(fresh)
        password = self.data.with_name("password.new")
        write_private(password, self.own["admin_password"])
        self.identity.own(password)
        try:
            initdb: list[str | Path] = [programs / "initdb", "--pgdata", fresh]
            initdb += ["--username", self.own["admin_user"], "--pwfile", password]
            initdb += ["--auth", "scram-sha-256", "--encoding", "UTF8"]
            initdb += ["--locale-provider", "builtin", "--locale", "C.UTF-8", "--no-sync"]
            self.identity.run(initdb, env=self.environment)
        finally:
            password.unlink()
        write_private(
            fresh / "postgresql.conf",
            (fresh / "postgresql.conf").read_text() + "\ninclude 'demo.conf'\n",
        )
        self.identity.own(fresh)
        fresh.rename(self.data)

    def launch(self) -> None:
        program = Path(self.settings["bin"]["postgres"]) / "pg_ctl"
        command: list[str | Path] = [
            program,
            "start",
            "--pgdata",
            self.data,
            "--log",
            self.log,
            "--wait",
            "--timeout",
            "60",
            "--silent",
        ]
        self.identity.launch(command, env=self.environment, log=self.log, cwd=self.home, timeout=90)

    @contextmanager
    def connected(
        self,
        database: str,
        user: str = "admin_user",
        password: str = "admin_password",  # noqa: S107 - names of settings
    ) -> Iterator[Any]:
        import psycopg2

        connection = psycopg2.connect(
            host=self.own["host"],
            port=self.own["port"],
            dbname=database,
            user=self.own[user],
            password=self.own[password],
            connect_timeout=3,
            application_name="demo",
        )
        try:
            connection.autocommit = True
            with connection.cursor() as cursor:
                cursor.execute("SET statement_timeout = '10s'")
                yield cursor
        finally:
            connection.close()

    def trouble(self) -> str:
        import psycopg2

        try:
            with self.connected("postgres") as cursor:
                cursor.execute("SELECT 1")
        except psycopg2.Error as error:
            return str(error).strip()
        return ""

    def complete(self) -> None:
        from psycopg2.extensions import encrypt_password, quote_ident

        user, database = self.own["user"], self.own["database"]
        with self.connected("postgres") as cursor:
            cursor.execute(
                "SELECT (SELECT count(*) FROM pg_roles WHERE rolname = %s), (SELECT count(*) FROM "
                "pg_database WHERE datname = %s)",
                (user, database),
            )
            has_user, has_database = cursor.fetchone()
            name = quote_ident(user, cursor)
            if not has_user:
                # Encrypted here, so that the password itself reaches neither the log nor
                # pg_stat_statements.
                verifier = encrypt_password(
                    self.own["password"], user, cursor.connection, "scram-sha-256"
                )
                cursor.execute(f"CREATE ROLE {name} LOGIN PASSWORD %s", (verifier,))
            cursor.execute(f"GRANT pg_monitor TO {name}")
            if not has_database:
                cursor.execute(f"CREATE DATABASE {quote_ident(database, cursor)} OWNER {name}")
        for each in ("postgres", database):
            with self.connected(each) as cursor:
                cursor.execute("CREATE EXTENSION IF NOT EXISTS pg_stat_statements")
