"""What the tests of pg_sessions share."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from tests.conftest import finish, start_module
from tests.support.holding import held
from tests.support.postgres import Server, eventually

#: Runs the module: ``relieve(40)`` leaves 40 sessions.
Relieve = Callable[..., dict[str, Any]]


def pids(connections: list[Any]) -> list[int]:
    return [connection.info.backend_pid for connection in connections]


def alive(server: Server, connections: list[Any]) -> list[int]:
    """Those of the sessions that are still there, in their order."""
    there = {pid for (pid,) in server.admin("SELECT pid FROM pg_stat_activity")}
    return [pid for pid in pids(connections) if pid in there]


def processes(connections: list[Any]) -> int:
    """How many of the sessions are still there, seen without taking a slot."""
    return sum(Path(f"/proc/{pid}").exists() for pid in pids(connections))


def subjects(answer: dict[str, Any], status: str) -> list[int]:
    return [
        int(action["subject"].split()[1])
        for action in answer["actions"]
        if action["status"] == status
    ]


@contextmanager
def sleeping(server: Server, count: int, application: str) -> Iterator[list[Any]]:
    """Sessions in the middle of a statement."""
    with ExitStack() as stack:
        yield [
            stack.enter_context(server.running("SELECT pg_sleep(120)", application))
            for _ in range(count)
        ]


@contextmanager
def half_way(
    options: dict[str, Any], connections: list[Any], left: int
) -> Iterator[dict[str, Any]]:
    """A run that waits for those who come back, held there; its answer is there at the end."""
    answer: dict[str, Any] = {}
    process = start_module("pg_sessions", options)
    try:
        eventually(lambda: processes(connections) == left)
        with held(process.pid):
            yield answer
        answer.update(json.loads(finish(process, 60)[0].splitlines()[-1]))
    finally:
        process.kill()
        process.communicate()
