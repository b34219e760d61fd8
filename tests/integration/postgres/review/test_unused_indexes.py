"""pg_review of unused, redundant and missing indexes."""

from __future__ import annotations

import json
from pathlib import Path

from tests.conftest import by_name
from tests.support.postgres import Server, bloated, run_sql
from tests.support.postgres_reviews import PARTITIONED, SMALL, Look, pass_time


def test_indexes_that_are_bloated_unused_or_superfluous(url: str, look: Look) -> None:
    run_sql(
        url,
        *bloated(rows=400_000),  # enough for an index with more than 10 MiB to gain
        "CREATE TABLE t (id int PRIMARY KEY, a int, b text, c int UNIQUE)",
        "INSERT INTO t SELECT g, g, repeat('x', 40) || g, g FROM generate_series(1, 300000) g",
        "CREATE INDEX never ON t (b)",
        "CREATE INDEX twin_1 ON t (a)",
        "CREATE INDEX twin_2 ON t (a)",
        "CREATE INDEX longer ON t (a, b)",
        "CREATE INDEX descending ON t (a DESC)",
        "CREATE INDEX partial ON t (a) WHERE a > 5",
        "CREATE UNIQUE INDEX unique_but_unused ON t (c, b)",
        "VACUUM ANALYZE t",
        "SET enable_seqscan = off",
        "SELECT count(*) FROM messages WHERE word = 'x'",
        "SELECT a, b FROM t ORDER BY a, b LIMIT 1",
    )
    answer = look("indexes", thresholds=SMALL)
    bloat = by_name(answer, "postgres.index_bloat")
    assert [row["index"] for row in bloat["evidence"]] == ["public.messages_word"]
    assert bloat["status"] == "warning"
    assert bloat["value"] == bloat["evidence"][0]["wasted_bytes"] > 10 * 1024**2
    unused = by_name(answer, "postgres.unused_indexes")
    assert unused["status"] == "warning"
    assert {row["index"] for row in unused["evidence"]} == {"public.never"}
    duplicates = by_name(answer, "postgres.duplicate_indexes")
    assert {(row["drop"], row["keep"]) for row in duplicates["evidence"]} == {
        ("public.twin_2", "public.longer"),
        ("public.twin_1", "public.longer"),
        ("public.descending", "public.longer"),  # read backwards
    }
    assert by_name(answer, "postgres.invalid_indexes")["status"] == "ok"
    early = look("indexes", unused_after=30, thresholds=SMALL)
    assert by_name(early, "postgres.unused_indexes")["not_judged"]
    assert "the statistics are" in by_name(early, "postgres.unused_indexes")["summary"]


def test_a_foreign_keys_index_and_a_partitions_index_are_not_called_unused(
    url: str, look: Look
) -> None:
    run_sql(
        url,
        "CREATE TABLE parent (id int PRIMARY KEY)",
        "INSERT INTO parent SELECT generate_series(1, 1000)",
        "CREATE TABLE child (id int, parent int REFERENCES parent, filler text)",
        (
            "INSERT INTO child SELECT g, g % 1000 + 1, repeat('x', 30) || g FROM "
            "generate_series(1, 300000) g"
        ),
        "CREATE INDEX child_parent ON child (parent, filler)",
        "CREATE TABLE log (day int, line text) PARTITION BY LIST (day)",
        "CREATE TABLE log_1 PARTITION OF log FOR VALUES IN (1)",
        "CREATE TABLE log_2 PARTITION OF log FOR VALUES IN (2)",
        "INSERT INTO log SELECT g % 2 + 1, repeat('x', 50) || g FROM generate_series(1, 400000) g",
        "CREATE INDEX ON log (line)",
        "VACUUM ANALYZE child, log",
        "SET enable_seqscan = off",
        "SELECT count(*) FROM log_1 WHERE line = 'x'",
    )
    unused = by_name(look("indexes", thresholds=SMALL), "postgres.unused_indexes")
    assert unused["evidence"] == [], unused


def test_an_index_of_a_table_with_partitions_of_partitions_is_judged_as_a_whole(
    url: str, look: Look
) -> None:
    run_sql(
        url,
        *PARTITIONED,
        "CREATE INDEX used ON log (line)",
        "CREATE INDEX idle ON log (line, day)",
        "CREATE INDEX idle_too ON log (line, day)",
        "CREATE INDEX never ON log (day, line)",
        "VACUUM ANALYZE log",
        "SET enable_seqscan = off",
        "SELECT count(*) FROM log_1_1 WHERE line = 'x'",
        "SELECT count(*) FROM log_1_1 WHERE line = 'x'",
    )
    answer = look("indexes", thresholds=SMALL)
    size = run_sql(url, "SELECT sum(pg_relation_size(relid)) FROM pg_partition_tree('never')")[0][0]
    evidence = {row["index"]: row for row in by_name(answer, "postgres.unused_indexes")["evidence"]}
    never = {
        "index": "public.never",
        "table": "log",
        "bytes": int(size),
        "unused_days": 0,
        "drop": "DROP INDEX public.never",
    }
    assert evidence["public.never"] == never
    assert not [name for name in evidence if "log_1" in name], (
        "one that is attached cannot be dropped alone"
    )
    duplicates = by_name(answer, "postgres.duplicate_indexes")["evidence"]
    assert len(duplicates) == 2
    (kept,) = {row["keep"] for row in duplicates}
    assert kept in ("public.idle", "public.idle_too")
    assert kept not in evidence
    assert {row["statement"] for row in duplicates} == {
        f"DROP INDEX {row['drop']}" for row in duplicates
    }


def test_without_counters_nothing_is_called_unused(server: Server, url: str, look: Look) -> None:
    run_sql(
        url,
        "CREATE TABLE t (a int)",
        "INSERT INTO t SELECT generate_series(1, 600000)",
        "CREATE INDEX t_a ON t (a)",
    )
    server.admin(f'ALTER DATABASE "{url.rpartition("/")[2]}" SET track_counts = off')
    answer = look("indexes", "vacuum", thresholds=SMALL)
    for name in ("unused_indexes", "missing_indexes", "vacuum_due", "statistics_due"):
        check = by_name(answer, f"postgres.{name}")
        assert check["status"] == "unknown"
        assert "track_counts is off" in check["summary"]


def test_the_age_of_an_index_is_kept_from_run_to_run(url: str, look: Look, tmp_path: Path) -> None:
    run_sql(
        url,
        "CREATE TABLE t (a int)",
        "INSERT INTO t SELECT generate_series(1, 600000)",
        "CREATE INDEX t_a ON t (a)",
    )
    after = (
        0.00001  # days; the statistics are older than that, and the index has not been seen before
    )
    first = look("indexes", unused_after=after, thresholds=SMALL)
    assert by_name(first, "postgres.unused_indexes")["not_judged"]
    pass_time(tmp_path)
    known = by_name(
        look("indexes", unused_after=after, thresholds=SMALL), "postgres.unused_indexes"
    )
    assert [row["index"] for row in known["evidence"]] == ["public.t_a"]
    assert known["status"] == "warning"


def test_a_table_without_the_index_that_a_statement_needs(
    server: Server, url: str, look: Look
) -> None:
    run_sql(
        url,
        "CREATE TABLE visits (id int PRIMARY KEY, visitor text)",
        "INSERT INTO visits SELECT g, repeat('v', 40) || g FROM generate_series(1, 200000) g",
        "CREATE TABLE dumped (LIKE visits)",
        "INSERT INTO dumped SELECT * FROM visits",
        "VACUUM ANALYZE visits, dumped",
        *["SELECT count(*) FROM dumped"] * 3,
        *["SELECT count(*), pg_sleep(0.1) FROM visits WHERE visitor = 'nobody'"] * 60,
    )
    answer = look("indexes", "statements")
    missing = by_name(answer, "postgres.missing_indexes")
    assert missing["status"] == "warning"
    assert [row["table"] for row in missing["evidence"]] == ["public.visits"]
    assert "FROM visits WHERE visitor = " in missing["evidence"][0]["statement"]
    assert "nobody" not in json.dumps(answer)
    slow = by_name(answer, "postgres.slow_statements")
    assert slow["status"] == "warning"
    assert any(row["calls"] == 60 and "visits" in row["statement"] for row in slow["evidence"])
    server.admin("SELECT pg_stat_statements_reset()")
