"""pg_health against each major version of PostgreSQL that is at hand.

``POSTGRES_PROGRAMS`` names folders with initdb and pg_ctl, separated by colons.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import SERVER_CHECKS, RunModule, by_name
from tests.support.postgres import FOLDERS, Server, throwaway

pytestmark = pytest.mark.skipif(
    not FOLDERS, reason="POSTGRES_PROGRAMS names no folders with other versions of PostgreSQL"
)


@pytest.fixture(params=FOLDERS or [""], scope="module")
def server(request: pytest.FixtureRequest) -> Iterator[Server]:
    with throwaway(
        Path(request.param), shared_preload_libraries="pg_stat_statements", archive_mode="on"
    ) as own:
        made = Server(own)
        files = [
            "SELECT pg_logical_emit_message(false, '', 'x')",
            "SELECT pg_switch_wal()",
        ] * 5  # of 16 MiB: a slot that keeps next to nothing is no matter
        made.admin(
            "CREATE EXTENSION pg_stat_statements",
            "SELECT pg_create_physical_replication_slot('unread', true)",
            "CREATE SUBSCRIPTION idle CONNECTION 'dbname=x' PUBLICATION p WITH (connect = false)",
            *files,
            database="shop",
        )
        yield made


def test_every_question_is_answered_by_this_version(
    server: Server, run_module: RunModule, tmp_path: Path
) -> None:
    with server.session(server.admin_url, "other") as connection:
        connection.cursor().execute("; ".join(["SELECT 1"] * 3))
        for _ in range(3):
            answer = run_module(
                "pg_health", {"database_url": server.admin_url, "state_dir": str(tmp_path)}
            )
        assert {check["name"] for check in answer["checks"]} == SERVER_CHECKS
        assert {
            check["name"]: check["summary"]
            for check in answer["checks"]
            if check["status"] == "unknown"
        } == {}
        assert by_name(answer, "postgres.replication", "slot unread")["status"] == "warning"
        idle = by_name(answer, "postgres.replication", "subscription idle")
        assert "is disabled" in idle["summary"]
        assert "there is no archive_command" in by_name(answer, "postgres.archiver")["summary"]
        restricted = run_module(
            "pg_health", {"database_url": server.url(), "state_dir": str(tmp_path)}
        )
    unknown = {check["name"] for check in restricted["checks"] if check["status"] == "unknown"}
    assert unknown == {"postgres.idle_in_transaction", "postgres.long_transactions"}
    assert by_name(restricted, "postgres.replication", "subscription idle")["evidence"]
    assert by_name(restricted, "postgres.connections")["value"] == 1.0
