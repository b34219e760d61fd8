"""pg_review of bloated and invalid indexes."""

from __future__ import annotations

import threading
import time

import psycopg2
import pytest

from tests.conftest import by_name
from tests.support.postgres import Server, bloated, run_sql
from tests.support.postgres_reviews import PARTITIONED, SMALL, Look


def test_the_bloat_of_a_table_and_an_index(server: Server, url: str, look: Look) -> None:
    run_sql(url, *bloated(rows=400_000))
    for extension in (False, True):
        if extension:
            server.admin("CREATE EXTENSION pgstattuple", database=url.rpartition("/")[2])
        answer = look("indexes", "tables", thresholds=SMALL)
        bloat = by_name(answer, "postgres.index_bloat")
        assert bloat["status"] == "warning"
        (row,) = bloat["evidence"]
        assert (row["index"], row["method"]) == (
            "public.messages_word",
            "measured" if extension else "estimated",
        )
        assert 0.4 < row["wasted_bytes"] / row["bytes"] < 0.75
        (row,) = by_name(answer, "postgres.table_bloat")["evidence"]
        assert row["table"] == "public.messages"
        assert 0.4 < row["wasted_bytes"] / row["bytes"] < 0.6


def test_an_invalid_index(server: Server, url: str, look: Look) -> None:
    run_sql(url, "CREATE TABLE t (a int)", "INSERT INTO t VALUES (1), (1)")
    with pytest.raises(psycopg2.errors.UniqueViolation):
        run_sql(url, "CREATE UNIQUE INDEX CONCURRENTLY t_a ON t (a)")
    check = by_name(look("indexes"), "postgres.invalid_indexes")
    assert (check["status"], check["value"]) == ("warning", 1)
    assert check["evidence"][0]["index"] == "public.t_a"


def test_an_invalid_index_of_a_partitioned_table(url: str, look: Look) -> None:
    run_sql(url, *PARTITIONED[:4], "CREATE INDEX log_line ON ONLY log (line)")
    check = by_name(look("indexes"), "postgres.invalid_indexes")
    assert check["status"] == "unknown"
    assert "public.log_line" in check["summary"]
    assert "ATTACH PARTITION" in check["remedy"]


@pytest.mark.parametrize(
    "statement",
    [
        "CREATE INDEX CONCURRENTLY t_b ON t (b)",
        "DROP INDEX CONCURRENTLY t_a",
        "REINDEX INDEX CONCURRENTLY t_a",
    ],
)
def test_an_index_that_is_being_built_or_dropped_is_not_invalid(
    server: Server, url: str, look: Look, statement: str
) -> None:
    run_sql(url, "CREATE TABLE t (a int, b int)", "CREATE INDEX t_a ON t (a)")
    with (
        server.role("blind") as blind,
        server.session(url) as holder,
        server.session(url, autocommit=True) as worker,
    ):
        holder.cursor().execute("INSERT INTO t VALUES (1, 1)")
        thread = threading.Thread(target=worker.cursor().execute, args=(statement,))
        thread.start()
        while server.admin(
            "SELECT count(*) FROM pg_index WHERE NOT indisvalid", database=url.rpartition("/")[2]
        ) != [(1,)]:
            time.sleep(0.02)
        for address in (url, blind.rpartition("/")[0] + "/" + url.rpartition("/")[2]):
            check = by_name(look("indexes", database_url=address), "postgres.invalid_indexes")
            assert check["status"] == "ok", check
        holder.rollback()
        thread.join()


def test_an_invalid_index_of_a_table_that_somebody_locks_is_unknown(
    server: Server, url: str, look: Look
) -> None:
    run_sql(url, "CREATE TABLE t (a int)", "INSERT INTO t VALUES (1), (1)")
    with pytest.raises(psycopg2.errors.UniqueViolation):
        run_sql(url, "CREATE UNIQUE INDEX CONCURRENTLY t_a ON t (a)")
    with server.session(url) as holder:
        holder.cursor().execute("LOCK TABLE t IN SHARE UPDATE EXCLUSIVE MODE")
        check = by_name(look("indexes"), "postgres.invalid_indexes")
        assert check["status"] == "unknown"
        assert "a session locks t" in check["summary"]
        holder.rollback()
