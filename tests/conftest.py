"""What all tests share: running a module as Ansible would, and a demo stack of the tests' own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from demo import watchdog

ROOT = Path(__file__).resolve().parent.parent

#: The environment variable with the number of an xdist worker, where this process is one.
WORKER = "PYTEST_XDIST_WORKER"

RunModule = Callable[..., dict[str, Any]]


def pytest_configure() -> None:
    """Whatever this process starts ends with it, also when it is killed."""
    os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", tempfile.gettempdir())  # kept after the run
    # A worker is a part of the run that started it, and does not outlive that either.
    watchdog.private_temporary_folder(run=os.getppid() if WORKER in os.environ else None)


@pytest.fixture(scope="session", autouse=True)
def nothing_is_left_behind(tmp_path_factory: pytest.TempPathFactory) -> None:
    watchdog.start(tmp_path_factory.getbasetemp())


def start_module(
    name: str, args: dict[str, Any], env: dict[str, str] | None = None
) -> subprocess.Popen[str]:
    """Start a module of the collection in a process of its own, with its arguments on its standard input."""
    code = f"import runpy; runpy.run_module('ansible_collections.gpt_agent.runbook.plugins.modules.{name}', run_name='__main__')"
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "collections"), **(env or {})}
    with tempfile.TemporaryFile("w+") as given:
        json.dump({"ANSIBLE_MODULE_ARGS": args}, given)
        given.seek(0)
        return subprocess.Popen(
            [sys.executable, "-c", code],
            stdin=given,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=environment,
        )


@pytest.fixture(scope="session")
def run_module() -> RunModule:
    """Run a module of the collection in a process of its own and return what it answers.

    ``run_module("host_health", {"timeout": 5}, check=True, env={...})``; a failed module is returned with ``failed`` set.
    """

    def run(
        name: str,
        args: dict[str, Any] | None = None,
        *,
        check: bool = False,
        env: dict[str, str] | None = None,
        timeout: float = 60,
    ) -> dict[str, Any]:
        with start_module(name, {**(args or {}), "_ansible_check_mode": check}, env) as process:
            try:
                output, errors = process.communicate(timeout=timeout)
            except subprocess.TimeoutExpired:
                process.kill()
                raise
        assert output.strip(), f"{name} printed nothing: {errors}"
        answer: dict[str, Any] = json.loads(output.strip().splitlines()[-1])
        answer["__stderr"] = errors
        return answer

    return run


#: The checks of PostgreSQL in the daily checklist.
SERVER_CHECKS = {
    f"postgres.{name}"
    for name in (
        *(
            "reachable",
            "connections",
            "idle_in_transaction",
            "long_transactions",
            "cache_hit",
            "deadlocks",
            "wraparound",
        ),
        *("query_time_mean", "replication", "archiver"),
    )
}


def by_name(answer: dict[str, Any], name: str, subject: str | None = None) -> dict[str, Any]:
    """The one check of that name (and subject) in a module's answer."""
    assert "checks" in answer, answer
    found = [
        c
        for c in answer["checks"]
        if c["name"] == name and (subject is None or c["subject"] == subject)
    ]
    assert len(found) == 1, (
        f"{len(found)} checks {name} {subject or ''} in {[(c['name'], c['subject']) for c in answer['checks']]}"
    )
    return found[0]


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """A demo stack that belongs to this test session alone (one for each worker), up and healthy."""
    from demo.stack import Stack

    own = Stack(tmp_path_factory.mktemp("demo"))
    own.up()
    try:
        yield own
    finally:
        own.down()
