"""pg_maintenance against real servers: what needs it gets it, nothing else is touched, and nobody has to wait for it."""

from __future__ import annotations

import json
import random
import re
import signal
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg2
import pytest

from tests.conftest import RunModule, by_name, start_module
from tests.support.postgres import (
    FOLDERS,
    Server,
    Throwaway,
    another_pid,
    bloated,
    database,
    run_sql,
    throwaway,
)

Maintain = Callable[..., dict[str, Any]]


@pytest.fixture(params=["", *FOLDERS], ids=lambda folder: folder or "demo", scope="module")
def own(request: pytest.FixtureRequest) -> Iterator[Throwaway]:
    programs = Path(request.param or request.getfixturevalue("stack").settings["bin"]["postgres"])
    with throwaway(
        programs, autovacuum="off", max_prepared_transactions=5, wal_level="logical"
    ) as server:
        yield server


@pytest.fixture
def server(own: Throwaway, request: pytest.FixtureRequest) -> Iterator[Server]:
    """The server with an empty database of the test's own."""
    made = Server(own)
    with database(made, f"db_{abs(hash(request.node.nodeid)) % 10**9}") as url:
        made.own = {**made.own, "database": url.rpartition("/")[2]}
        yield made


@pytest.fixture
def maintain(run_module: RunModule, server: Server, tmp_path: Path) -> Maintain:
    def run(*, check: bool = False, **options: Any) -> dict[str, Any]:
        given = {
            "database_url": server.url(),
            "state_dir": str(tmp_path / "state"),
            "timeout": 20,
            "cost_delay": 0,
            **options,
        }
        return run_module("pg_maintenance", given, check=check, timeout=300)

    return run


def done(answer: dict[str, Any], status: str = "done") -> list[tuple[str, str]]:
    return sorted(
        (each["name"].split(".")[1], each["subject"])
        for each in answer["actions"]
        if each["status"] == status
    )


def size(server: Server, relation: str) -> int:
    return int(run_sql(server.url(), f"SELECT pg_relation_size('{relation}')")[0][0])


def invalid(server: Server) -> list[str]:
    return [
        row[0]
        for row in run_sql(
            server.url(), "SELECT indexrelid::regclass::text FROM pg_index WHERE NOT indisvalid"
        )
    ]


# --- what needs it, and nothing else ----------------------------------------------------------------------------------


def test_what_needs_it_gets_it_and_a_second_run_has_nothing_to_do(
    server: Server, maintain: Maintain
) -> None:
    run_sql(server.url(), *bloated())
    run_sql(
        server.url(),
        "CREATE TABLE quiet (id int PRIMARY KEY, word text)",
        "INSERT INTO quiet SELECT g, md5(g::text) FROM generate_series(1, 50000) g",
        "CREATE INDEX quiet_word ON quiet (word)",
        "VACUUM ANALYZE quiet",
        "CREATE TABLE dead (id int PRIMARY KEY, word text)",
        "INSERT INTO dead SELECT g, 'x' FROM generate_series(1, 60000) g",
        "VACUUM ANALYZE dead",
        "DELETE FROM dead WHERE id % 3 = 0",
        "CREATE TABLE fresh AS SELECT g AS id FROM generate_series(1, 20000) g",
    )
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
    assert all("of disk" in each["reason"] for each in answer["actions"])
    assert by_name(answer, "postgres.maintenance")["status"] == "warning"
    answer = maintain(bloat_bytes=1_000_000, time_budget=1, check=True)
    assert len(done(answer, "skipped")) >= 1
    assert "of the time budget" in json.dumps(answer["actions"])


# --- leftovers, and what must not be touched --------------------------------------------------------------------------


def cut_off(server: Server, statement: str) -> None:
    """Start a concurrent build on t, and cancel it while it waits for a writer."""
    with server.session() as holder, server.session(autocommit=True) as builder:
        holder.cursor().execute("UPDATE t SET a = a WHERE id = 1")

        def build() -> None:
            with pytest.raises(psycopg2.errors.QueryCanceled):
                builder.cursor().execute(statement)

        thread = threading.Thread(target=build)
        thread.start()
        pid = builder.info.backend_pid
        while not server.admin(
            f"SELECT 1 FROM pg_stat_progress_create_index WHERE pid = {pid} AND phase LIKE 'waiting%'"
        ):
            time.sleep(0.02)
        server.admin(f"SELECT pg_cancel_backend({pid})")
        thread.join()


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
            "SELECT indexrelid::regclass::text FROM pg_index WHERE indrelid = 't'::regclass ORDER BY 1",
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


# --- nobody waits for it, and it waits for nobody ---------------------------------------------------------------------


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
    """A rebuild of an index on an expression waits for the snapshots of other rebuilds; ANALYZE of a partitioned table locks its partitions."""
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


# --- rights, servers, rivals ------------------------------------------------------------------------------------------


def test_what_it_may_not_do_is_skipped_with_the_reason(server: Server, maintain: Maintain) -> None:
    run_sql(server.url(), *bloated())
    with server.role("stranger", "GRANT SELECT ON ALL TABLES IN SCHEMA public TO app") as url:
        server.admin(
            f"GRANT CONNECT ON DATABASE {server.own['database']} TO stranger",
            "GRANT SELECT ON messages TO stranger",
            database=server.own["database"],
        )
        url = url.rpartition("/")[0] + f"/{server.own['database']}"
        answer = maintain(bloat_bytes=1_000_000, database_url=url)
        assert answer["changed"] is False
        assert answer["actions"]
        assert all(
            "role 'stranger' lacks permission to rebuild it: it " in each["reason"]
            for each in answer["actions"]
        )
        assert by_name(answer, "postgres.maintenance")["status"] == "warning"
        server.admin("REVOKE ALL ON messages FROM stranger", database=server.own["database"])


@pytest.mark.parametrize("whose", ["its own", "the administrator's"])
def test_two_at_once(server: Server, maintain: Maintain, whose: str) -> None:
    """Of another role's session not everything may be seen."""
    url = (
        server.url()
        if whose == "its own"
        else server.url(server.own["admin_user"], server.own["admin_password"])
    )
    with server.session(url, autocommit=True) as rival:
        rival.cursor().execute("SELECT pg_try_advisory_lock(1735423090, 2)")
        answer = maintain()
        assert answer["failed"]
        assert f"pid {rival.info.backend_pid} of user '{rival.info.user}'" in answer["msg"]
    assert "failed" not in maintain()


def test_behind_a_pooler_nothing_is_set_and_nothing_is_done(
    server: Server, maintain: Maintain
) -> None:
    with another_pid(int(server.own["port"])) as port:
        url = server.url().replace(f":{server.own['port']}/", f":{port}/")
        for check in (True, False):
            answer = maintain(check=check, database_url=url)
            assert answer["failed"]
            assert "leads to a connection pooler" in answer["msg"]


def test_what_stands_in_rows_stays_in_the_database(server: Server, maintain: Maintain) -> None:
    """Two rows with one key keep a unique index from being built; PostgreSQL would show the key."""
    run_sql(
        server.url(),
        "CREATE TABLE t (token text)",
        "INSERT INTO t VALUES ('of-a-user-51c7'), ('of-a-user-51c7')",
        "VACUUM ANALYZE t",
    )
    with (
        pytest.raises(psycopg2.errors.UniqueViolation),
        server.session(autocommit=True) as connection,
    ):
        connection.cursor().execute("CREATE UNIQUE INDEX CONCURRENTLY t_token ON t (token)")
    answer = maintain()
    assert "could not create unique index" in answer["msg"]
    assert "several rows have the same key" in answer["msg"]
    assert "of-a-user" not in json.dumps(answer)


def test_a_role_whose_transactions_are_read_only(server: Server, maintain: Maintain) -> None:
    fill = [
        "CREATE TABLE t (id int PRIMARY KEY, a int)",
        "INSERT INTO t SELECT g, g FROM generate_series(1, 1000) g",
        "CREATE INDEX t_a ON t (a)",
    ]
    run_sql(server.url(), *fill, "VACUUM ANALYZE t")
    cut_off(server, "REINDEX INDEX CONCURRENTLY t_a")
    server.admin("ALTER ROLE app SET default_transaction_read_only = on")
    try:
        assert done(maintain()) == [("cleanup", "public.t_a_ccnew")]
    finally:
        server.admin("ALTER ROLE app RESET ALL")


def test_the_owner_of_the_database_may_vacuum_what_others_own(
    server: Server, maintain: Maintain
) -> None:
    name = server.own["database"]
    server.admin(
        "CREATE TABLE of_admin AS SELECT g AS id FROM generate_series(1, 20000) g",
        "DELETE FROM of_admin WHERE id % 2 = 0",
        database=name,
    )
    run_sql(server.url(), "SELECT 1")
    assert done(maintain(operations=["vacuum", "analyze"], only=["of_admin"])) == [
        ("analyze", "public.of_admin"),
        ("vacuum", "public.of_admin"),
    ]


def test_a_server_that_is_not_there(maintain: Maintain) -> None:
    answer = maintain(database_url="postgresql://app:secret-92af@127.0.0.1:1/x")
    assert answer["failed"]
    assert "Nothing was done" in answer["msg"]
    assert "secret-92af" not in json.dumps(answer)


def test_the_literal_recipe_needs_the_name(server: Server, maintain: Maintain) -> None:
    run_sql(server.url(), "CREATE TABLE t (id int PRIMARY KEY)", "INSERT INTO t VALUES (1)")
    planned = maintain(literal=True, check=True)
    assert done(planned, "planned") == [
        ("reindex_database", server.own["database"]),
        ("vacuum_database", server.own["database"]),
    ]
    assert "locks each table" in json.dumps(planned["warnings"])
    assert "give" in maintain(literal=True)["msg"]
    assert len(done(maintain(literal=True, confirm=server.own["database"]))) == 2


# --- ends that nobody planned -----------------------------------------------------------------------------------------


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
                "SELECT 1 FROM pg_stat_progress_create_index UNION SELECT 1 FROM pg_stat_progress_vacuum"
            ):
                time.sleep(0.01)
            time.sleep(chance.uniform(0, 0.3))
            if turn % 2:
                server.admin(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name LIKE 'gpt_agent.runbook/pg_maintenance%'"
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
