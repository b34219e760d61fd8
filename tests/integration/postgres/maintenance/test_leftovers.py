"""pg_maintenance and the leftovers of interrupted builds, its own killed runs included."""

from __future__ import annotations

import random
import signal
import threading
import time
from pathlib import Path

import psycopg2
import psycopg2.extras
import pytest

from tests.conftest import start_module
from tests.support.maintenance import Maintain, cut_off, done, invalid
from tests.support.postgres import (
    Server,
    bloated,
    run_sql,
)


def test_leftovers_are_dropped_and_invalid_indexes_built(
    server: Server, maintain: Maintain
) -> None:
    run_sql(
        server.url(),
        "CREATE TABLE t (id int PRIMARY KEY, a int, b int)",
        "INSERT INTO t SELECT g, g, g FROM generate_series(1, 1000) g",
        "CREATE INDEX t_a ON t (a)",
        "VACUUM ANALYZE t",
    )
    cut_off(server, "REINDEX INDEX CONCURRENTLY t_a")
    cut_off(server, "CREATE INDEX CONCURRENTLY t_b ON t (b)")
    assert sorted(invalid(server)) == ["t_a_ccnew", "t_b"]
    answer = maintain()
    assert done(answer) == [("cleanup", "public.t_a_ccnew"), ("reindex", "public.t_b")]
    assert invalid(server) == []
    assert maintain()["actions"] == []
    assert [
        row[0]
        for row in run_sql(
            server.url(),
            "SELECT indexrelid::regclass::text FROM pg_index"
            " WHERE indrelid = 't'::regclass ORDER BY 1",
        )
    ] == [
        "t_a",
        "t_b",
        "t_pkey",
    ]


def test_an_index_that_is_being_built_is_left_alone(server: Server, maintain: Maintain) -> None:
    run_sql(
        server.url(),
        "CREATE TABLE t (id int PRIMARY KEY, a int)",
        "INSERT INTO t SELECT g, g FROM generate_series(1, 1000) g",
        "CREATE INDEX t_a ON t (a)",
        "VACUUM ANALYZE t",
    )
    with server.session() as holder:
        holder.cursor().execute("UPDATE t SET a = a WHERE id = 1")
        builder = psycopg2.connect(server.url())
        builder.autocommit = True
        thread = threading.Thread(
            target=builder.cursor().execute, args=("REINDEX INDEX CONCURRENTLY t_a",)
        )
        thread.start()
        while not invalid(server):
            time.sleep(0.02)
        assert maintain(check=True)["actions"] == []
        holder.rollback()
        thread.join()
        builder.close()
    assert invalid(server) == []


# Nothing in it depends on the version, and it takes long.
@pytest.mark.parametrize("own", [""], ids=["demo"], indirect=True)
def test_killed_at_any_moment_the_next_run_cleans_up(
    server: Server, maintain: Maintain, tmp_path: Path
) -> None:
    run_sql(server.url(), *bloated(rows=60_000))
    arguments = {
        "database_url": server.url(),
        "state_dir": str(tmp_path / "state"),
        "bloat_bytes": 0,
        "bloat_share": 1,
        "cost_delay": 0,
        "timeout": 20,
    }
    chance = random.Random(7)
    for turn in range(10):
        with start_module("pg_maintenance", arguments) as child:
            while child.poll() is None and not server.admin(
                "SELECT 1 FROM pg_stat_progress_create_index"
                " UNION SELECT 1 FROM pg_stat_progress_vacuum"
            ):
                time.sleep(0.01)
            time.sleep(chance.uniform(0, 0.3))
            if turn % 2:
                server.admin(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                    " WHERE application_name LIKE 'gpt_agent.runbook/pg_maintenance%'"
                )
                child.wait(60)
            else:
                child.send_signal(signal.SIGKILL)
                child.wait()
        answer = maintain()
        assert "failed" not in answer, answer
        assert invalid(server) == []
        assert server.admin("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'") == [(0,)]
        run_sql(
            server.url(),
            "UPDATE messages SET word = md5(word) WHERE id % 2 = 0",
            "VACUUM ANALYZE messages",
        )
