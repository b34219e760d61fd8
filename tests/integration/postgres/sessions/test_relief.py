"""pg_sessions against real servers: exactly the right sessions are ended."""

from __future__ import annotations

import time
from contextlib import ExitStack
from typing import Any

import psycopg2
import psycopg2.extras
import pytest

from tests.conftest import RunModule, by_name
from tests.support.postgres import (
    Server,
    Throwaway,
)
from tests.support.sessions import Relieve, alive, half_way, pids, sleeping, subjects

pytestmark = pytest.mark.every_version


def test_of_sixty_sessions_of_three_apps_exactly_the_right_ones_go(
    server: Server, relieve: Relieve, usable: int
) -> None:
    with ExitStack() as stack:
        worker = stack.enter_context(server.sessions(20, "worker"))
        web = stack.enter_context(server.sessions(10, "web"))
        busy = stack.enter_context(sleeping(server, 10, "web"))
        report = stack.enter_context(server.sessions(20, "report"))
        for connection in report[:10]:
            connection.cursor().execute("SELECT 1")
        for connection in report[:5]:
            with pytest.raises(psycopg2.Error):
                connection.cursor().execute("SELECT 1/0")
        time.sleep(0.3)
        planned = relieve(40, check=True)
        assert planned["changed"] is True
        assert alive(server, [*worker, *web, *busy, *report]) == pids(
            [*worker, *web, *busy, *report]
        )
        assert "60 of" in by_name(planned, "postgres.relief")["summary"]
        done = relieve(40)
        expected = pids([*worker[:18], *web[:2]])
        assert subjects(planned, "planned") == subjects(done, "done") == expected
        assert alive(server, [*worker, *web, *busy, *report]) == pids(
            [*worker[18:], *web[2:], *busy, *report]
        )
        for answer in (planned, done):
            lines = answer["diff"]["before"].splitlines()
            assert sorted(int(line.split()[2].strip(":")) for line in lines) == sorted(expected)
        assert done["diff"]["after"] == ""
        _check_the_report(done, usable)
        again = relieve(40)
        assert (again["changed"], again["actions"]) == (False, [])
        assert "diff" not in again
        assert by_name(again, "postgres.relief")["status"] == "ok"


def _check_the_report(done: dict[str, Any], usable: int) -> None:
    """The verdict on the relief, and who holds the slots now."""
    check = by_name(done, "postgres.relief")
    assert check["status"] == "warning"
    assert (
        f"20 of 20 sessions ended: 60 → 40 of {usable} usable connections in use, "
        "target: at most 40" in check["summary"]
    )
    assert (
        "Permanent fix for app 'worker': ALTER ROLE app SET idle_session_timeout = '5min';"
        in check["remedy"]
    )
    assert by_name(done, "postgres.connections")["value"] == round(100 * 40 / usable, 1)
    evidence = by_name(done, "postgres.connections")["evidence"]
    assert {(row["application"], row["state"], row["count"]) for row in evidence} >= {
        ("web", "active", 10),
        ("report", "idle in transaction (aborted)", 5),
    }
    assert {row["client"] for row in evidence} == {"127.0.0.1"}


def test_check_mode_ends_nothing_and_says_who_is_at_fault(
    server: Server, operator: str, run_module: RunModule
) -> None:
    with server.sessions(20, "worker") as worker:
        time.sleep(0.3)
        answer = run_module(
            "pg_sessions",
            {
                "database_url": operator,
                "state": "relieved",
                "usage": 10,
                "idle_age": 0.2,
                "instances": 3,
            },
            check=True,
        )
        assert answer["confirmed"] is None
        assert len(subjects(answer, "planned")) == 11
        assert (
            "20 of them idle from app 'worker'"
            in by_name(answer, "postgres.connections")["summary"]
        )
        check = by_name(answer, "postgres.relief")
        assert check["status"] == "warning"
        assert "-e runbook_confirm=shop" in check["remedy"]
        assert "to 9 over all its instances (3 each with 3)" in check["remedy"]
        assert alive(server, worker) == pids(worker)


def test_minimum_for_each_app_and_cap(server: Server, relieve: Relieve) -> None:
    with (
        server.sessions(8, "worker") as worker,
        server.sessions(4, "") as nameless,
        sleeping(server, 2, "web") as busy,
        server.sessions(3, "web") as web,
    ):
        time.sleep(0.3)
        answer = relieve(0, keep_per_application=3, max_ended=6)
        assert subjects(answer, "done") == pids([*worker[:5], nameless[0]])
        stay = {
            (row["sessions_of"], row["stay"]): row["count"]
            for row in by_name(answer, "postgres.relief")["evidence"]
        }
        last, beyond = "among the last 3 of their app", "beyond the 6 that one run may end"
        assert stay == {
            ("app 'worker'", last): 3,
            ("user 'app'", last): 3,
            ("app 'web'", beyond): 3,
        }
        # What works counts for the minimum, and is left alone.
        answer = relieve(0, keep_per_application=3)
        assert subjects(answer, "done") == pids(web[:2])
        assert alive(server, [*worker, *nameless, *busy, *web]) == pids(
            [*worker[5:], *nameless[1:], *busy, web[2]]
        )
        assert relieve(0, keep_per_application=3)["changed"] is False


def test_each_kind_of_idleness_has_its_own_age_and_can_be_switched_off(
    server: Server, relieve: Relieve
) -> None:
    with server.sessions(2, "worker") as idle, server.sessions(2, "forgetful") as forgetful:
        for connection in forgetful:
            connection.cursor().execute("SELECT 'hunter2'")
        with pytest.raises(psycopg2.Error):
            forgetful[1].cursor().execute("SELECT 1/0")
        time.sleep(0.3)
        free: dict[str, Any] = {"keep_per_application": 0, "check": True}
        assert subjects(relieve(0, **free), "planned") == pids([*idle, *forgetful])
        assert subjects(relieve(0, idle_in_transaction_age=0, **free), "planned") == pids(idle)
        assert subjects(relieve(0, idle_in_transaction_age=3600, **free), "planned") == pids(idle)
        answer = relieve(0, idle_age=0, keep_per_application=0)
        assert subjects(answer, "done") == pids(forgetful)
        assert alive(server, [*idle, *forgetful]) == pids(idle)
        assert (
            "ALTER ROLE app SET idle_in_transaction_session_timeout = '5min';"
            in by_name(answer, "postgres.relief")["remedy"]
        )


def test_a_role_with_a_limit_of_its_own_is_relieved(server: Server, relieve: Relieve) -> None:
    server.admin("ALTER ROLE rival CONNECTION LIMIT 10")
    try:
        with (
            server.sessions(5, "worker"),
            server.sessions(10, "rival", server.url("rival", "of-rival")) as rival,
        ):
            time.sleep(0.3)
            answer = relieve(usage=70)
            assert subjects(answer, "done") == pids(rival[:3])
            assert (
                "10 → 7 of 10 connections of role 'rival' in use, target: at most 7"
                in by_name(answer, "postgres.relief")["summary"]
            )
            assert by_name(answer, "postgres.connections", "role rival")["status"] == "ok"
    finally:
        server.admin("ALTER ROLE rival CONNECTION LIMIT -1")


def test_an_app_that_comes_back_is_told(server: Server, relief: Relieve) -> None:
    with ExitStack() as stack:
        worker = stack.enter_context(server.sessions(8, "worker"))
        time.sleep(0.3)
        with half_way(relief(4, wait=3), worker, left=4) as answer:
            stack.enter_context(server.sessions(3, "worker"))
            stack.enter_context(server.sessions(1, "other"))
        check = by_name(answer, "postgres.relief")
        assert "3 sessions of app 'worker' reconnected since" in check["summary"]
        assert "8 → 8 of" in check["summary"]
        assert "4 too many remain" in check["summary"]
        assert check["status"] == "warning"


def test_on_a_standby(own: Throwaway, server: Server, relieve: Relieve) -> None:
    own.stop("fast")
    signal_file = own.home / "data" / "standby.signal"
    signal_file.touch()
    own.identity.own(signal_file)
    own.start()
    try:
        assert server.admin("SELECT pg_is_in_recovery()") == [(True,)]
        with server.sessions(6, "worker") as worker:
            time.sleep(0.3)
            assert subjects(relieve(4), "done") == pids(worker[:2])
    finally:
        server.admin("SELECT pg_promote()")


def test_a_count_replaces_the_usage_and_leaves_the_relief_alone(
    server: Server, operator: str, run_module: RunModule
) -> None:
    with server.sessions(20, "worker") as worker:
        answer = run_module("pg_sessions", {"database_url": operator})
        assert (answer["changed"], answer["actions"]) == (False, [])
        assert "confirmed" not in answer
        assert [(check["name"], check["status"]) for check in answer["checks"]] == [
            ("postgres.reachable", "ok"),
            ("postgres.connections", "ok"),
        ]
        assert by_name(answer, "postgres.connections")["summary"].startswith("20 of ")
        assert alive(server, worker) == pids(worker)
