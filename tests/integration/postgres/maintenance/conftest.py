"""A server, an empty database, and the module to maintain it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import RunModule
from tests.support.maintenance import Maintain
from tests.support.postgres import (
    Server,
    Throwaway,
    database,
    throwaway,
)


@pytest.fixture(scope="session")
def own(request: pytest.FixtureRequest) -> Iterator[Throwaway]:
    """A server on which autovacuum does not interfere."""
    folder = getattr(request, "param", "")
    programs = Path(folder or request.getfixturevalue("stack").settings["bin"]["postgres"])
    with throwaway(
        programs, autovacuum="off", max_prepared_transactions=5, wal_level="logical"
    ) as server:
        yield server


@pytest.fixture
def server(own: Throwaway, request: pytest.FixtureRequest) -> Iterator[Server]:
    """The server with an empty database of the test's own."""
    made = Server(own)
    with database(made, f"db_{abs(hash(request.node.nodeid)) % 10**9}") as url:
        made.own = {**made.own, "database": url.rpartition("/")[2]}
        yield made


@pytest.fixture
def maintain(run_module: RunModule, server: Server, tmp_path: Path) -> Maintain:
    """Run the module on the test's database, at full speed."""

    def run(*, check: bool = False, **options: Any) -> dict[str, Any]:
        given = {
            "database_url": server.url(),
            "state_dir": str(tmp_path / "state"),
            "timeout": 20,
            "cost_delay": 0,
            **options,
        }
        return run_module("pg_maintenance", given, check=check, timeout=300)

    return run
