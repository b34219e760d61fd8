"""pg_review of lock waits, and of what holds back vacuum."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import quote

import psycopg2
import pytest

from ansible_collections.gpt_agent.runbook.plugins.module_utils.postgres.xmin_horizon import (
    xmin_holders,
)
from tests.conftest import by_name
from tests.support.postgres import CRAWLING, Server, eventually, run_sql, slow_to_vacuum
from tests.support.postgres_reviews import Look, connected


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
        old_enough = "SELECT now() - prepared > '0.1 s' FROM pg_prepared_xacts"
        eventually(lambda: server.admin(old_enough) == [(True,)])
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


@contextmanager
def subscription(server: Server, source: str, name: str) -> Iterator[None]:
    """A subscription ``takes`` in one database to the table ``sent`` of another."""
    conninfo = server.url(server.own["admin_user"], server.own["admin_password"], source)
    how = "WITH (create_slot = false, slot_name = 'sends', copy_data = false)"
    server.admin(
        "CREATE TABLE sent (id int)", "CREATE PUBLICATION sends FOR TABLE sent", database=source
    )
    server.admin("SELECT pg_create_logical_replication_slot('sends', 'pgoutput')", database=source)
    server.admin(
        "CREATE TABLE sent (id int)",
        f"CREATE SUBSCRIPTION takes CONNECTION '{conninfo}' PUBLICATION sends {how}",
        database=name,
    )
    try:
        yield
    finally:
        server.admin(
            "ALTER SUBSCRIPTION takes DISABLE",
            "ALTER SUBSCRIPTION takes SET (slot_name = NONE)",
            "DROP SUBSCRIPTION takes",
            database=name,
        )
        active = "SELECT active FROM pg_replication_slots WHERE slot_name = 'sends'"
        eventually(lambda: server.admin(active) == [(False,)])
        server.admin(
            "SELECT pg_drop_replication_slot('sends')",
            "DROP PUBLICATION sends",
            "DROP TABLE sent",
            database=source,
        )


def test_a_subscriptions_worker_holds_back_vacuum(server: Server, url: str) -> None:
    name, source = url.rpartition("/")[2], server.own["database"]
    admin = server.url(server.own["admin_user"], server.own["admin_password"], name)
    applies = (
        "SELECT 1 FROM pg_stat_activity WHERE backend_type LIKE 'logical replication%' "
        "AND backend_xmin IS NOT NULL"
    )
    with (
        subscription(server, source, name),
        server.session(admin) as holder,
        connected(url) as connection,
    ):
        holder.cursor().execute("LOCK TABLE sent IN ACCESS EXCLUSIVE MODE")
        server.admin("INSERT INTO sent VALUES (1)", database=source)
        eventually(lambda: server.admin(applies))
        holders = xmin_holders(connection.rows, name)
        assert any("logical replication" in row["whose"] for row in holders)
