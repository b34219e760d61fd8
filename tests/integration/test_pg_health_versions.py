"""pg_health against each major version of PostgreSQL that is at hand.

``POSTGRES_PROGRAMS`` names folders with initdb and pg_ctl, separated by colons.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg2
import pytest

from ansible_collections.gpt_agent.runbook.plugins.module_utils.thresholds import CATALOG
from demo.processes import Identity
from tests.conftest import RunModule, by_name

FOLDERS = [folder for folder in os.environ.get("POSTGRES_PROGRAMS", "").split(":") if folder]
ALL = {name for name in CATALOG if name.startswith("postgres.")} - {"postgres.relief"}

pytestmark = pytest.mark.skipif(not FOLDERS, reason="POSTGRES_PROGRAMS names no folders with other versions of PostgreSQL")


@pytest.fixture(params=FOLDERS or [""], scope="module")
def host(request: pytest.FixtureRequest) -> Iterator[str]:
    """The folder of the socket of a fresh server, which lets everyone in."""
    identity, programs = Identity.choose(), Path(request.param)
    with tempfile.TemporaryDirectory(prefix="pg-") as name:
        home = Path(name)
        identity.own(home)
        run: dict[str, Any] = {"env": {"PATH": os.defpath, "LC_ALL": "C"}, "cwd": home}
        identity.run([programs / "initdb", "-D", home / "data", "-U", "admin", "--auth", "trust", "-E", "UTF8", "--no-sync"], **run)
        settings = f"-c listen_addresses= -c unix_socket_directories={home} -c shared_preload_libraries=pg_stat_statements -c fsync=off -c archive_mode=on"
        identity.run([programs / "pg_ctl", "start", "-w", "-D", home / "data", "-l", home / "log", "-o", settings], **run)
        try:
            with psycopg2.connect(host=str(home), user="admin", dbname="postgres") as connection:
                cursor = connection.cursor()
                cursor.execute("CREATE ROLE plain LOGIN; CREATE EXTENSION pg_stat_statements; SELECT pg_create_physical_replication_slot('unread', true)")
            connection.close()
            yield name
        finally:
            identity.run([programs / "pg_ctl", "stop", "-D", home / "data", "-m", "immediate"], **run)


def test_every_question_is_answered_by_this_version(host: str, run_module: RunModule, tmp_path: Path) -> None:
    with psycopg2.connect(host=host, user="admin", dbname="postgres", application_name="other") as connection:
        connection.cursor().execute("; ".join(["SELECT 1"] * 3))
        for _ in range(3):
            answer = run_module("pg_health", {"database_url": f"postgresql://admin@/postgres?host={host}", "state_dir": str(tmp_path)})
        assert {check["name"] for check in answer["checks"]} == ALL
        assert {check["name"]: check["summary"] for check in answer["checks"] if check["status"] == "unknown"} == {}
        assert by_name(answer, "postgres.replication", "slot unread")["status"] == "warning"
        assert "there is no archive_command" in by_name(answer, "postgres.archiver")["summary"]
        restricted = run_module("pg_health", {"database_url": f"postgresql://plain@/postgres?host={host}", "state_dir": str(tmp_path)})
    connection.close()
    unknown = {check["name"] for check in restricted["checks"] if check["status"] == "unknown"}
    assert unknown == {"postgres.idle_in_transaction", "postgres.long_transactions"}
    assert by_name(restricted, "postgres.connections")["value"] == 1.0
