"""pg_recovery: each cause on a real server, and whether a restart is the cure."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from demo.stack import Stack
from tests.conftest import RunModule, by_name
from tests.support.postgres import Server, Throwaway, eventually, throwaway

Recover = Callable[..., dict[str, Any]]


@pytest.fixture(scope="module")
def own(stack: Stack) -> Iterator[Throwaway]:
    settings = {"max_connections": 6, "superuser_reserved_connections": 3, "max_wal_senders": 0}
    with throwaway(Path(stack.settings["bin"]["postgres"]), **settings) as server:
        yield server
        with suppress(Exception):
            server.start()


@pytest.fixture
def recover(own: Throwaway, run_module: RunModule) -> Recover:
    def run(*, check: bool = False, **options: Any) -> dict[str, Any]:
        given = {
            "database_url": Server(own).url(),
            "data_directory": str(own.home / "data"),
            "log_file": str(own.home / "log"),
            "restart_command": ["true"],
            "timeout": 4,
        }
        answer = run_module("pg_recovery", {**given, **options}, check=check)
        assert own.settings["postgres"]["password"] not in json.dumps(answer)
        return answer

    return run


@pytest.fixture
def down(own: Throwaway) -> Iterator[Throwaway]:
    """A server that is stopped; it runs again afterwards."""
    own.stop("fast")
    (own.home / "log").write_text("")
    yield own
    with suppress(Exception):
        own.stop()
    for name in ("recovery.signal", "postgresql.auto.conf"):
        (own.home / "data" / name).unlink(missing_ok=True)
    own.start()


def found(answer: dict[str, Any]) -> tuple[str, bool, str]:
    return answer["cure"], answer["restart"], by_name(answer, "postgres.recovery")["summary"]


def main_pid(own: Throwaway) -> int:
    return int((own.home / "data" / "postmaster.pid").read_text().split()[0])


def start_anyway(own: Throwaway) -> None:
    """pg_ctl waits for nothing, as the server will not be ready."""
    command = [own.programs / "pg_ctl", "start", "-W", "-D", own.home / "data"]
    own.identity.run([*command, "-l", own.home / "log", "-o", own.arguments], **own.options)


def test_one_that_works(recover: Recover) -> None:
    answer = recover()
    assert found(answer)[:2] == ("nothing", False)
    assert (answer["works"], answer["changed"]) == (True, False)


def test_one_that_was_stopped(down: Throwaway, recover: Recover) -> None:
    down.start()
    down.stop("fast")
    plan = recover(check=True)
    assert found(plan)[:2] == ("restart", True)
    assert "it was stopped, it did not crash" in found(plan)[2]
    assert [(a["name"], a["status"]) for a in plan["actions"]] == [("postgres.restart", "planned")]


def is_gone(pid: int) -> bool:
    """Whether a killed process is no zombie any more, for which PostgreSQL takes it as running."""
    with suppress(ChildProcessError):
        os.waitpid(pid, os.WNOHANG)
    return not Path(f"/proc/{pid}").exists()


def test_one_that_was_killed(own: Throwaway, recover: Recover) -> None:
    pid = main_pid(own)
    os.kill(pid, signal.SIGKILL)
    eventually(lambda: is_gone(pid) and found(recover())[0] == "restart")
    own.start()
    done = recover(attempt={"because": "PostgreSQL is down"})
    assert [(a["name"], a["status"]) for a in done["actions"]] == [("postgres.restart", "done")]


def test_one_that_was_suspended(own: Throwaway, recover: Recover) -> None:
    pid = main_pid(own)
    os.kill(pid, signal.SIGSTOP)
    try:
        answer = recover()
    finally:
        os.kill(pid, signal.SIGCONT)
    assert found(answer)[:2] == ("other", False)
    assert f"kill -CONT {pid}" in by_name(answer, "postgres.recovery")["remedy"]


def test_no_slots_left(own: Throwaway, recover: Recover) -> None:
    server = Server(own)
    with server.sessions(3, "leak"):
        answer = recover()
    assert found(answer)[:2] == ("other", False)
    assert "relieve_connections.yml" in by_name(answer, "postgres.recovery")["remedy"]


def test_a_recovery_is_never_disturbed(down: Throwaway, recover: Recover) -> None:
    data = down.home / "data"
    (data / "recovery.signal").touch()
    (data / "postgresql.auto.conf").write_text("restore_command = 'sleep 1000'\n")
    down.identity.own(data)
    start_anyway(down)
    eventually(lambda: "starting" in found(recover())[2])
    answer = recover()
    assert found(answer)[:2] == ("wait", False)
    assert by_name(answer, "postgres.recovery")["status"] == "warning"
    done = recover(wait=0.5, attempt={"because": "PostgreSQL is down"})
    assert (done["actions"][0]["status"], done["works"]) == ("done", False)


def test_an_error_in_its_configuration(down: Throwaway, recover: Recover) -> None:
    (down.home / "data" / "postgresql.auto.conf").write_text("shared_bufers = '32MB'\n")
    down.identity.own(down.home / "data")
    with suppress(Exception):
        start_anyway(down)
    eventually(lambda: "shared_bufers" in (down.home / "log").read_text())
    answer = recover()
    assert found(answer)[:2] == ("other", False)
    assert "its configuration has an error" in found(answer)[2]


def test_damaged_data(down: Throwaway, recover: Recover) -> None:
    control = down.home / "data" / "global" / "pg_control"
    content = control.read_bytes()
    control.write_bytes(content[:100] + b"\xff" * 8 + content[108:])
    try:
        with suppress(Exception):
            start_anyway(down)
        eventually(lambda: "FATAL" in (down.home / "log").read_text())
        answer = recover()
    finally:
        control.write_bytes(content)
    assert found(answer)[:2] == ("other", False), answer
    assert "never run pg_resetwal" in by_name(answer, "postgres.recovery")["remedy"]


def test_a_wrong_password(own: Throwaway, recover: Recover) -> None:
    url = Server(own).url().replace(str(own.settings["postgres"]["password"]), "wrong")
    assert found(recover(database_url=url))[:2] == ("other", False)


def test_another_host(recover: Recover) -> None:
    answer = recover(database_url="postgresql://app@192.0.2.1/shop", timeout=1)
    assert found(answer)[:2] == ("other", False)
    assert "on the server's own host" in by_name(answer, "postgres.recovery")["remedy"]
