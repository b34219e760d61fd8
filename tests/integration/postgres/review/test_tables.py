"""pg_review of tables: dead rows, bloat, growth."""

from __future__ import annotations

import threading
import time
from pathlib import Path
from typing import Any

import psycopg2
import pytest

from tests.conftest import by_name
from tests.support.postgres import Server, run_sql
from tests.support.postgres_reviews import SMALL, Look, pass_time, server_version


def test_three_million_dead_rows(url: str, look: Look, tmp_path: Path) -> None:
    run_sql(
        url,
        "CREATE TABLE dead (id int)",
        "INSERT INTO dead SELECT generate_series(1, 3000000)",
        "DELETE FROM dead",
        "CREATE TABLE alive (id int)",
        "INSERT INTO alive SELECT generate_series(1, 500)",
        "ANALYZE alive",
    )
    first = by_name(look("vacuum"), "postgres.vacuum_due")
    assert first["not_judged"]
    assert "later shows whether autovacuum is late" in first["summary"]
    pass_time(tmp_path)
    due = by_name(look("vacuum"), "postgres.vacuum_due")
    assert due["status"] == "warning"
    assert due["window"].startswith("since statistics reset ")
    assert "public.dead: 3,000,000 dead rows, 100 % of all" in due["summary"]
    assert [row["table"] for row in due["evidence"]] == ["public.dead"]


def test_a_table_at_which_vacuum_works_is_not_due(
    server: Server, url: str, look: Look, tmp_path: Path
) -> None:
    run_sql(
        url,
        "CREATE TABLE busy (word text)",
        "INSERT INTO busy SELECT repeat('x', 500) FROM generate_series(1, 60000)",
        "DELETE FROM busy",
    )
    look("vacuum")
    pass_time(tmp_path)
    assert by_name(look("vacuum"), "postgres.vacuum_due")["status"] == "warning"
    with server.role("blind") as blind, server.session(url, autocommit=True) as worker:
        worker.cursor().execute("SET vacuum_cost_delay = 100; SET vacuum_cost_limit = 1")
        thread = threading.Thread(target=interrupted, args=(worker, "VACUUM busy"))
        thread.start()
        while not server.admin("SELECT 1 FROM pg_stat_progress_vacuum"):
            time.sleep(0.02)
        for address in (url, blind.rpartition("/")[0] + "/" + url.rpartition("/")[2]):
            due = by_name(look("vacuum", database_url=address), "postgres.vacuum_due")
            assert due["status"] == "ok", due
        worker.cancel()
        thread.join()


def interrupted(connection: Any, statement: str) -> None:
    """Run what somebody is going to cancel."""
    with pytest.raises(psycopg2.errors.QueryCanceled):
        connection.cursor().execute(statement)


def test_bloat_is_not_told_from_statistics_that_a_load_has_left_behind(
    url: str, look: Look
) -> None:
    run_sql(
        url,
        "CREATE TABLE loaded (id int, word text)",
        "INSERT INTO loaded SELECT g, repeat('x', 100) FROM generate_series(1, 1000) g",
        "ANALYZE loaded",
        "INSERT INTO loaded SELECT g, repeat('x', 100) FROM generate_series(1, 300000) g",
    )
    bloat = by_name(look("tables", thresholds=SMALL), "postgres.table_bloat")
    assert bloat["status"] == "unknown"
    assert "public.loaded" in bloat["summary"]
    run_sql(url, "ANALYZE loaded")
    assert by_name(look("tables", thresholds=SMALL), "postgres.table_bloat")["status"] == "ok"


def test_bloat_of_a_table_with_a_virtual_column_is_known(url: str, look: Look) -> None:
    if server_version(url) < 18:
        pytest.skip("virtual generated columns came with PostgreSQL 18")
    run_sql(
        url,
        "CREATE TABLE v (id int, word text, twice int GENERATED ALWAYS AS (id * 2) VIRTUAL)",
        "INSERT INTO v SELECT g, repeat('x', 100) FROM generate_series(1, 200000) g",
        "VACUUM ANALYZE v",
    )
    assert by_name(look("tables"), "postgres.table_bloat")["status"] == "ok"


def test_growth_since_the_last_run(url: str, look: Look, tmp_path: Path) -> None:
    run_sql(
        url,
        "CREATE TABLE g (word text)",
        "INSERT INTO g SELECT repeat('x', 400) FROM generate_series(1, 40000)",
    )
    assert (
        "growth is known from the next run on"
        in by_name(look("tables"), "postgres.table_sizes")["summary"]
    )
    pass_time(tmp_path)
    run_sql(url, "INSERT INTO g SELECT repeat('x', 400) FROM generate_series(1, 40000)")
    check = by_name(look("tables"), "postgres.table_sizes")
    assert (check["status"], check["value"]) == ("warning", pytest.approx(100, abs=2))
    assert "public.g has grown most, by " in check["summary"]
    assert check["window"].endswith("/PT2H")
