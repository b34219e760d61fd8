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
from hypothesis import HealthCheck, settings

from demo import watchdog
from tests.support.module_server import COLLECTIONS, PACKAGE, ModuleServer

# A busy machine is no failure of what is tested.
settings.register_profile(
    "any-machine", deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("any-machine")

ROOT = Path(__file__).resolve().parent.parent

#: The environment variable with the number of an xdist worker, where this process is one.
WORKER = "PYTEST_XDIST_WORKER"

RunModule = Callable[..., dict[str, Any]]


def pytest_configure() -> None:
    """Whatever this process starts ends with it, also when it is killed."""
    os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", tempfile.gettempdir())  # kept after the run
    # A worker is a part of the run that started it, and does not outlive that either.
    watchdog.private_temporary_folder(run=os.getppid() if WORKER in os.environ else None)


@pytest.hookimpl(optionalhook=True, tryfirst=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    from tests.support.scheduling import GroupScheduling

    return GroupScheduling(config, log)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if ROOT / "tests" / "unit" in item.path.parents and not item.get_closest_marker("checkout"):
            item.add_marker("versions")


@pytest.fixture(scope="session", autouse=True)
def nothing_is_left_behind(tmp_path_factory: pytest.TempPathFactory) -> None:
    watchdog.start(tmp_path_factory.getbasetemp())


def start_module(
    name: str, args: dict[str, Any], env: dict[str, str] | None = None
) -> subprocess.Popen[str]:
    """Start a module of the collection in a process of its own, with its arguments on stdin."""
    code = f"import runpy; runpy.run_module('{PACKAGE}.{name}', run_name='__main__')"
    with tempfile.TemporaryFile("w+") as given:
        json.dump({"ANSIBLE_MODULE_ARGS": args}, given)
        given.seek(0)
        return subprocess.Popen(
            [sys.executable, "-c", code],
            stdin=given,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=module_environment(env),
        )


def module_environment(env: dict[str, str] | None) -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": COLLECTIONS, **(env or {})}


@pytest.fixture(scope="session")
def module_server() -> Iterator[ModuleServer]:
    server = ModuleServer()
    yield server
    server.close()


@pytest.fixture(scope="session")
def run_module(module_server: ModuleServer) -> RunModule:
    """Run a module of the collection in a process of its own and return what it answers.

    ``run_module("host_health", {"timeout": 5}, check=True, env={...})``; a failed module is
    returned with ``failed`` set.
    """

    def run(
        name: str,
        args: dict[str, Any] | None = None,
        *,
        check: bool = False,
        env: dict[str, str] | None = None,
        timeout: float = 120,
    ) -> dict[str, Any]:
        given = {**(args or {}), "_ansible_check_mode": check}
        environment = module_environment(env)
        if environment["PYTHONPATH"] == COLLECTIONS and module_server.can_run_in(environment):
            output, errors = module_server.run(name, given, environment, timeout)
        else:
            output, errors = finish(start_module(name, given, env), timeout)
        assert output.strip(), f"{name} printed nothing: {errors}"
        answer: dict[str, Any] = json.loads(output.strip().splitlines()[-1])
        answer["__stderr"] = errors
        return answer

    return run


def finish(module: subprocess.Popen[str], timeout: float) -> tuple[str, str]:
    with module as process:
        try:
            return process.communicate(timeout=timeout)
        except subprocess.TimeoutExpired:
            process.kill()
            raise


#: The checks of PostgreSQL in the daily checklist.
SERVER_CHECKS = {
    f"postgres.{name}"
    for name in (
        *(
            "reachable",
            "writable",
            "connections",
            "idle_in_transaction",
            "long_transactions",
            "cache_hit",
            "deadlocks",
            "checksum_failures",
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
        f"{len(found)} checks {name} {subject or ''} in "
        f"{[(c['name'], c['subject']) for c in answer['checks']]}"
    )
    return found[0]


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """A demo stack of this process's own, up and healthy."""
    from demo.stack import Stack

    own = Stack(tmp_path_factory.mktemp("demo"))
    own.up()
    try:
        yield own
    finally:
        own.down()
