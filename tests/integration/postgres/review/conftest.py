"""A server with known faults for pg_review, and databases on it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import RunModule
from tests.support.postgres import Server, Throwaway, bloated, run_sql, throwaway
from tests.support.postgres_reviews import AREAS, Look


@pytest.fixture(scope="session")
def own(request: pytest.FixtureRequest) -> Iterator[Throwaway]:
    folder = getattr(request, "param", "")
    programs = Path(folder or request.getfixturevalue("stack").settings["bin"]["postgres"])
    settings = {
        "fsync": "on",
        "synchronous_commit": "off",
        "max_prepared_transactions": 5,
        "wal_level": "logical",
    }
    with throwaway(
        programs, shared_preload_libraries="pg_stat_statements", autovacuum_naptime="1h", **settings
    ) as server:
        Server(server).admin("GRANT pg_monitor TO app", "CREATE EXTENSION pg_stat_statements")
        yield server


@pytest.fixture(scope="session")
def bloated_url(own: Throwaway) -> str:
    """A database with a bloated index and a sequence, for tests that only read: made once."""
    server, name = Server(own), "bloated"
    server.admin(f"CREATE DATABASE {name} OWNER {server.own['user']}")
    made = server.url(database=name)
    run_sql(made, *bloated(rows=300_000), "CREATE SEQUENCE s")
    for extension in ("pgstattuple", "pg_stat_statements"):
        server.admin(f"CREATE EXTENSION {extension}", database=name)
    return made


@pytest.fixture
def url(server: Server, url: str) -> str:
    """The same, with the statements that were asked there."""
    server.admin("CREATE EXTENSION pg_stat_statements", database=url.rpartition("/")[2])
    return url


@pytest.fixture
def look(run_module: RunModule, url: str, tmp_path: Path) -> Look:
    def run(*areas: str, **options: Any) -> dict[str, Any]:
        given = {
            "database_url": url,
            "state_dir": str(tmp_path / "state"),
            "areas": list(areas or AREAS),
            "unused_after": 0,
            "timeout": 30,
            **options,
        }
        answer = run_module("pg_review", given)
        assert "failed" not in answer, answer
        return answer

    return run
