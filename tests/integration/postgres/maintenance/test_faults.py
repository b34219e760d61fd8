"""pg_maintenance when something fails meanwhile: server, disk, standby, client; and under load."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.gpt_agent.runbook.plugins.module_utils.postgres.maintenance.plan import (
    IN_USE,
)
from demo.stack import Stack
from tests.conftest import RunModule, by_name, start_module
from tests.support.holding import held
from tests.support.maintenance import Maintain
from tests.support.mounts import mounted, mounts_of_its_own, needs_mount
from tests.support.postgres import (
    CRAWLING,
    Server,
    Standby,
    Throwaway,
    bloated,
    database,
    run_sql,
    slow_to_vacuum,
    throwaway,
    until,
)


@pytest.fixture(scope="module")
def own(stack: Stack) -> Iterator[Throwaway]:
    """A server that a test may stop."""
    with throwaway(Path(stack.settings["bin"]["postgres"]), autovacuum="off") as server:
        yield server


@pytest.fixture
def server(own: Throwaway) -> Server:
    return Server(own)


@pytest.fixture
def maintain(run_module: RunModule, url: str, tmp_path: Path) -> Maintain:
    def run(*, check: bool = False, **options: Any) -> dict[str, Any]:
        given = {
            "database_url": url,
            "state_dir": str(tmp_path / "state"),
            "timeout": 10,
            "cost_delay": 0,
            "bloat_bytes": 1_000_000,
            **options,
        }
        return run_module("pg_maintenance", given, check=check, timeout=300)

    return run


@contextmanager
def meanwhile(work: Callable[[], dict[str, Any]]) -> Iterator[list[dict[str, Any]]]:
    """Do it in a thread; its answer is there at the end."""
    answers: list[dict[str, Any]] = []
    thread = threading.Thread(target=lambda: answers.append(work()))
    thread.start()
    try:
        yield answers
    finally:
        thread.join()


def test_a_server_that_is_restarted_in_the_middle(
    own: Throwaway, server: Server, url: str, maintain: Maintain
) -> None:
    run_sql(url, *slow_to_vacuum("a"), *slow_to_vacuum("b"))
    with meanwhile(lambda: maintain(operations=["vacuum"], **CRAWLING)) as answers:
        until(server, "SELECT 1 FROM pg_stat_progress_vacuum")
        own.stop("immediate")
    own.start()
    (answer,) = answers
    assert answer["failed"]
    assert {each["status"] for each in answer["actions"]} <= {"failed", "skipped"}
    assert len(answer["actions"]) == 2
    assert "the next run cleans up" in answer["msg"] or "1 failed, 1 skipped" in answer["msg"], (
        answer["msg"]
    )
    assert by_name(answer, "postgres.maintenance")["status"] == "critical"
    # An immediate stop loses the counters that say what is needed.
    run_sql(url, "ANALYZE")
    assert "failed" not in maintain()


def test_whoever_started_it_goes_away(server: Server, url: str, tmp_path: Path) -> None:
    """A module that is told to end cancels what it has begun."""
    run_sql(url, *slow_to_vacuum("t"))
    with start_module(
        "pg_maintenance", {"database_url": url, "state_dir": str(tmp_path), **CRAWLING}
    ) as child:
        until(server, "SELECT 1 FROM pg_stat_progress_vacuum")
        child.send_signal(signal.SIGTERM)
        assert child.wait(20) != 0
    assert (
        server.admin(
            "SELECT 1 FROM pg_stat_activity WHERE state = 'active'"
            " AND application_name LIKE 'gpt_agent.runbook/pg_maintenance%'"
        )
        == []
    )


REBUILDING = "SELECT pid FROM pg_stat_progress_create_index WHERE phase LIKE 'building index%'"


def test_a_rebuild_that_is_told_to_end_leaves_nothing_behind(
    server: Server, url: str, tmp_path: Path
) -> None:
    run_sql(url, *bloated(rows=400_000))
    with start_module(
        "pg_maintenance",
        {"database_url": url, "state_dir": str(tmp_path), "bloat_bytes": 1_000_000},
    ) as child:
        until(server, REBUILDING)
        child.send_signal(signal.SIGTERM)
        assert child.wait(20) != 0
    assert run_sql(url, "SELECT indexrelid::regclass FROM pg_index WHERE NOT indisvalid") == []


def test_a_session_that_is_ended_leaves_nothing_behind(
    server: Server, url: str, maintain: Maintain
) -> None:
    run_sql(url, *bloated(rows=400_000))
    with meanwhile(lambda: maintain(only=["messages_word"])) as answers:
        until(server, REBUILDING)
        server.admin("SELECT pg_terminate_backend(pid) FROM pg_stat_progress_create_index")
    (answer,) = answers
    assert {(each["name"], each["status"]) for each in answer["actions"]} == {
        ("postgres.reindex", "failed"),
        ("postgres.cleanup", "done"),
    }
    assert run_sql(url, "SELECT indexrelid::regclass FROM pg_index WHERE NOT indisvalid") == []


def test_whoever_only_looks_or_comes_second_does_not_end_it(
    server: Server, url: str, maintain: Maintain, tmp_path: Path
) -> None:
    run_sql(url, *slow_to_vacuum("t"))
    crawling = {"operations": ["vacuum"], "time_budget": 4, **CRAWLING}
    given = {"database_url": url, "state_dir": str(tmp_path), **crawling}
    with start_module("pg_maintenance", given) as first:
        until(server, "SELECT 1 FROM pg_stat_progress_vacuum")
        with held(first.pid):
            assert "failed" not in maintain(check=True)
            assert (
                "Another run maintains this database: pid"
                in by_name(maintain(), "postgres.maintenance")["summary"]
            )
        answer = json.loads(first.communicate(timeout=60)[0])
    assert "failed" not in answer, answer


def test_who_only_receives_wal_is_no_standby_that_is_behind(
    own: Throwaway, server: Server, url: str, maintain: Maintain, tmp_path: Path
) -> None:
    """Such a receiver never replays, so what it is behind grows for ever."""
    run_sql(url, *slow_to_vacuum("t"))
    command = [
        own.programs / "pg_receivewal",
        "-D",
        tmp_path,
        "-h",
        "127.0.0.1",
        "-p",
        str(server.own["port"]),
        "-U",
        server.own["admin_user"],
    ]
    server.admin(f"GRANT pg_monitor TO {server.own['user']}")
    receiver = subprocess.Popen(
        command, env={"PGPASSWORD": server.own["admin_password"]}, stderr=subprocess.PIPE
    )
    try:
        until(
            server,
            "SELECT 1 FROM pg_stat_replication"
            " WHERE replay_lsn IS NULL AND replay_lag > interval '1 s'",
        )
        answer = maintain(operations=["vacuum"], max_lag=0.5)
        assert [(each["name"], each["status"]) for each in answer["actions"]] == [
            ("postgres.vacuum", "done")
        ], answer
    finally:
        receiver.terminate()
        receiver.wait()
        server.admin(f"REVOKE pg_monitor FROM {server.own['user']}")


def test_what_autovacuum_works_on_is_left_to_it(
    stack: Stack, run_module: RunModule, tmp_path: Path
) -> None:
    """A statement that waits for autovacuum makes PostgreSQL cancel it."""
    crawl: dict[str, str | int] = {
        "autovacuum_naptime": "1s",
        "autovacuum_vacuum_cost_delay": "100ms",
        "autovacuum_vacuum_cost_limit": 1,
    }
    with throwaway(Path(stack.settings["bin"]["postgres"]), **crawl) as own:
        server = Server(own)
        run_sql(
            server.url(),
            *slow_to_vacuum("t"),
            "ANALYZE t",
            "ALTER TABLE t RESET (autovacuum_enabled)",
        )
        working = (
            "SELECT pid FROM pg_stat_activity"
            " WHERE backend_type = 'autovacuum worker' AND query LIKE '%public.t%'"
        )
        until(server, working)
        worker = server.admin(working)
        for check in (True, False):
            answer = run_module(
                "pg_maintenance",
                {
                    "database_url": server.url(),
                    "state_dir": str(tmp_path),
                    "operations": ["vacuum"],
                },
                check=check,
            )
            assert [
                (each["status"], each["reason"].rpartition(": ")[2]) for each in answer["actions"]
            ] == [("skipped", IN_USE)]
        assert server.admin(working) == worker


def test_a_role_that_wants_to_lead_it_astray(server: Server, url: str, maintain: Maintain) -> None:
    """A search path with functions of the same names, and timeouts that end every statement."""
    astray = "LANGUAGE plpgsql AS $$BEGIN RAISE 'led astray'; END$$"
    run_sql(
        url,
        *bloated(),
        "CREATE SCHEMA evil",
        f"CREATE FUNCTION evil.pg_table_size(oid) RETURNS bigint {astray}",
        f"CREATE FUNCTION evil.age(xid) RETURNS int {astray}",
    )
    settings = {
        "search_path": "evil, pg_catalog",
        "statement_timeout": "'1ms'",
        "lock_timeout": "'1ms'",
        "default_transaction_read_only": "on",
    }
    server.admin(*(f"ALTER ROLE app SET {name} = {value}" for name, value in settings.items()))
    try:
        answer = maintain()
    finally:
        server.admin("ALTER ROLE app RESET ALL")
    assert [(each["subject"], each["status"]) for each in answer["actions"]] == [
        ("public.messages_word", "done")
    ], answer


def test_nobody_fails_or_waits_under_load(
    stack: Stack, server: Server, url: str, maintain: Maintain, tmp_path: Path
) -> None:
    pgbench = Path(stack.settings["bin"]["postgres"]) / "pgbench"
    subprocess.run([pgbench, "-i", "-s", "4", "-q", url], check=True, capture_output=True)
    run_sql(
        url,
        "CREATE INDEX filler ON pgbench_accounts (abalance, aid)",
        *["UPDATE pgbench_accounts SET abalance = abalance + 1"] * 3,
    )
    load = subprocess.Popen(
        [pgbench, "-n", "-c", "4", "-T", "8", url],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    time.sleep(1)
    answer = maintain()
    out, err = load.communicate(timeout=60)
    assert load.returncode == 0, err
    assert re.search(r"number of failed transactions: 0 \(", out), out
    assert "failed" not in answer, answer
    done = {each["subject"] for each in answer["actions"] if each["status"] == "done"}
    assert {"public.pgbench_accounts", "public.filler"} <= done
    assert run_sql(url, "SELECT indexrelid::regclass FROM pg_index WHERE NOT indisvalid") == []


@contextmanager
def bloated_on_a_small_disk(programs: Path) -> Iterator[tuple[Server, Path]]:
    """A server with a bloated index in a tablespace of 28 MB, and the mount point of that."""
    with mounts_of_its_own(), throwaway(programs, autovacuum="off") as own:
        server = Server(own)
        with mounted(own.home / "small", "tmpfs", options="size=28m") as point:
            own.identity.own(point)
            server.admin(
                f"CREATE TABLESPACE small LOCATION '{point}'",
                "GRANT CREATE ON TABLESPACE small TO app",
                "GRANT pg_monitor TO app",
            )
            for line in bloated():
                small = " TABLESPACE small" if line.startswith("CREATE INDEX") else ""
                run_sql(server.url(), line + small)
            yield server, point
            server.admin(
                "DROP INDEX messages_word", "DROP TABLESPACE small", database=server.own["database"]
            )


@needs_mount
def test_a_disk_that_fills_up(stack: Stack, run_module: RunModule, tmp_path: Path) -> None:
    """The operator is wrong that there is room: the rebuild fails, the old index stays."""
    with bloated_on_a_small_disk(Path(stack.settings["bin"]["postgres"])) as (server, point):
        url = server.url()
        given = {
            "database_url": url,
            "state_dir": str(tmp_path),
            "cost_delay": 0,
            "bloat_bytes": 1_000_000,
        }
        seen = run_module("pg_maintenance", given, check=True)
        (action,) = seen["actions"]
        assert action["status"] == "skipped", "the server's own disk is checked"
        assert "of disk" in action["reason"]
        (point / "ballast").write_bytes(bytes(8 * 1024 * 1024))
        answer = run_module("pg_maintenance", {**given, "disk_free": "1G"})
        assert answer["failed"]
        assert "No space left on device" in answer["msg"]
        assert {(each["name"], each["status"]) for each in answer["actions"]} == {
            ("postgres.reindex", "failed"),
            ("postgres.cleanup", "done"),
        }
        assert run_sql(url, "SELECT indexrelid::regclass FROM pg_index WHERE NOT indisvalid") == []
        assert run_sql(
            url, "SET enable_seqscan = off", "SELECT count(*) FROM messages WHERE word = 'x'"
        ) == [(0,)]


# --- standbys -------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def standby(stack: Stack) -> Iterator[Standby]:
    server = Server(stack)
    made = Standby(server)
    made.start()
    try:
        yield made
    finally:
        made.stop()
        until(
            server, "SELECT 1 FROM pg_replication_slots WHERE slot_name = 'follower' AND NOT active"
        )
        server.admin("SELECT pg_drop_replication_slot('follower')")


def test_a_standby_declines(standby: Standby, maintain: Maintain) -> None:
    for check in (True, False):
        answer = maintain(check=check, database_url=standby.url)
        assert (answer["changed"], answer["actions"]) == (False, [])
        assert by_name(answer, "postgres.maintenance")["status"] == "unknown", answer
        assert "This server is a standby" in by_name(answer, "postgres.maintenance")["summary"]


def test_nothing_is_started_while_a_standby_is_behind(
    stack: Stack, standby: Standby, maintain: Maintain
) -> None:
    primary = Server(stack)
    primary.admin(f"GRANT pg_monitor TO {primary.own['user']}")
    with database(primary, "behind") as url:
        run_sql(url, *slow_to_vacuum("t"))
        standby.admin("SELECT pg_wal_replay_pause()")
        try:
            run_sql(url, "CREATE TABLE u (id int)", "INSERT INTO u SELECT generate_series(1, 1000)")
            until(
                primary, "SELECT 1 FROM pg_stat_replication WHERE replay_lag > interval '1 second'"
            )
            answer = maintain(
                database_url=url, operations=["vacuum"], only=["t"], max_lag=0.5, time_budget=4
            )
            (action,) = answer["actions"]
            assert action["status"] == "skipped"
            assert "while a standby was behind" in action["reason"]
        finally:
            standby.admin("SELECT pg_wal_replay_resume()")
        until(
            primary,
            "SELECT 1 FROM pg_stat_replication WHERE coalesce(replay_lag, '0') < interval '100 ms'",
        )
        (action,) = maintain(database_url=url, operations=["vacuum"], only=["t"])["actions"]
        assert action["status"] == "done"
