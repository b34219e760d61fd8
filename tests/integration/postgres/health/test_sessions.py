"""pg_health and what sessions do: idle, long, deadlocked, slow."""

from __future__ import annotations

import json
import threading
import time
from urllib.parse import quote

import psycopg2

from tests.conftest import by_name
from tests.support.postgres import Server, database, eventually, run_sql, slow_to_vacuum, until
from tests.support.postgres_probe import Ask

SOON = {
    "postgres.idle_in_transaction": {"warning": 0.2, "critical": 3600},
    "postgres.long_transactions": {"warning": 0.2, "critical": 3600},
}


def test_a_session_idle_in_a_transaction(server: Server, ask: Ask) -> None:
    with server.session(application="forgetful") as connection:
        connection.cursor().execute("SELECT 'hunter2' AS secret, 42")
        time.sleep(0.3)
        answer = ask(thresholds=SOON)
        check = by_name(answer, "postgres.idle_in_transaction")
        assert check["status"] == "warning"
        assert check["summary"].startswith("1 session is idle in a transaction, the longest for ")
        assert check["summary"].endswith(f": app 'forgetful', pid {connection.info.backend_pid}")
        assert check["evidence"][0]["statement"] == "SELECT ? AS secret, ?"
        assert by_name(answer, "postgres.long_transactions")["status"] == "warning"
        assert "hunter2" not in json.dumps(answer)
    assert by_name(ask(thresholds=SOON), "postgres.idle_in_transaction")["status"] == "ok"


def test_a_long_transaction(server: Server, ask: Ask) -> None:
    with server.running("SELECT pg_sleep(30), 'hunter2'", "report"):
        time.sleep(0.3)
        answer = ask(thresholds=SOON)
        check = by_name(answer, "postgres.long_transactions")
        assert check["status"] == "warning"
        assert "app 'report'" in check["summary"]
        assert check["evidence"][0]["statement"] == "SELECT pg_sleep(?), ?"
        assert by_name(answer, "postgres.idle_in_transaction")["status"] == "ok"
        assert "hunter2" not in json.dumps(answer)


def test_a_vacuum_may_take_its_time(server: Server, ask: Ask) -> None:
    with database(server, "vacuumed") as url:
        run_sql(url, *slow_to_vacuum("t"))
        with server.running(
            "VACUUM t",
            url=f"{url}?options={quote('-c vacuum_cost_delay=80 -c vacuum_cost_limit=20')}",
        ):
            until(server, "SELECT 1 FROM pg_stat_progress_vacuum")
            time.sleep(0.3)
            assert by_name(ask(thresholds=SOON), "postgres.long_transactions")["status"] == "ok"


def test_a_backup_may_take_its_time(server: Server, ask: Ask) -> None:
    with server.session(application="pg_dump") as connection:
        connection.cursor().execute("SELECT 1")
        time.sleep(0.3)
        answer = ask(thresholds=SOON)
        assert (
            by_name(answer, "postgres.long_transactions")["summary"]
            == "No transaction is open (1 of ignored applications not counted)"
        )
        assert by_name(answer, "postgres.idle_in_transaction")["status"] == "ok"
        assert (
            by_name(ask(thresholds=SOON, ignore_applications=[]), "postgres.idle_in_transaction")[
                "status"
            ]
            == "warning"
        )


def test_a_deadlock_is_counted(server: Server, ask: Ask) -> None:
    server.admin("SELECT pg_stat_reset()", database=server.own["database"])
    server.admin(
        "DROP TABLE IF EXISTS tangle",
        "CREATE TABLE tangle AS SELECT n FROM generate_series(1, 2) AS n",
        database=server.own["database"],
    )
    admin = server.admin_url
    try:
        with server.session(admin) as first, server.session(admin) as second:
            first.cursor().execute("UPDATE tangle SET n = n WHERE n = 1")
            second.cursor().execute("UPDATE tangle SET n = n WHERE n = 2")
            lost: list[Exception] = []

            def cross() -> None:
                try:
                    first.cursor().execute("UPDATE tangle SET n = n WHERE n = 2")
                except psycopg2.Error as error:
                    lost.append(error)

            thread = threading.Thread(target=cross)
            thread.start()
            try:
                second.cursor().execute("UPDATE tangle SET n = n WHERE n = 1")
            except psycopg2.Error as error:
                lost.append(error)
            second.rollback()
            thread.join(20)
            assert [error.pgcode for error in lost if isinstance(error, psycopg2.Error)] == [
                "40P01"
            ]
        eventually(lambda: by_name(ask(), "postgres.deadlocks")["value"] == 1)
        check = by_name(ask(), "postgres.deadlocks")
        assert (check["status"], check["evidence"]) == (
            "warning",
            [{"database": server.own["database"], "deadlocks_since_reset": 1}],
        )
    finally:
        server.admin("DROP TABLE tangle", "SELECT pg_stat_reset()", database=server.own["database"])
    eventually(lambda: by_name(ask(), "postgres.deadlocks")["status"] == "ok")
