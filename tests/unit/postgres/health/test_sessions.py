"""Connections and open transactions, judged."""

from __future__ import annotations

import json

import pytest

from tests.support.postgres_health import (
    DATABASES,
    SESSIONS,
    checks,
    database,
    group,
    one,
    session,
)


def test_connections_are_counted_of_the_usable_slots() -> None:
    sessions = SESSIONS._replace(
        groups=[
            group(40),
            group(21, database="other"),
            group(20, state="active"),
            group(12, "", "idle", "cron"),
        ]
    )
    check = one("connections", sessions=sessions)
    assert (check.status, check.value) == ("critical", 95.9)
    assert check.summary == "93 of 97 usable connections in use, 61 of them idle from app 'worker'"
    assert check.evidence[0] == {
        "application": "worker",
        "user": "app",
        "database": "shop",
        "state": "idle",
        "count": 40,
    }


@pytest.mark.parametrize(
    ("count", "status"), [(77, "ok"), (78, "warning"), (87, "warning"), (88, "critical")]
)
def test_connections_are_judged_by_the_runbooks_80_percent(count: int, status: str) -> None:
    assert one("connections", sessions=SESSIONS._replace(groups=[group(count)])).status == status


def test_sessions_without_a_name_are_told_by_their_user() -> None:
    assert one("connections", sessions=SESSIONS._replace(groups=[group(5, "")])).summary.endswith(
        "5 of them idle from user 'app'"
    )


def test_a_limit_of_a_role_or_database_is_a_check_of_its_own() -> None:
    sessions = SESSIONS._replace(
        groups=[group(9), group(1, user="other", database="x")],
        role_limits={"app": 10, "absent": 5, "barred": 0},
    )
    databases = DATABASES._replace(
        rows=[database(connection_limit=20), database("x"), database(None, connection_limit=None)]
    )
    found = {
        check.subject: check
        for check in checks(sessions=sessions, databases=databases)
        if check.name == "postgres.connections"
    }
    assert {subject: (check.value, check.status) for subject, check in found.items()} == {
        "": (10.3, "ok"),
        "role app": (90.0, "warning"),
        "database shop": (45.0, "ok"),
    }
    assert found["role app"].summary.startswith(
        "9 of 10 connections that role 'app' may have in use"
    )


def test_a_session_idle_in_a_transaction_is_judged_by_its_idleness() -> None:
    rows = [
        session(state="idle in transaction", state_seconds=720.0, transaction_seconds=9000.0),
        session(pid=8, state_seconds=3.0),
    ]
    sessions = SESSIONS._replace(
        idle=rows,
        groups=[
            group(2, state="idle in transaction"),
            group(1, state="idle in transaction (aborted)"),
            group(5),
        ],
    )
    check = one("idle_in_transaction", sessions=sessions)
    assert (check.status, check.value) == ("critical", 720.0)
    assert (
        check.summary
        == "3 sessions are idle in a transaction, the longest for 12 min: app 'worker', pid 7"
    )
    assert check.evidence[0]["statement"] == "SELECT ?"
    assert "hunter2" not in json.dumps(check.evidence)


def test_a_long_transaction_is_judged_by_its_start() -> None:
    check = one(
        "long_transactions",
        sessions=SESSIONS._replace(transactions=[session(transaction_seconds=600.0)]),
    )
    assert (check.status, check.value) == ("warning", 600.0)
    assert check.summary == "The oldest transaction has run for 10 min: app 'worker', pid 7, active"


def test_transactions_of_ignored_applications_are_mentioned() -> None:
    assert (
        one("long_transactions", sessions=SESSIONS._replace(ignored=2)).summary
        == "No transaction is open (2 of ignored applications not counted)"
    )


@pytest.mark.parametrize("name", ["idle_in_transaction", "long_transactions"])
def test_where_sessions_are_hidden_nothing_is_said_to_be_well(name: str) -> None:
    sessions = SESSIONS._replace(groups=[group(4, state="hidden"), group(1)])
    check = one(name, sessions=sessions, facts={"sees_all": False})
    assert check.status == "unknown"
    assert (
        check.summary
        == "4 sessions are hidden: role 'app' lacks permission to see other users' sessions"
    )
    assert check.remedy == 'As a superuser: GRANT pg_monitor TO "app".'
    assert "track_activities" in one(name, sessions=sessions).remedy


def test_what_is_in_sight_can_prove_trouble_though_others_are_hidden() -> None:
    old = [session(state="idle in transaction", state_seconds=720.0, transaction_seconds=7200.0)]
    sessions = SESSIONS._replace(groups=[group(4, state="hidden")], idle=old, transactions=old)
    assert (
        one("idle_in_transaction", sessions=sessions, facts={"sees_all": False}).status
        == "critical"
    )
    assert (
        one("long_transactions", sessions=sessions, facts={"sees_all": False}).status == "critical"
    )
    connections = one("connections", sessions=sessions, facts={"sees_all": False})
    assert (connections.status, connections.value) == ("ok", 4.1)
    assert "this role lacks permission to see what 4 of them do" in connections.summary


def test_a_name_that_a_client_chose_is_shortened_and_holds_no_secret() -> None:
    check = one(
        "connections",
        sessions=SESSIONS._replace(groups=[group(5, "postgresql://u:hunter2@h/db " + "x" * 200)]),
    )
    assert "hunter2" not in json.dumps([check.summary, *check.evidence])
    assert len(check.summary) < 200


def test_with_a_slot_left_it_is_never_100_percent() -> None:
    groups = SESSIONS._replace(groups=[group(19_999)])
    facts = {"max_connections": 20_003}
    assert one("connections", sessions=groups, facts=facts).value == 99.9
    groups = SESSIONS._replace(groups=[group(20_000)])
    assert one("connections", sessions=groups, facts=facts).value == 100.0
