"""pg_review while other sessions lock, alter or drop what it inspects."""

from __future__ import annotations

import json
import time
from pathlib import Path

import psycopg2
import pytest

from ansible_collections.gpt_agent.runbook.plugins.module_utils.core.errors import NotCollected
from ansible_collections.gpt_agent.runbook.plugins.module_utils.postgres.queries import (
    HELD,
    INDEXES,
    TABLES,
    WORKED,
)
from ansible_collections.gpt_agent.runbook.plugins.module_utils.postgres.review.queries import (
    WIDTHS,
)
from tests.conftest import by_name
from tests.support.postgres import Server, run_sql
from tests.support.postgres_reviews import Look, bad, connected, contents, named


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
        (
            "DO $$ BEGIN FOR n IN 1..300 LOOP EXECUTE format('CREATE SEQUENCE s%s', n); "
            "PERFORM setval('s' || n, n); END LOOP; END $$"
        ),
    )
    with connected(url) as connection:
        found = contents(connection, tmp_path, "tables")
        assert not isinstance(found.sequences, NotCollected)
        assert sorted(row["last"] for row in found.sequences) == list(range(1, 301))
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
    bloated_url: str, tmp_path: Path, area: str, questions: set[str]
) -> None:
    relations = (
        set()
        if area == "settings"
        else {"its settings", "its tables", "its indexes", "the oldest transactions"}
    )
    with connected(bloated_url) as connection:
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
