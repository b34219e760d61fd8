"""The demo's app with each fault put in, and under load without one: the cause is named."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from demo.services import fetch
from demo.stack import Stack
from tests.conftest import RunModule

Diagnosis = Callable[..., dict[str, Any]]
#: Seconds: the shortest in which a busy loop is told from a long computation, with a margin.
WINDOW = 6


@pytest.fixture
def diagnosis(stack: Stack, run_module: RunModule) -> Diagnosis:
    """Runs app_diagnosis on the demo; returns its checks by name."""

    def run(**options: Any) -> dict[str, Any]:
        given = {"pm2_home": stack.settings["pm2"]["home"], "app": ["gpt-agent"], "window": WINDOW}
        answer = run_module("app_diagnosis", {**given, "timeout": 60, **options})
        assert answer["collected"] is True, answer
        assert stack.settings["postgres"]["password"] not in json.dumps(answer)
        return {check["name"]: check for check in answer["checks"]}

    return run


@pytest.fixture
def fresh(stack: Stack) -> Iterator[None]:
    """What a fault leaves in memory is gone afterwards."""
    yield
    stack.stop("app")
    stack.start("app")


@contextmanager
def load(stack: Stack, path: str, clients: int = 2, pause: float = 0.0) -> Iterator[None]:
    """Requests, one after another by each client; answers of any kind will do."""
    ended = threading.Event()
    base = f"http://127.0.0.1:{stack.settings['app']['port']}"

    def run() -> None:
        while not ended.wait(pause):
            fetch(base + path, timeout=5)

    threads = [threading.Thread(target=run) for _ in range(clients)]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        ended.set()
        for thread in threads:
            thread.join()


def until(found: Callable[[], dict[str, Any]], seconds: float = 60) -> dict[str, Any]:
    """The check once it is no longer ok: a busy machine needs longer to get into trouble."""
    end = time.monotonic() + seconds
    check = found()
    while check["status"] == "ok" and time.monotonic() < end:
        check = found()
    return check


def test_a_healthy_app_under_load_is_accused_of_nothing(stack: Stack, diagnosis: Diagnosis) -> None:
    with load(stack, "/api/health/db", clients=4):
        checks = diagnosis()
    assert checks["app.event_loop"]["status"] in ("ok", "warning"), "slow on a busy machine"
    assert {row["turns"] for row in checks["app.event_loop"]["evidence"]} == {"yes"}
    assert {row["reported_in_window"] for row in checks["app.event_loop"]["evidence"]} == {True}
    assert checks["app.memory_growth"]["status"] == "ok"
    assert checks["app.open_files"]["status"] == "ok"
    assert len(checks["app.database"]["evidence"]) == 2
    assert checks["app.log_signs"]["status"] in ("ok", "warning"), "of the tests before it"


def test_a_busy_loop_in_one_instance(stack: Stack, diagnosis: Diagnosis) -> None:
    with stack.fault(loop=True, instance=0), load(stack, "/api/health", pause=0.1):
        check = until(lambda: diagnosis()["app.event_loop"])
    assert check["status"] == "critical"
    assert check["summary"].startswith("id 0 (1 of 2 instances) answered nothing")
    assert [row["turns"] for row in check["evidence"]] == ["no", "yes"]


@pytest.mark.usefixtures("fresh")
def test_a_leak(stack: Stack, diagnosis: Diagnosis) -> None:
    with stack.fault(leak_kb=2000), load(stack, "/api/health", pause=0.1):
        check = until(lambda: diagnosis()["app.memory_growth"])
    assert check["status"] == "critical"
    assert "its JavaScript heap grows" in check["summary"]
    assert "before the restart" in check["remedy"]


@pytest.mark.usefixtures("fresh")
def test_a_leaking_pool(stack: Stack, diagnosis: Diagnosis) -> None:
    def pool() -> dict[str, Any]:
        return diagnosis(window=3).get("app.pool", {"status": "ok"})

    with stack.fault(hold=True), load(stack, "/api/health"):
        check = until(lambda: found if "silent" in (found := pool()).get("summary", "") else OK)
    assert check["status"] == "critical"
    assert "were taken from the pool and not returned" in check["summary"]
    assert check["remedy"].startswith("A leaking pool")


OK = {"status": "ok"}


def test_a_slow_statement(stack: Stack, diagnosis: Diagnosis) -> None:
    with stack.fault(query="SELECT pg_sleep(1.3)"), load(stack, "/api/health"):
        check = until(lambda: diagnosis(window=3)["app.database"])
    assert check["status"] == "warning"
    assert check["value"] > 1
    assert "playbooks/database_review.yml" in check["remedy"]


def test_an_app_that_is_not_there(stack: Stack, run_module: RunModule) -> None:
    given = {"pm2_home": stack.settings["pm2"]["home"], "app": ["none"], "window": 3}
    answer = run_module("app_diagnosis", given)
    assert answer["collected"] is False
    assert "not in PM2's list" in answer["checks"][0]["summary"]
    given = {"pm2_home": "/nowhere", "window": 3}
    assert run_module("app_diagnosis", given)["checks"][0]["status"] == "unknown"
    assert run_module("app_diagnosis", {"window": 1})["failed"]
