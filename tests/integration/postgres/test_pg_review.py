"""pg_review against real servers with known faults: each is found and named, and nothing else is."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

import psycopg2
import pytest

from ansible_collections.gpt_agent.runbook.plugins.module_utils.core.deadline import Deadline
from ansible_collections.gpt_agent.runbook.plugins.module_utils.postgres.connection import (
    Connection,
)
from ansible_collections.gpt_agent.runbook.plugins.module_utils.postgres.queries import (
    HELD,
    INDEXES,
    TABLES,
    WORKED,
)
from ansible_collections.gpt_agent.runbook.plugins.module_utils.postgres.review.collect import (
    collect_database,
)
from ansible_collections.gpt_agent.runbook.plugins.module_utils.postgres.review.history import (
    DatabaseHistory,
)
from ansible_collections.gpt_agent.runbook.plugins.module_utils.postgres.review.options import (
    Options,
)
from ansible_collections.gpt_agent.runbook.plugins.module_utils.postgres.review.queries import (
    WIDTHS,
)
from ansible_collections.gpt_agent.runbook.plugins.module_utils.postgres.review.snapshot import (
    DatabaseSnapshot,
)
from ansible_collections.gpt_agent.runbook.plugins.module_utils.postgres.url import parse_url
from ansible_collections.gpt_agent.runbook.plugins.module_utils.postgres.xmin_horizon import (
    xmin_holders,
)
from tests.conftest import RunModule, by_name
from tests.support.postgres import (
    CRAWLING,
    FOLDERS,
    Server,
    Throwaway,
    bloated,
    eventually,
    run_sql,
    slow_to_vacuum,
    throwaway,
)

AREAS = ["locks", "vacuum", "tables", "indexes", "statements", "settings"]
Look = Callable[..., dict[str, Any]]
#: Where tables of a test are small.
SMALL = {
    f"postgres.{name}": {"warning": 1_000_000, "critical": None}
    for name in ("index_bloat", "unused_indexes", "table_bloat")
}


@pytest.fixture(params=["", *FOLDERS], ids=lambda folder: folder or "demo", scope="module")
def own(request: pytest.FixtureRequest) -> Iterator[Throwaway]:
    programs = Path(request.param or request.getfixturevalue("stack").settings["bin"]["postgres"])
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


def bad(answer: dict[str, Any]) -> dict[str, str]:
    """What is not ok, and how bad it is."""
    return {
        check["name"].removeprefix("postgres."): check["status"]
        for check in answer["checks"]
        if check["status"] != "ok"
    }


def pass_time(tmp_path: Path, seconds: float = 7200) -> None:
    """Make what the last run has kept so much older."""
    for file in (tmp_path / "state").glob("pg_review*"):
        kept = json.loads(file.read_text())
        for sample in kept["samples"]:
            sample["time"] -= seconds
        file.write_text(json.dumps(kept))


def named(url: str) -> str:
    return f"database {url.rpartition('/')[2]}"


class Listening(Connection):
    """Remembers what was asked."""

    def rows(self, question: str, *more: Any) -> list[tuple[Any, ...]]:
        self.asked = [*getattr(self, "asked", []), question]
        return super().rows(question, *more)


@contextmanager
def connected(url: str) -> Iterator[Listening]:
    with closing(Listening(parse_url(url), "test", Deadline(30))) as connection:
        connection.open()
        connection.begin("itself", "SELECT 1")
        yield connection


def contents(connection: Connection, folder: Path, *areas: str) -> DatabaseSnapshot:
    history = DatabaseHistory(str(folder), "here", "this")
    return collect_database(Options(areas), connection, history)


# --- nothing is wrong -------------------------------------------------------------------------------------------------


def test_a_healthy_database_is_ok_in_every_respect(server: Server, url: str, look: Look) -> None:
    run_sql(
        url,
        "CREATE TABLE customers (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, mail text UNIQUE)",
        "CREATE TABLE orders (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, customer bigint NOT NULL REFERENCES customers, placed date)",
        "CREATE INDEX ON orders (customer)",
        "INSERT INTO customers (mail) SELECT 'c' || g || '@example.org' FROM generate_series(1, 200000) g",
        "INSERT INTO orders (customer, placed) SELECT g, '2026-01-01' FROM generate_series(1, 200000) g",
        "VACUUM ANALYZE customers, orders",
        "DO $$ BEGIN FOR turn IN 1..1000 LOOP COMMIT; END LOOP; END $$",  # fewer transactions are too few to judge
    )
    answer = look()
    expected = {}
    if (
        by_name(answer, "postgres.checksum_failures")["status"] == "unknown"
    ):  # initdb switches checksums on from 18 on only
        assert server_version(url) < 18
        expected["checksum_failures"] = "unknown"
    assert bad(answer) == expected, [check for check in answer["checks"] if check["status"] != "ok"]
    sizes = by_name(answer, "postgres.table_sizes")
    assert sizes["subject"] == named(url)
    assert [row["table"] for row in sizes["evidence"]] == ["public.customers", "public.orders"]
    assert (
        sizes["evidence"][0]["bytes"]
        == run_sql(url, "SELECT pg_total_relation_size('customers')")[0][0]
    )


def server_version(url: str) -> int:
    return int(run_sql(url, "SHOW server_version_num")[0][0]) // 10000


# --- indexes ----------------------------------------------------------------------------------------------------------


def test_indexes_that_are_bloated_unused_or_superfluous(url: str, look: Look) -> None:
    run_sql(
        url,
        *bloated(),
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
    assert [row["index"] for row in bloat["evidence"]] == ["public.messages_word"] or bloat[
        "value"
    ] == 0  # 10 MiB have to be won
    unused = by_name(answer, "postgres.unused_indexes")
    assert unused["status"] == "warning"
    assert {row["index"] for row in unused["evidence"]} == {"public.never"}
    duplicates = by_name(answer, "postgres.duplicate_indexes")
    assert {(row["drop"], row["keep"]) for row in duplicates["evidence"]} == {
        ("public.twin_2", "public.longer"),
        ("public.twin_1", "public.longer"),
    }
    assert by_name(answer, "postgres.invalid_indexes")["status"] == "ok"
    early = look("indexes", unused_after=30, thresholds=SMALL)
    assert by_name(early, "postgres.unused_indexes")["status"] == "unknown"
    assert "the statistics are" in by_name(early, "postgres.unused_indexes")["summary"]


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


def test_a_foreign_keys_index_and_a_partitions_index_are_not_called_unused(
    url: str, look: Look
) -> None:
    run_sql(
        url,
        "CREATE TABLE parent (id int PRIMARY KEY)",
        "INSERT INTO parent SELECT generate_series(1, 1000)",
        "CREATE TABLE child (id int, parent int REFERENCES parent, filler text)",
        "INSERT INTO child SELECT g, g % 1000 + 1, repeat('x', 30) || g FROM generate_series(1, 300000) g",
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


PARTITIONED = (
    "CREATE TABLE log (day int, hour int, line text) PARTITION BY LIST (day)",
    "CREATE TABLE log_1 PARTITION OF log FOR VALUES IN (1) PARTITION BY LIST (hour)",
    "CREATE TABLE log_1_1 PARTITION OF log_1 FOR VALUES IN (1)",
    "CREATE TABLE log_1_2 PARTITION OF log_1 FOR VALUES IN (2)",
    "INSERT INTO log SELECT 1, g % 2 + 1, repeat('x', 50) || g FROM generate_series(1, 400000) g",
)


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
    assert (
        by_name(look("indexes", unused_after=after, thresholds=SMALL), "postgres.unused_indexes")[
            "status"
        ]
        == "unknown"
    )
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


# --- tables -----------------------------------------------------------------------------------------------------------


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
    assert first["status"] == "unknown"
    assert "whether autovacuum is late, the next run tells" in first["summary"]
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


def test_a_sequence_near_its_end(url: str, look: Look) -> None:
    run_sql(
        url,
        "CREATE TABLE narrow (id serial PRIMARY KEY)",
        "CREATE TABLE wide (id bigserial PRIMARY KEY)",
        "SELECT setval('narrow_id_seq', (2147483647 * 0.951)::bigint)",
        "SELECT setval('wide_id_seq', (2147483647 * 0.951)::bigint)",
        'CREATE SEQUENCE "Around.%s" MAXVALUE 10 CYCLE',
        "SELECT nextval('\"Around.%s\"') FROM generate_series(1, 10)",
    )
    check = by_name(look("tables"), "postgres.sequences")
    assert (check["status"], check["value"]) == ("critical", 95.1)
    assert [row["sequence"] for row in check["evidence"]] == ["public.narrow_id_seq"]
    assert "which fills narrow.id (integer)" in check["summary"]


@pytest.mark.parametrize(
    ("column", "type_"),
    [("int DEFAULT nextval('loose')", "integer"), ("number_2 DEFAULT nextval('loose')", "integer")],
)
def test_a_sequence_fills_a_column_that_does_not_own_it(
    url: str, look: Look, column: str, type_: str
) -> None:
    run_sql(
        url,
        "CREATE DOMAIN number AS int",
        "CREATE DOMAIN number_2 AS number",
        "CREATE SEQUENCE loose",
        f"CREATE TABLE wide (id bigint DEFAULT nextval('loose'), narrow {column})",
        "SELECT setval('loose', (2147483647 * 0.951)::bigint)",
    )
    check = by_name(look("tables"), "postgres.sequences")
    assert (check["status"], check["value"]) == ("critical", 95.1)
    assert f"which fills wide.narrow ({type_})" in check["summary"]


def test_who_may_use_a_sequence_may_see_how_far_it_is(server: Server, url: str, look: Look) -> None:
    run_sql(url, "CREATE SEQUENCE s MAXVALUE 100", "SELECT setval('s', 96)")
    with server.role("user_of") as user:
        address = user.rpartition("/")[0] + "/" + url.rpartition("/")[2]
        run_sql(url, "GRANT USAGE ON s TO user_of")
        check = by_name(look("tables", database_url=address), "postgres.sequences")
        run_sql(url, "REVOKE ALL ON s FROM user_of")
    assert check["status"] == "critical"


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


def test_odd_names_and_a_table_that_somebody_locks(server: Server, url: str, look: Look) -> None:
    odd = '"Odd ""; DROP TABLE x; -- %s\n.t"'
    run_sql(
        url,
        f"CREATE TABLE {odd} (id int PRIMARY KEY, word text)",
        f"INSERT INTO {odd} SELECT g, md5(g::text) FROM generate_series(1, 200000) g",
    )
    with server.session(url) as holder:
        cursor = holder.cursor()
        cursor.execute("CREATE TABLE locked (id serial)")
        holder.commit()
        cursor.execute(f"LOCK TABLE locked, {odd} IN ACCESS EXCLUSIVE MODE")
        started = time.monotonic()
        answer = look()
        assert time.monotonic() - started < 10
        inspection = by_name(answer, "postgres.inspection", named(url))
        assert (inspection["status"], len(inspection["evidence"])) == ("unknown", 2)
        assert "Another session locks 2 tables, such as public." in inspection["summary"]
        assert not [
            check for check in answer["checks"] if check["summary"].startswith("Unknown")
        ], answer["checks"]
        holder.rollback()
    rows = by_name(look("vacuum"), "postgres.statistics_due")["evidence"]
    assert odd in json.dumps([row["table"] for row in rows]).encode().decode(
        "unicode_escape"
    ).replace('\\"', '"')


def test_nothing_is_locked_in_a_database_that_has_been_looked_at(
    server: Server, url: str, tmp_path: Path
) -> None:
    run_sql(
        url,
        "DO $$ BEGIN FOR n IN 1..300 LOOP EXECUTE format('CREATE SEQUENCE s%s', n); PERFORM setval('s' || n, n); END LOOP; END $$",
    )
    with connected(url) as connection:
        found = contents(connection, tmp_path, "tables")
        assert sorted(row["last"] for row in found.sequences) == list(range(1, 301))  # type: ignore[union-attr]
        assert server.admin(f"SELECT count(*) FROM pg_locks WHERE pid = {connection.pid}") == [(0,)]
        assert server.admin(
            f"SELECT xact_start FROM pg_stat_activity WHERE pid = {connection.pid}"
        ) == [(None,)]


@pytest.mark.parametrize(
    ("area", "questions"),
    [
        ("vacuum", {"its statistics"}),
        ("tables", {"its columns", "its sequences"}),
        ("indexes", {"its statistics", "an index"}),
        ("settings", {"its collations"}),
    ],
)
def test_only_what_an_area_needs_is_asked(
    server: Server, url: str, tmp_path: Path, area: str, questions: set[str]
) -> None:
    run_sql(url, *bloated(rows=200_000), "CREATE SEQUENCE s")
    server.admin("CREATE EXTENSION pgstattuple", database=url.rpartition("/")[2])
    relations = (
        set()
        if area == "settings"
        else {"its settings", "its tables", "its indexes", "the oldest transactions"}
    )
    with connected(url) as connection:
        contents(connection, tmp_path, area)
        assert set(connection.asked) == questions | relations


def test_a_locked_table_with_a_partial_index(server: Server, url: str, look: Look) -> None:
    run_sql(
        url,
        "CREATE TABLE t (id int, word text)",
        "INSERT INTO t SELECT g % 3, 'x' FROM generate_series(1, 10) g",
        "CREATE TABLE u (id int)",
        "CREATE INDEX few ON t (id) WHERE id > 5",
        "CREATE INDEX same ON t (id)   WHERE   id > 5",
        "CREATE INDEX other ON t (id) WHERE id > 6",
        "CREATE INDEX low ON t (lower(word))",
    )
    with pytest.raises(psycopg2.errors.UniqueViolation):
        run_sql(url, "CREATE UNIQUE INDEX CONCURRENTLY broken ON t (id) WHERE id > 0")
    with server.session(url) as holder:
        holder.cursor().execute("LOCK TABLE t IN ACCESS EXCLUSIVE MODE")
        answer = look("indexes", "tables", "vacuum")
    assert bad(answer) == {
        "inspection": "unknown",
        "invalid_indexes": "unknown",
        "duplicate_indexes": "warning",
    }, answer["checks"]
    duplicates = by_name(answer, "postgres.duplicate_indexes")["evidence"]
    assert {(row["drop"], row["keep"]) for row in duplicates} in (
        {("public.same", "public.few")},
        {("public.few", "public.same")},
    )


def test_a_table_whose_toast_index_is_locked(server: Server, url: str, look: Look) -> None:
    run_sql(url, "CREATE TABLE t (id int, word text)", "CREATE TABLE u (id int)")
    (toast,) = run_sql(
        url, "SELECT reltoastrelid::regclass::text FROM pg_class WHERE oid = 't'::regclass"
    )[0]
    with server.session(
        server.url(server.own["admin_user"], server.own["admin_password"], url.rpartition("/")[2])
    ) as holder:
        holder.cursor().execute(f"REINDEX INDEX {toast}_index")
        answer = look("tables", "vacuum")
    assert bad(answer) == {"inspection": "unknown"}, answer["checks"]
    assert by_name(answer, "postgres.inspection", named(url))["evidence"] == [{"table": "public.t"}]


def test_a_sequence_that_somebody_alters_does_not_hide_the_others(
    server: Server, url: str, look: Look
) -> None:
    run_sql(
        url, "CREATE SEQUENCE s", "CREATE SEQUENCE near MAXVALUE 100", "SELECT setval('near', 99)"
    )
    with server.session(url) as holder:
        holder.cursor().execute("ALTER SEQUENCE s CACHE 5")
        assert by_name(look("tables"), "postgres.sequences")["value"] == pytest.approx(99, abs=0.1)
        holder.rollback()
        holder.cursor().execute("ALTER SEQUENCE near MAXVALUE 1000")
        check = by_name(look("tables"), "postgres.sequences")
    assert check["status"] == "unknown"
    assert "1 sequence cannot be read right now, such as public.near" in check["summary"]


def test_what_is_dropped_while_it_is_looked_at_has_no_size(server: Server, url: str) -> None:
    run_sql(url, "CREATE TABLE t (id int PRIMARY KEY)")
    with server.session(url) as late:
        late.set_session(isolation_level="REPEATABLE READ")
        cursor = late.cursor()
        cursor.execute("SELECT 't'::regclass::oid::bigint")
        (oid,) = cursor.fetchone()
        run_sql(url, "DROP TABLE t")
        for query in (TABLES, INDEXES, WIDTHS):
            text = query.format(held=HELD, worked=WORKED, mine="true", owned="true", block=8192)
            cursor.execute(text, {"oid": None, "size": 0, "oids": [oid]})
            assert [
                row["bytes"]
                for row in cursor.fetchone()[0]
                if oid in (row["oid"], row.get("table"))
            ] == [0]


# --- locks ------------------------------------------------------------------------------------------------------------


def test_a_chain_of_three_sessions(server: Server, url: str, look: Look) -> None:
    run_sql(
        url, "CREATE TABLE t (id int PRIMARY KEY, n int)", "INSERT INTO t VALUES (1, 0), (2, 0)"
    )
    with (
        server.session(url, "root") as root,
        server.session(url, "middle") as middle,
        server.session(url, "last") as last,
    ):
        root.cursor().execute("UPDATE t SET n = 1 WHERE id = 1")
        middle.cursor().execute("UPDATE t SET n = 2 WHERE id = 2")
        pids = {connection: connection.info.backend_pid for connection in (root, middle, last)}
        updates = (
            (middle, "UPDATE t SET n = 3 WHERE id = 1"),
            (last, "UPDATE t SET n = 3 WHERE id = 2"),
        )
        threads = [
            threading.Thread(target=connection.cursor().execute, args=(statement,))
            for connection, statement in updates
        ]
        for thread in threads:
            thread.start()
        while server.admin("SELECT count(*) FROM pg_locks WHERE NOT granted") != [(2,)]:
            time.sleep(0.02)
        time.sleep(0.5)
        check = by_name(
            look("locks", thresholds={"postgres.blocked": {"warning": 0.1}}), "postgres.blocked"
        )
        root.rollback()
        threads[0].join()
        middle.rollback()
        threads[1].join()
    assert check["status"] == "warning"
    assert "2 sessions wait for a lock" in check["summary"]
    assert f"at the root: pid {pids[root]}, app 'root', idle in transaction" in check["summary"]
    waits = {row["application"]: row["waits_for"] for row in check["evidence"]}
    assert waits == {"middle": [pids[root]], "last": [pids[middle]], "root": []}


def test_who_holds_back_vacuum(server: Server, url: str, look: Look) -> None:
    name = url.rpartition("/")[2]
    run_sql(url, "CREATE TABLE t (id int)")
    server.admin(
        "SELECT pg_create_logical_replication_slot('abandoned', 'pgoutput')", database=name
    )
    server.admin(
        "BEGIN", "INSERT INTO t VALUES (1)", "PREPARE TRANSACTION 'forgotten'", database=name
    )
    with server.session(url, "reporting") as holder:
        pid = holder.info.backend_pid
        holder.set_session(isolation_level="REPEATABLE READ")
        holder.cursor().execute("SELECT 1 FROM t")
        run_sql(url, *["INSERT INTO t VALUES (1)"] * 20)
        answer = look(
            "locks",
            thresholds={
                "postgres.vacuum_horizon": {"warning": 10},
                "postgres.prepared_transactions": {"warning": 0},
            },
        )
    server.admin(
        "ROLLBACK PREPARED 'forgotten'",
        "SELECT pg_drop_replication_slot('abandoned')",
        database=name,
    )
    horizon = by_name(answer, "postgres.vacuum_horizon")
    assert horizon["status"] == "warning"
    assert "because of session" not in horizon["summary"], (
        "its snapshot is as old as what the others hold, not older"
    )
    held = " ".join(row["holder"] for row in horizon["evidence"])
    assert "prepared transaction 'forgotten'" in held
    assert "replication slot 'abandoned'" in held
    assert f"session pid {pid} (reporting)" in held
    prepared = by_name(answer, "postgres.prepared_transactions")
    assert prepared["status"] == "warning"
    assert prepared["summary"].startswith("Prepared transaction 'forgotten', open for")


def test_a_running_vacuum_holds_back_no_other(server: Server, url: str) -> None:
    run_sql(url, *slow_to_vacuum("t"))
    options = " ".join(f"-c vacuum_{name}={value}" for name, value in CRAWLING.items())
    with (
        server.session(f"{url}?options={quote(options)}", autocommit=True) as crawling,
        connected(url) as connection,
    ):
        vacuum = threading.Thread(target=canceled, args=(crawling, "VACUUM t"))
        vacuum.start()
        try:
            eventually(
                lambda: server.admin("SELECT count(*) FROM pg_stat_progress_vacuum") == [(1,)]
            )
            pid = crawling.info.backend_pid
            assert server.admin(
                f"SELECT backend_xmin IS NOT NULL FROM pg_stat_activity WHERE pid = {pid}"
            ) == [(True,)]
            assert not [
                row for row in xmin_holders(connection.rows) if f"pid {pid} " in row["whose"]
            ]
        finally:
            server.admin(f"SELECT pg_cancel_backend({pid})")
            vacuum.join()


def canceled(connection: Any, statement: str) -> None:
    with pytest.raises(psycopg2.errors.QueryCanceled):
        connection.cursor().execute(statement)


def test_a_snapshot_is_no_older_than_its_statement(server: Server, url: str) -> None:
    with server.session(url, "reader") as reader, connected(url) as connection:
        pid = reader.info.backend_pid
        reader.cursor().execute("SELECT pg_sleep(1.2)")
        statement = threading.Thread(target=canceled, args=(reader, "SELECT pg_sleep(60)"))
        statement.start()
        try:
            eventually(
                lambda: (
                    server.admin(f"SELECT state FROM pg_stat_activity WHERE pid = {pid}")
                    == [("active",)]
                )
            )
            (row,) = xmin_holders(connection.rows, connection.database)
        finally:
            server.admin(f"SELECT pg_cancel_backend({pid})")
            statement.join()
    assert row["whose"] == f"pid {pid} (reader)"
    assert 0 <= row["seconds"] < 1.2


def test_a_subscriptions_worker_holds_back_vacuum(server: Server, url: str) -> None:
    name, source = url.rpartition("/")[2], server.own["database"]
    server.admin(
        "CREATE TABLE sent (id int)", "CREATE PUBLICATION sends FOR TABLE sent", database=source
    )
    server.admin("SELECT pg_create_logical_replication_slot('sends', 'pgoutput')", database=source)
    how = "WITH (create_slot = false, slot_name = 'sends', copy_data = false)"
    conninfo = server.url(server.own["admin_user"], server.own["admin_password"], source)
    server.admin(
        "CREATE TABLE sent (id int)",
        f"CREATE SUBSCRIPTION takes CONNECTION '{conninfo}' PUBLICATION sends {how}",
        database=name,
    )
    try:
        with (
            server.session(
                server.url(server.own["admin_user"], server.own["admin_password"], name)
            ) as holder,
            connected(url) as connection,
        ):
            holder.cursor().execute("LOCK TABLE sent IN ACCESS EXCLUSIVE MODE")
            server.admin("INSERT INTO sent VALUES (1)", database=source)
            eventually(
                lambda: server.admin(
                    "SELECT 1 FROM pg_stat_activity WHERE backend_type LIKE 'logical replication%' AND backend_xmin IS NOT NULL"
                )
            )
            assert any(
                "logical replication" in row["whose"] for row in xmin_holders(connection.rows, name)
            )
    finally:
        server.admin(
            "ALTER SUBSCRIPTION takes DISABLE",
            "ALTER SUBSCRIPTION takes SET (slot_name = NONE)",
            "DROP SUBSCRIPTION takes",
            database=name,
        )
        eventually(
            lambda: (
                server.admin("SELECT active FROM pg_replication_slots WHERE slot_name = 'sends'")
                == [(False,)]
            )
        )
        server.admin(
            "SELECT pg_drop_replication_slot('sends')",
            "DROP PUBLICATION sends",
            "DROP TABLE sent",
            database=source,
        )


# --- statements -------------------------------------------------------------------------------------------------------


def test_a_review_is_not_compared_with_the_last_checklist(
    run_module: RunModule, url: str, look: Look, tmp_path: Path
) -> None:
    def kept() -> set[str]:
        return {file.name.partition("-")[0] for file in (tmp_path / "state").glob("*.json")}

    look("locks")
    assert kept() == set(), "it judges no counters"
    look("statements")
    review = {"pg_review", "pg_review_statements"}
    assert kept() == review
    run_module("pg_health", {"database_url": url, "state_dir": str(tmp_path / "state")})
    assert kept() == {*review, "pg_health", "pg_health_statements"}


# --- settings, rights, databases --------------------------------------------------------------------------------------


def test_parameters_that_endanger_data(server: Server, look: Look) -> None:
    server.admin(
        "ALTER SYSTEM SET autovacuum = off",
        "ALTER SYSTEM SET max_connections = 90",
        "SELECT pg_reload_conf()",
    )
    try:
        time.sleep(0.5)
        check = by_name(look("settings"), "postgres.settings")
    finally:
        server.admin("ALTER SYSTEM RESET ALL", "SELECT pg_reload_conf()")
    assert check["status"] == "critical"
    assert "autovacuum is off" in check["summary"]


def test_a_roles_own_parameter_is_not_the_servers(server: Server, look: Look) -> None:
    server.admin("ALTER ROLE app SET track_activities = off")
    try:
        check = by_name(look("settings"), "postgres.settings")
    finally:
        server.admin("ALTER ROLE app RESET track_activities")
    assert check["status"] == "unknown"
    assert "has a value of its own for track_activities" in check["summary"]


def test_a_table_without_autovacuum(url: str, look: Look) -> None:
    run_sql(
        url,
        "CREATE TABLE t (id int) WITH (autovacuum_enabled = no)",
        "CREATE TABLE u (id int) WITH (autovacuum_enabled = on)",
    )
    check = by_name(look("settings"), "postgres.settings", named(url))
    assert check["status"] == "warning"
    assert check["evidence"] == [{"table": "public.t"}]


def test_collations_that_have_changed(server: Server, url: str, look: Look) -> None:
    name = url.rpartition("/")[2]
    run_sql(url, 'CREATE TABLE t (word text COLLATE "POSIX")', "CREATE INDEX ON t (word)")
    assert by_name(look("settings"), "postgres.collations")["status"] == "ok"
    server.admin(
        "UPDATE pg_collation SET collversion = '1.0' WHERE collname = 'POSIX'", database=name
    )
    check = by_name(look("settings"), "postgres.collations", named(url))
    assert check["status"] == "critical"
    assert 'Collation "POSIX" sorts by a library without versions now' in check["summary"]
    if server_version(url) < 15:
        return
    server.admin(
        f"UPDATE pg_database SET datcollversion = '2.0' WHERE datname IN ('{name}', 'template0')"
    )
    try:
        answer = look("settings")
    finally:
        server.admin("UPDATE pg_database SET datcollversion = NULL")
    assert (
        f"The default of database '{name}' sorts by"
        in by_name(answer, "postgres.collations", named(url))["summary"]
    )
    others = by_name(answer, "postgres.collations", "other databases")
    assert (others["status"], [row["database"] for row in others["evidence"]]) == (
        "warning",
        ["template0"],
    )


def test_a_role_whose_transactions_are_serializable(server: Server, url: str, look: Look) -> None:
    name = url.rpartition("/")[2]
    run_sql(url, "CREATE TABLE t (id int)")
    defaults = [
        f"ALTER ROLE strict SET default_transaction_{what}"
        for what in ("isolation = serializable", "deferrable = on", "read_only = on")
    ]
    with (
        server.role("strict", *defaults, "GRANT pg_monitor TO strict") as strict,
        server.session(url) as writer,
    ):
        writer.set_session(isolation_level="SERIALIZABLE")
        writer.cursor().execute("INSERT INTO t VALUES (1)")
        answer = look("locks", database_url=f"{strict.rpartition('/')[0]}/{name}", timeout=5)
    assert by_name(answer, "postgres.reachable")["status"] == "ok"


def test_a_role_that_only_monitors_has_bloat_measured(server: Server, url: str, look: Look) -> None:
    name = url.rpartition("/")[2]
    run_sql(url, *bloated(rows=300_000))
    server.admin("CREATE EXTENSION pgstattuple", database=name)
    with server.role("watcher", "GRANT pg_monitor TO watcher") as watcher:
        check = by_name(
            look("indexes", database_url=f"{watcher.rpartition('/')[0]}/{name}", thresholds=SMALL),
            "postgres.index_bloat",
        )
    assert check["status"] == "warning", check
    assert [(row["index"], row["method"]) for row in check["evidence"]] == [
        ("public.messages_word", "measured")
    ]


def test_several_databases_in_one_call(server: Server, url: str, look: Look) -> None:
    run_sql(url, "CREATE TABLE t (a int)", "INSERT INTO t VALUES (1), (1)")
    with pytest.raises(psycopg2.errors.UniqueViolation):
        run_sql(url, "CREATE UNIQUE INDEX CONCURRENTLY t_a ON t (a)")
    server.admin("CREATE DATABASE closed", "REVOKE CONNECT ON DATABASE closed FROM public")
    try:
        answer = look("indexes", database_url=server.url(), databases=["*"])
    finally:
        server.admin("DROP DATABASE closed")
    invalid = {
        check["subject"]: check["status"]
        for check in answer["checks"]
        if check["name"] == "postgres.invalid_indexes"
    }
    assert invalid[named(url)] == "warning"
    assert {status for subject, status in invalid.items() if subject != named(url)} == {"ok"}
    refused = by_name(answer, "postgres.inspection", "database closed")
    assert refused["status"] == "unknown"
    assert "closed" in refused["summary"]


def test_what_a_role_may_not_see_is_unknown_and_names_the_grant(
    server: Server, url: str, look: Look
) -> None:
    run_sql(url, *bloated(rows=300_000), "CREATE SEQUENCE s", "SELECT nextval('s')")
    with server.role("blind") as blind:
        answer = look(database_url=blind.rpartition("/")[0] + "/" + url.rpartition("/")[2])
    unknown = {check["name"]: check for check in answer["checks"] if check["status"] == "unknown"}
    for name in ("postgres.index_bloat", "postgres.table_bloat", "postgres.sequences"):
        assert "GRANT pg_read_all_data" in unknown[name]["remedy"], name
    for name in ("postgres.vacuum_horizon", "postgres.settings", "postgres.slow_statements"):
        assert "GRANT pg_monitor" in unknown[name]["remedy"], name


def test_a_pattern_that_fits_nothing_is_misuse(run_module: RunModule, url: str) -> None:
    answer = run_module(
        "pg_review", {"database_url": url, "areas": ["tables"], "databases": ["nowhere*"]}
    )
    assert answer["failed"]
    assert "no database of this server matches 'nowhere*'" in answer["msg"]
