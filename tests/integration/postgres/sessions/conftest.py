"""A server whose slots no one else uses, and the module to relieve it."""

from __future__ import annotations

import json
import re
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import RunModule
from tests.support.postgres import (
    Server,
    Throwaway,
    throwaway,
)
from tests.support.sessions import Relieve


@pytest.fixture(scope="session")
def own(request: pytest.FixtureRequest) -> Iterator[Throwaway]:
    """A server whose 100 slots nobody else uses."""
    folder = getattr(request, "param", "")
    programs = Path(folder or request.getfixturevalue("stack").settings["bin"]["postgres"])
    found = re.search(
        r"\) (\d+)",
        subprocess.run(
            [programs / "postgres", "--version"], capture_output=True, text=True, check=True
        ).stdout,
    )
    assert found
    more = {"reserved_connections": 2} if int(found[1]) >= 16 else {}
    with throwaway(programs, max_prepared_transactions=5, max_connections=100, **more) as server:
        made = Server(server)
        made.admin(
            "CREATE ROLE operator LOGIN PASSWORD 'of-operator-91e4'"
            " IN ROLE pg_monitor, pg_signal_backend",
            "CREATE ROLE rival LOGIN PASSWORD 'of-rival'",
        )
        yield server


@pytest.fixture
def server(own: Throwaway) -> Iterator[Server]:
    """The server, with no session but the test's own."""
    made = Server(own)
    end = time.monotonic() + 10  # those that a test has closed take a moment to go
    while made.admin(
        "SELECT count(*) FROM pg_stat_activity"
        " WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()"
    ) != [(0,)]:
        assert time.monotonic() < end
        time.sleep(0.02)
    yield made
    made.admin(
        "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity"
        " WHERE backend_type IN ('client backend', 'walsender') AND pid <> pg_backend_pid()"
    )


@pytest.fixture
def usable(server: Server) -> int:
    return int(
        server.admin(
            "SELECT current_setting('max_connections')::int"
            " - current_setting('superuser_reserved_connections')::int"
            " - coalesce(current_setting('reserved_connections', true), '0')::int"
        )[0][0]
    )


@pytest.fixture
def operator(server: Server) -> str:
    return server.url("operator", "of-operator-91e4")


@pytest.fixture
def relief(operator: str, usable: int) -> Relieve:
    """The options of a run that leaves so many sessions: ``relief(40)``."""

    def given(leave: int = 0, url: str = operator, **options: Any) -> dict[str, Any]:
        return {
            "database_url": url,
            "state": "relieved",
            "confirm": "shop",
            "usage": 100 * (leave + 0.5) / usable,
            "idle_age": 0.2,
            "idle_in_transaction_age": 0.2,
            "wait": 0.3,
            "_ansible_diff": True,
            **options,
        }

    return given


@pytest.fixture
def relieve(server: Server, operator: str, relief: Relieve, run_module: RunModule) -> Relieve:
    """Run the module as a role with all permissions: ``relieve(40)`` leaves 40 sessions."""

    def run(
        leave: int = 0, url: str = operator, *, check: bool = False, **options: Any
    ) -> dict[str, Any]:
        answer = run_module("pg_sessions", relief(leave, url, **options), check=check)
        assert "warnings" not in answer, answer["warnings"]
        said = json.dumps(answer)
        for secret in (
            server.own["password"],
            server.own["admin_password"],
            "of-operator-91e4",
            "hunter2",
        ):
            assert secret not in said
        return answer

    return run
