"""pg_maintenance against real servers: what needs it is maintained, nothing else is touched."""

from __future__ import annotations

import json
import re

import pytest

from tests.conftest import by_name
from tests.support.maintenance import Maintain, done, size
from tests.support.postgres import (
    Server,
    bloated,
    run_sql,
)

pytestmark = pytest.mark.every_version

#: A table that needs nothing, one with dead rows, and one that was never analyzed.
THREE_TABLES = [
    "CREATE TABLE quiet (id int PRIMARY KEY, word text)",
    "INSERT INTO quiet SELECT g, md5(g::text) FROM generate_series(1, 50000) g",
    "CREATE INDEX quiet_word ON quiet (word)",
    "VACUUM ANALYZE quiet",
    "CREATE TABLE dead (id int PRIMARY KEY, word text)",
    "INSERT INTO dead SELECT g, 'x' FROM generate_series(1, 60000) g",
    "VACUUM ANALYZE dead",
    "DELETE FROM dead WHERE id % 3 = 0",
    "CREATE TABLE fresh AS SELECT g AS id FROM generate_series(1, 20000) g",
]


def test_what_needs_it_gets_it_and_a_second_run_has_nothing_to_do(
    server: Server, maintain: Maintain
) -> None:
    run_sql(server.url(), *bloated(), *THREE_TABLES)
    planned = maintain(check=True, bloat_bytes=1_000_000)
    assert planned["changed"] is True
    assert done(planned, "planned") == [
        ("analyze", "public.dead"),
        ("analyze", "public.fresh"),
        ("reindex", "public.messages_word"),
        ("vacuum", "public.dead"),
        ("vacuum", "public.fresh"),
    ]
    assert "To carry it out" in by_name(planned, "postgres.maintenance")["remedy"]
    before = size(server, "messages_word")
    answer = maintain(bloat_bytes=1_000_000)
    assert done(answer) == done(planned, "planned")
    assert not [each for each in answer["actions"] if each["status"] != "done"]
    rebuilt = next(each for each in answer["actions"] if each["subject"] == "public.messages_word")
    assert rebuilt["before"] == before
    assert rebuilt["after"] == size(server, "messages_word") < before * 0.7
    assert rebuilt["bytes"] == rebuilt["before"] - rebuilt["after"]
    check = by_name(answer, "postgres.maintenance")
    assert check["status"] == "ok", check
    assert "1 rebuilt" in check["summary"]
    vacuumed = next(
        each
        for each in answer["actions"]
        if each["subject"] == "public.dead" and each["name"] == "postgres.vacuum"
    )
    assert (vacuumed["before"], vacuumed["after"]) == ("dead_rows 20000", "dead_rows 0")
    again = maintain(bloat_bytes=1_000_000)
    assert (again["changed"], again["actions"]) == (False, [])
    assert by_name(again, "postgres.maintenance")["status"] == "ok"


def test_a_table_that_was_never_analyzed_does_not_need_two_runs(
    server: Server, maintain: Maintain
) -> None:
    fill = "INSERT INTO {0} SELECT g, md5(g::text) FROM generate_series(1, 300000) g"
    for table in ("full_of_room", "just_full"):
        run_sql(
            server.url(),
            f"CREATE TABLE {table} (id int, word text)",
            f"CREATE INDEX {table}_word ON {table} (word)",
            fill.format(table),
        )
    run_sql(
        server.url(),
        "UPDATE full_of_room SET word = md5(word)",
        "VACUUM full_of_room",
        "UPDATE full_of_room SET word = md5(word)",
        "VACUUM full_of_room",
    )
    answer = maintain(bloat_bytes=1_000_000)
    assert ("reindex", "public.full_of_room_word") in done(answer)
    assert "just_full_word" not in json.dumps(answer["actions"]), (
        "statistics show that it needs nothing"
    )
    assert by_name(answer, "postgres.maintenance")["status"] == "ok"
    assert maintain(bloat_bytes=1_000_000)["actions"] == []


def test_what_only_fresh_statistics_show_is_done_in_the_same_run(
    server: Server, maintain: Maintain
) -> None:
    """With a crash PostgreSQL loses its counters; ANALYZE counts dead rows anew."""
    run_sql(
        server.url(),
        "CREATE TABLE t (id int, word text)",
        "INSERT INTO t SELECT g, 'x' FROM generate_series(1, 100000) g",
        "VACUUM ANALYZE t",
    )
    run_sql(server.url(), "DELETE FROM t WHERE id % 2 = 0")
    server.admin("SELECT pg_stat_reset()", database=server.own["database"])
    run_sql(server.url(), "UPDATE t SET word = word WHERE id < 40000")
    answer = maintain()
    assert done(answer) == [("analyze", "public.t"), ("vacuum", "public.t")], answer
    assert maintain()["actions"] == []


def test_bloat_is_measured_where_pgstattuple_is_there(server: Server, maintain: Maintain) -> None:
    run_sql(server.url(), *bloated())
    estimated = maintain(check=True, bloat_bytes=1_000_000)["actions"]
    server.admin(
        "CREATE EXTENSION pgstattuple",
        "GRANT pg_stat_scan_tables TO app",
        database=server.own["database"],
    )
    measured = maintain(check=True, bloat_bytes=1_000_000, only=["messages"])["actions"]
    assert "estimated" in estimated[0]["reason"]
    assert "measured, confidence high" in measured[0]["reason"]
    shares = [int(re.findall(r"(\d+) %", each[0]["reason"])[0]) for each in (estimated, measured)]
    assert shares[0] == pytest.approx(shares[1], abs=5)


def test_names_are_names(server: Server, maintain: Maintain) -> None:
    table, index = '"Odd ""; DROP TABLE x; -- %s\n.t"', '"i.%(x)s""; --"'
    run_sql(server.url(), *bloated(table, index=index))
    run_sql(server.url(), f"DELETE FROM {table} WHERE id % 2 = 0")
    answer = maintain(bloat_bytes=1_000_000)
    assert "failed" not in answer, answer
    assert [name for name, _subject in done(answer)] == ["analyze", "reindex", "vacuum"]
    assert maintain(bloat_bytes=1_000_000)["actions"] == []


def test_partitions_are_analyzed_as_a_whole(server: Server, maintain: Maintain) -> None:
    run_sql(
        server.url(),
        "CREATE TABLE events (day int, word text) PARTITION BY RANGE (day)",
        *(
            f"CREATE TABLE events_{day} PARTITION OF events FOR VALUES FROM ({day}) TO ({day + 1})"
            for day in range(3)
        ),
        "INSERT INTO events SELECT g % 3, md5(g::text) FROM generate_series(1, 30000) g",
    )
    answer = maintain(operations=["analyze"])
    assert done(answer) == [("analyze", "public.events")], answer
    assert maintain(operations=["analyze"])["actions"] == []


def test_only_exclude_and_operations(server: Server, maintain: Maintain) -> None:
    run_sql(server.url(), *bloated())
    small = {"bloat_bytes": 1_000_000, "check": True}
    assert done(maintain(only=["messages_word"], **small), "planned") == [
        ("reindex", "public.messages_word")
    ]
    assert done(maintain(only=["public.mess*"], **small), "planned") == [
        ("reindex", "public.messages_word")
    ]
    assert done(maintain(exclude=["public.messages_w*"], **small), "planned") == []
    assert done(maintain(exclude=["messages"], **small), "planned") == []
    assert done(maintain(operations=["vacuum"], **small), "planned") == []
    assert "there is no table or index 'mesages'" in maintain(only=["mesages"], **small)["msg"]


def test_the_budget_of_time_and_disk(server: Server, maintain: Maintain) -> None:
    run_sql(server.url(), *bloated())
    answer = maintain(bloat_bytes=1_000_000, disk_free="1M")
    assert done(answer) == []
    assert answer["actions"]
    assert all("of disk" in each["reason"] for each in answer["actions"])
    assert by_name(answer, "postgres.maintenance")["status"] == "warning"
    answer = maintain(bloat_bytes=1_000_000, time_budget=1, check=True)
    assert len(done(answer, "skipped")) >= 1
    assert "of the time budget" in json.dumps(answer["actions"])


def test_rows_that_somebody_holds_are_not_called_removed(
    server: Server, maintain: Maintain
) -> None:
    run_sql(
        server.url(),
        "CREATE TABLE t (id int PRIMARY KEY)",
        "INSERT INTO t SELECT generate_series(1, 50000)",
        "VACUUM ANALYZE t",
    )
    server.admin("GRANT pg_monitor TO app")
    with server.session(application="reporting") as holder:
        holder.set_session(isolation_level="REPEATABLE READ")
        holder.cursor().execute("SELECT count(*) FROM t")
        run_sql(server.url(), "DELETE FROM t WHERE id % 2 = 0")
        answer = maintain(operations=["vacuum"])
        check = by_name(answer, "postgres.maintenance")
        assert check["status"] == "warning"
        assert "dead rows stay in public.t" in check["summary"]
        assert f"pid {holder.info.backend_pid} (reporting)" in check["summary"]
        again = maintain(operations=["vacuum"])
        assert again["changed"] is False
        assert "which is still there" in again["actions"][0]["reason"]
        holder.rollback()
    assert done(maintain(operations=["vacuum"])) == [("vacuum", "public.t")]
    server.admin("REVOKE pg_monitor FROM app")
