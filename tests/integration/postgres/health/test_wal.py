"""pg_health of a primary with a real standby, of that standby, and of an archive that fails."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import RunModule, by_name
from tests.support.postgres import Server, Standby, eventually

Ask = Callable[..., dict[str, Any]]


@pytest.fixture(scope="module")
def server(stack: Any) -> Server:
    return Server(stack)


@pytest.fixture
def ask(run_module: RunModule, server: Server, tmp_path: Path) -> Ask:
    def run(url: str | None = None, module: str = "pg_health", **options: Any) -> dict[str, Any]:
        return run_module(
            module,
            {"database_url": url or server.url(), "state_dir": str(tmp_path), **options},
        )

    return run


@pytest.fixture(scope="module")
def standby(server: Server) -> Iterator[Standby]:
    made = Standby(server)
    try:
        yield made
    finally:
        made.stop()
        eventually(
            lambda: (
                server.admin("SELECT active FROM pg_replication_slots WHERE slot_name = 'follower'")
                == [(False,)]
            )
        )
        server.admin("SELECT pg_drop_replication_slot('follower')")


@pytest.fixture
def running(standby: Standby, server: Server) -> Iterator[Standby]:
    standby.start()
    try:
        eventually(
            lambda: server.admin("SELECT state FROM pg_stat_replication") == [("streaming",)]
        )
        yield standby
    finally:
        standby.stop()


def replication(answer: dict[str, Any], subject: str | None = None) -> dict[str, Any]:
    return by_name(answer, "postgres.replication", subject)


def test_a_primary_sees_its_standby(running: Standby, ask: Ask) -> None:
    eventually(
        lambda: replication(ask(replicas=1))["summary"] == "Standby 'follower' is up to date"
    )
    check = replication(ask(replicas=2), "")
    assert (check["status"], check["summary"]) == (
        "critical",
        "1 of 2 expected standbys is connected",
    )


def test_a_standby_that_falls_behind(running: Standby, server: Server, ask: Ask) -> None:
    thresholds = {"postgres.replication": {"warning": 0.5, "critical": 3600}}
    running.admin("SELECT pg_wal_replay_pause()")
    try:
        server.admin(
            "CREATE TABLE lagging AS SELECT generate_series(1, 20000) AS n",
            database=server.own["database"],
        )
        eventually(
            lambda: replication(ask(thresholds=thresholds), "follower")["status"] == "warning"
        )
        assert "behind" in replication(ask(thresholds=thresholds), "follower")["summary"]
        assert "Replay is paused on this standby" in replication(ask(running.url))["summary"]
    finally:
        running.admin("SELECT pg_wal_replay_resume()")
        server.admin("DROP TABLE lagging", database=server.own["database"])
    eventually(lambda: replication(ask(thresholds=thresholds), "follower")["status"] == "ok")


def test_a_standby_about_itself(running: Standby, ask: Ask) -> None:
    eventually(
        lambda: (
            replication(ask(running.url))["summary"]
            == "This standby has replayed all that it received"
        )
    )
    answer = ask(running.url, replicas=5)
    assert "(standby," in by_name(answer, "postgres.reachable")["summary"]
    assert replication(answer)["status"] == "ok"
    assert by_name(answer, "postgres.archiver")["status"] == "ok"
    assert {check["status"] for check in answer["checks"]} <= {"ok", "unknown"}


def test_a_standby_is_reviewed_in_depth(running: Standby, server: Server, ask: Ask) -> None:
    name = server.own["database"]
    server.admin(
        "CREATE TABLE reviewed (id serial PRIMARY KEY)",
        "INSERT INTO reviewed DEFAULT VALUES",
        database=name,
    )
    server.admin(f"ALTER TABLE reviewed OWNER TO {server.own['user']}", database=name)
    try:
        eventually(
            lambda: (
                replication(ask(running.url))["summary"]
                == "This standby has replayed all that it received"
            )
        )
        answer = ask(
            running.url,
            "pg_review",
            areas=["locks", "vacuum", "tables", "indexes", "statements", "settings"],
            databases=["*"],
        )
    finally:
        server.admin("DROP TABLE reviewed", database=name)
    status = {
        (check["name"].removeprefix("postgres."), check["subject"]): check["status"]
        for check in answer["checks"]
    }
    assert status.pop(("settings", "")) == "critical", "the stack runs without fsync"
    assert set(status.values()) <= {"ok", "unknown"}, answer["checks"]
    assert status["vacuum_horizon", ""] == "ok"
    for expected in ("prepared_transactions", "vacuum_due", "statistics_due"):
        subject = "" if expected == "prepared_transactions" else f"database {name}"
        check = by_name(answer, f"postgres.{expected}", subject)
        assert check["not_judged"].endswith("check the primary")
    for expected in ("sequences", "table_bloat", "index_bloat"):
        assert status[expected, f"database {name}"] == "ok"


def test_a_standby_that_is_gone_leaves_a_slot_behind(
    standby: Standby, server: Server, ask: Ask
) -> None:
    standby.start()
    eventually(lambda: server.admin("SELECT count(*) FROM pg_stat_replication") == [(1,)])
    standby.stop()
    eventually(lambda: server.admin("SELECT count(*) FROM pg_stat_replication") == [(0,)])
    answer = ask(replicas=1)
    assert replication(answer, "")["summary"] == "0 of 1 expected standbys are connected"
    assert not [check for check in answer["checks"] if check["subject"] == "slot follower"], (
        "its consumer may come back in a moment"
    )
    for _ in range(5):
        server.admin("SELECT pg_logical_emit_message(true, 'test', '')", "SELECT pg_switch_wal()")
    slot = replication(ask(), "slot follower")
    assert slot["status"] == "warning"
    assert slot["summary"].startswith("Replication slot 'follower' has no consumer; it keeps ")
    assert "pg_drop_replication_slot('follower')" in slot["remedy"]


def test_a_standby_without_its_primary(standby: Standby, ask: Ask) -> None:
    standby.start("primary_conninfo=port=1")
    try:
        check = replication(ask(standby.url))
        assert check["status"] == "critical"
        assert "does not receive from its primary" in check["summary"]
    finally:
        standby.stop()


def test_a_server_in_recovery_that_lets_nobody_in(standby: Standby, ask: Ask) -> None:
    standby.start("hot_standby=off")
    try:
        eventually(lambda: "is in recovery" in ask(standby.url)["checks"][0]["summary"])
        [check] = ask(standby.url)["checks"]
        assert (check["name"], check["status"]) == ("postgres.reachable", "critical")
        assert "hot_standby" in check["remedy"]
    finally:
        standby.stop()


def test_an_archive_that_fails_and_works_again(stack: Any, server: Server, ask: Ask) -> None:
    try:
        server.admin(
            "ALTER SYSTEM SET archive_mode = 'on'", "ALTER SYSTEM SET archive_command = ''"
        )
        stack.restart("postgres")
        assert "there is no archive_command" in by_name(ask(), "postgres.archiver")["summary"]
        server.admin(
            "ALTER SYSTEM SET archive_command = 'false'",
            "SELECT pg_reload_conf()",
            "CREATE TABLE IF NOT EXISTS w()",
            "SELECT pg_switch_wal()",
        )
        eventually(lambda: by_name(ask(), "postgres.archiver")["status"] == "critical")
        check = by_name(ask(), "postgres.archiver")
        assert check["summary"].startswith("Archiving fails: WAL 0000")
        assert "none has ever been archived; 1 WAL segment waits" in check["summary"]
        server.admin(
            "ALTER SYSTEM SET archive_command = 'true'",
            "SELECT pg_reload_conf()",
            "DROP TABLE w",
            "SELECT pg_switch_wal()",
        )
        eventually(lambda: by_name(ask(), "postgres.archiver")["status"] == "ok", 90)
        assert (
            "WAL archiving works, the last success was"
            in by_name(ask(), "postgres.archiver")["summary"]
        )
    finally:
        server.admin(
            "ALTER SYSTEM RESET archive_mode",
            "ALTER SYSTEM RESET archive_command",
            "SELECT pg_stat_reset_shared('archiver')",
        )
        stack.restart("postgres")
    assert "WAL archiving is off" in by_name(ask(), "postgres.archiver")["summary"]
