"""pg_maintenance blocks no one for long, and does not wait for long itself."""

from __future__ import annotations

import json
import threading
import time
from typing import Any

from tests.conftest import by_name
from tests.support.maintenance import Maintain, done, invalid
from tests.support.postgres import (
    Server,
    bloated,
    run_sql,
)


def test_a_migration_does_not_wait_for_it(server: Server, maintain: Maintain) -> None:
    """A vacuum that is told to crawl; an ALTER TABLE comes along."""
    run_sql(
        server.url(),
        "CREATE TABLE t (id int PRIMARY KEY, word text)",
        "INSERT INTO t SELECT g, repeat('x', 500) FROM generate_series(1, 60000) g",
    )
    answers: list[dict[str, Any]] = []
    thread = threading.Thread(
        target=lambda: answers.append(
            maintain(
                operations=["vacuum"], cost_delay=50, cost_limit=20, max_block=0.5, time_budget=60
            )
        )
    )
    thread.start()
    while not server.admin("SELECT 1 FROM pg_stat_progress_vacuum"):
        time.sleep(0.02)
    started = time.monotonic()
    with server.session(autocommit=True) as connection:
        connection.cursor().execute("SET lock_timeout = '10s'")
        connection.cursor().execute("ALTER TABLE t ADD COLUMN more int")
        assert time.monotonic() - started < 5
        while not server.admin("SELECT 1 FROM pg_stat_progress_vacuum"):  # tried once more
            time.sleep(0.02)
        connection.cursor().execute("ALTER TABLE t ADD COLUMN still_more int")
    thread.join()
    (action,) = answers[0]["actions"]
    assert action["status"] == "skipped"
    assert "another session had waited" in action["reason"]
    assert "failed" not in answers[0]


def test_a_rebuild_waits_for_writers_no_longer_than_it_may(
    server: Server, maintain: Maintain
) -> None:
    run_sql(server.url(), *bloated())
    with server.session(application="import") as holder:
        holder.cursor().execute("UPDATE messages SET kind = 0 WHERE id = 1")
        answer = maintain(bloat_bytes=1_000_000, only=["messages_word"], max_wait=2)
        assert done(answer) == []
        rebuild, cleanup = answer["actions"]
        assert (rebuild["name"], rebuild["status"]) == ("postgres.reindex", "skipped")
        assert f"pid {holder.info.backend_pid} (import)" in rebuild["reason"]
        assert (cleanup["subject"], cleanup["status"]) == (
            "public.messages_word_ccnew",
            "skipped",
        )  # dropping it waits for the writer, too
        assert by_name(answer, "postgres.maintenance")["status"] == "warning"
        holder.rollback()
    assert done(maintain(bloat_bytes=1_000_000, only=["messages"])) == [
        ("cleanup", "public.messages_word_ccnew"),
        ("reindex", "public.messages_word"),
    ]
    assert invalid(server) == []


def test_a_rebuild_that_waits_for_readers_has_succeeded(server: Server, maintain: Maintain) -> None:
    """The new index is in use by then; the old one goes as soon as nobody reads it any more."""
    run_sql(server.url(), *bloated())
    with server.session(application="reporting") as holder:
        holder.cursor().execute("SELECT count(*) FROM messages")
        answer = maintain(bloat_bytes=1_000_000, only=["messages_word"], max_wait=2)
        assert done(answer) == [("reindex", "public.messages_word")]
        assert done(answer, "skipped") == [("cleanup", "public.messages_word_ccold")]
        assert f"pid {holder.info.backend_pid}" in json.dumps(answer["actions"])
        assert answer["actions"][0]["after"] < answer["actions"][0]["before"]
        holder.rollback()
    assert done(maintain(bloat_bytes=1_000_000)) == [("cleanup", "public.messages_word_ccold")]
    assert invalid(server) == []


def test_jobs_do_not_get_into_each_others_way(server: Server, maintain: Maintain) -> None:
    """Rebuilding an index on an expression waits for the snapshots of other rebuilds.

    ANALYZE of a partitioned table locks its partitions.
    """
    for table in ("one", "two"):
        statements = bloated(table, rows=100_000, index=f"{table}_word")
        run_sql(
            server.url(),
            *(
                line.replace("(word)", "(md5(word))") if line.startswith("CREATE INDEX") else line
                for line in statements
            ),
        )
    answer = maintain(bloat_bytes=1_000_000, jobs=2, max_wait=0.3)
    assert done(answer) == [("reindex", "public.one_word"), ("reindex", "public.two_word")], answer
    run_sql(
        server.url(),
        "CREATE TABLE events (id int, word text) PARTITION BY RANGE (id)",
        "CREATE TABLE events_1 PARTITION OF events FOR VALUES FROM (0) TO (1000000)",
        "CREATE INDEX events_word ON events (word)",
        "INSERT INTO events SELECT g, md5(g::text) FROM generate_series(1, 100000) g",
        *["UPDATE events SET word = md5(word)", "VACUUM events"] * 2,
        "ANALYZE events_1",
    )
    answer = maintain(bloat_bytes=1_000_000, jobs=2, only=["events"])
    assert done(answer) == [
        ("analyze", "public.events"),
        ("reindex", "public.events_1_word_idx"),
    ], answer
