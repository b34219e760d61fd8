"""PostgreSQL's health: every verdict from plain data, and the module's own words for misuse."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from ansible.module_utils.testing import patch_module_args

from ansible_collections.gpt_agent.runbook.plugins.module_utils.core.check import Check
from ansible_collections.gpt_agent.runbook.plugins.module_utils.core.errors import Unreachable
from ansible_collections.gpt_agent.runbook.plugins.module_utils.core.state import Delta, Sample
from ansible_collections.gpt_agent.runbook.plugins.module_utils.core.thresholds import Thresholds
from ansible_collections.gpt_agent.runbook.plugins.module_utils.postgres.checks import CHECKS
from ansible_collections.gpt_agent.runbook.plugins.module_utils.postgres.health.assess import (
    assess,
    unreachable,
)
from ansible_collections.gpt_agent.runbook.plugins.module_utils.postgres.health.collect import (
    Databases,
    Missing,
    Sessions,
    Snapshot,
    Statements,
    Wal,
    windowed,
)
from ansible_collections.gpt_agent.runbook.plugins.modules import pg_health
from tests.conftest import SERVER_CHECKS

FACTS: dict[str, Any] = {
    "version": "18.6 (Debian 18.6-1)",
    "role": "app",
    "sees_all": True,
    "standby": False,
    "started": 0,
    "now": 9 * 86400,
    "max_connections": 100,
    "reserved": 3,
    "archive_mode": "off",
    "archive_command": "(disabled)",
    "archive_library": "",
}
SAMPLE = Sample(0, "", {})
NOTHING = {
    "archived": 0,
    "failed": 0,
    "last_archived_wal": None,
    "last_failed_wal": None,
    "archived_seconds": None,
    "failed_seconds": None,
}


def pluralize(
    hit: float = 0,
    read: float = 0,
    deadlocks: float = 0,
    since_last_run: bool = True,
    seconds: float = 86400,
) -> Delta:
    return Delta(
        {"hit": hit, "read": read, "deadlocks": deadlocks}, "the window", seconds, since_last_run
    )


def group(
    count: int,
    application: str = "worker",
    state: str = "idle",
    user: str = "app",
    database: str = "shop",
) -> dict[str, Any]:
    return {
        "application": application,
        "user": user,
        "database": database,
        "state": state,
        "count": count,
    }


def session(**more: Any) -> dict[str, Any]:
    row = {
        "pid": 7,
        "application": "worker",
        "user": "app",
        "database": "shop",
        "client": None,
        "state": "active",
        "statement": "SELECT 'hunter2'",
    }
    return {**row, "state_seconds": 1.0, "transaction_seconds": 1.0, **more}


def database(name: str | None = "shop", **more: Any) -> dict[str, Any]:
    return {
        "oid": 5,
        "name": name,
        "connection_limit": -1,
        "xid_age": 20,
        "mxid_age": 1,
        "hit": 0,
        "read": 0,
        "deadlocks": 0,
        "reset": None,
        **more,
    }


SESSIONS = Sessions([], [], [], 0, None, None, {})
DATABASES = Databases(
    [database()], pluralize(9990, 10), pluralize(9990, 10, since_last_run=False), SAMPLE
)
WAL = Wal([], [], None, NOTHING, None)
STATEMENTS = Statements(1000, 2.0, "the window", [], SAMPLE)
SNAPSHOT = Snapshot("db:5432", 0.004, FACTS, SESSIONS, DATABASES, WAL, STATEMENTS)


def checks(
    replicas: int = 0,
    thresholds: dict[str, Any] | None = None,
    facts: dict[str, Any] | None = None,
    **parts: Any,
) -> list[Check]:
    seen = SNAPSHOT._replace(facts={**FACTS, **(facts or {})}, **parts)
    return list(assess(seen, Thresholds(CHECKS, thresholds), replicas))


def one(name: str, subject: str = "", **more: Any) -> Check:
    found = [
        check
        for check in checks(**more)
        if check.name == f"postgres.{name}" and check.subject == subject
    ]
    assert len(found) == 1, found
    return found[0]


def test_a_healthy_server_is_ok_in_every_respect() -> None:
    found = checks()
    assert {check.name for check in found} == SERVER_CHECKS
    assert {check.status for check in found} == {"ok"}
    assert (
        found[0].summary
        == "PostgreSQL 18.6 at db:5432 answers, connected in 4 ms (primary, up 9 days)"
    )
    assert found[0].value == 0.004


def test_of_a_server_that_cannot_be_asked_there_is_one_check() -> None:
    check = unreachable(Unreachable("It is gone", "Bring it back"), Thresholds(CHECKS))
    assert (check.name, check.status, check.summary, check.remedy) == (
        "postgres.reachable",
        "critical",
        "It is gone",
        "Bring it back",
    )
    assert (
        "systemctl status postgresql"
        in unreachable(Unreachable("It is gone"), Thresholds(CHECKS)).remedy
    )


def test_what_was_not_answered_is_unknown_with_its_reason() -> None:
    missing = Missing("nobody knows", "Ask again")
    found = checks(sessions=missing, databases=missing, wal=missing, statements=missing)
    assert {check.name for check in found} == SERVER_CHECKS
    assert {(check.status, check.summary, check.remedy) for check in found[1:]} == {
        ("unknown", "Not known: nobody knows", "Ask again")
    }


# --- sessions -----------------------------------------------------------------------------------------------------


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
    assert check.summary == "4 sessions are hidden: role 'app' may not see other users' sessions"
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
    assert "what 4 of them do is hidden from this role" in connections.summary


def test_a_name_that_a_client_chose_is_shortened_and_holds_no_secret() -> None:
    check = one(
        "connections",
        sessions=SESSIONS._replace(groups=[group(5, "postgresql://u:hunter2@h/db " + "x" * 200)]),
    )
    assert "hunter2" not in json.dumps([check.summary, *check.evidence])
    assert len(check.summary) < 200


# --- databases ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("hit", "status"), [(9000, "ok"), (8999, "warning"), (8000, "warning"), (7999, "critical")]
)
def test_the_cache_is_judged_by_target_and_acceptable(hit: int, status: str) -> None:
    check = one("cache_hit", databases=DATABASES._replace(recent=pluralize(hit, 10000 - hit)))
    assert (check.status, check.value, check.window) == (status, hit / 100, "the window")


def test_where_little_was_read_since_the_last_run_the_longer_span_is_judged() -> None:
    databases = DATABASES._replace(
        recent=pluralize(1, 9),
        total=Delta({"hit": 9500, "read": 500, "deadlocks": 0}, "since reset", 9, False),
    )
    check = one("cache_hit", databases=databases)
    assert (check.status, check.value, check.window) == ("ok", 95.0, "since reset")


def test_a_cache_that_was_hardly_used_is_not_judged() -> None:
    check = one(
        "cache_hit", databases=DATABASES._replace(recent=pluralize(1, 9), total=pluralize(10, 90))
    )
    assert (check.status, check.value) == ("unknown", None)
    assert check.summary == "Only 100 blocks were read the window, too few to judge the cache"


@pytest.mark.parametrize(
    ("count", "status"), [(0, "ok"), (1, "warning"), (10, "warning"), (11, "critical")]
)
def test_deadlocks_are_counted_in_the_window(count: int, status: str) -> None:
    rows = [database(deadlocks=30)]
    check = one(
        "deadlocks",
        databases=Databases(rows, pluralize(deadlocks=count), pluralize(9990, 10), SAMPLE),
    )
    assert (check.status, check.value) == (status, count)
    assert check.evidence == (({"database": "shop", "deadlocks_since_reset": 30},) if count else ())


def test_deadlocks_of_the_last_months_are_not_todays() -> None:
    old = pluralize(9990, 10, 7, since_last_run=False, seconds=90 * 86400)
    check = one("deadlocks", databases=DATABASES._replace(recent=old))
    assert (check.status, check.value) == ("unknown", None)
    assert (
        one("deadlocks", databases=DATABASES._replace(recent=replace(old, seconds=3600))).status
        == "warning"
    )


def test_wraparound_is_judged_by_the_oldest_of_both_counters_in_any_database() -> None:
    rows = [
        database(None, xid_age=None, mxid_age=None),
        database("template0", xid_age=1_350_000_000),
        database(mxid_age=1_450_000_000),
    ]
    check = one("wraparound", databases=DATABASES._replace(rows=rows))
    assert (check.status, check.value) == ("critical", 1_450_000_000)
    assert (
        check.summary
        == "The oldest multixact id is 1,450 million ids old, in database 'shop': 68 % of the way to wraparound"
    )
    assert [row["database"] for row in check.evidence] == ["shop", "template0"]
    assert one("wraparound", databases=DATABASES._replace(rows=rows[:2])).status == "warning"


def test_wraparound_names_what_holds_it_back() -> None:
    databases = DATABASES._replace(rows=[database(xid_age=1_350_000_000)])
    slot = {
        "slot_name": "gone",
        "slot_type": "physical",
        "active": True,
        "active_pid": 3,
        "kept_bytes": 0,
        "xmin_age": 1_340_000_000,
    }
    for parts, holder in (
        (
            {"sessions": SESSIONS._replace(xmin_age=1_300_000_000)},
            "held back by an old transaction",
        ),
        (
            {"sessions": SESSIONS._replace(prepared_age=1_300_000_000)},
            "held back by a prepared transaction",
        ),
        (
            {"wal": WAL._replace(slots=[slot]), "sessions": SESSIONS._replace(xmin_age=50)},
            "held back by replication slot 'gone'",
        ),
    ):
        assert holder in one("wraparound", databases=databases, **parts).summary
    assert "held back" not in one("wraparound", databases=databases).summary


# --- statements ---------------------------------------------------------------------------------------------------


def test_the_mean_is_over_all_calls_and_the_offenders_are_named() -> None:
    top = [
        {
            "statement": "SELECT pg_sleep('7')",
            "user": "app",
            "database": "shop",
            "calls": 10,
            "seconds": 9.0,
        },
        {
            "statement": "<insufficient privilege>",
            "user": "x",
            "database": "y",
            "calls": 5,
            "seconds": 0.5,
        },
        {"statement": None, "user": None, "database": None, "calls": 5, "seconds": 0.5},
    ]
    check = one(
        "query_time_mean",
        statements=STATEMENTS._replace(calls=100, seconds=10.0, top=top),
        thresholds={"postgres.query_time_mean": {"critical": 0.2}},
    )
    assert (check.status, check.value, check.window) == ("warning", 0.1, "the window")
    assert (
        check.summary
        == "A statement takes 100 ms on average (100 calls); 90 % of the time goes to: SELECT pg_sleep(?)"
    )
    assert check.evidence[0]["mean_seconds"] == 0.9
    assert [row["statement"] for row in check.evidence[1:]] == [
        "(hidden from role 'app': GRANT pg_monitor shows it)"
    ] * 2


def test_a_mean_of_a_few_calls_is_none() -> None:
    check = one("query_time_mean", statements=STATEMENTS._replace(calls=3))
    assert (check.status, check.value) == ("unknown", None)
    assert "Only 3 statements were recorded" in check.summary


ROWS = [("1/10/7", 200.0, 4.0), ("1/10/8", 50.0, 1.0), ("1/10", 90.0, 9.0)]


def test_statements_are_counted_since_the_last_run() -> None:
    before = [
        Sample(
            0,
            "e",
            {
                "1/10/7 n": 150,
                "1/10/7 s": 3.5,
                "1/10/8 n": 50,
                "1/10/8 s": 1.0,
                "9/9/9 n": 5,
                "9/9/9 s": 5,
            },
        )
    ]
    found, window = windowed(ROWS, Sample(86400, "e", {}), before, 5.0)
    assert found == {"1/10/7": (50, 0.5), "1/10": (90, 9.0)}
    assert window == "1970-01-01T00:00Z/PT24H"


def test_a_statement_that_was_thrown_out_and_came_back_counts_as_new() -> None:
    before = [
        Sample(
            0,
            "e",
            {
                "1/10/7 n": 900,
                "1/10/7 s": 90.0,
                "1/10/8 n": 20,
                "1/10/8 s": 0.5,
                "1/10 n": 1000,
                "1/10 s": 1000.0,
            },
        )
    ]
    found, _window = windowed(ROWS, Sample(86400, "e", {}), before, 5.0)
    assert found == {"1/10/7": (200, 4.0), "1/10/8": (30, 0.5)}, (
        "those without identity cannot be told apart and are left out"
    )


def test_too_few_statements_since_the_last_run_are_judged_over_the_longer_span() -> None:
    before = [
        Sample(
            0,
            "e",
            {
                f"{key} {what}": value
                for key, calls, seconds in ROWS
                for what, value in (("n", calls), ("s", seconds))
            },
        )
    ]
    found, window = windowed(ROWS, Sample(86400, "e", {}), before, 9 * 86400)
    assert sum(calls for calls, _ in found.values()) == 340
    assert window == "since statistics reset 9 days ago"
    assert windowed(ROWS, SAMPLE, [], None)[1] == "since statistics reset"


# --- where the WAL goes -------------------------------------------------------------------------------------------


def standby(
    name: str = "s1",
    behind: int | None = 0,
    lag: float | None = None,
    state: str | None = "streaming",
    **more: Any,
) -> dict[str, Any]:
    return {
        "pid": 5,
        "application": name,
        "client": "10.0.0.9",
        "state": state,
        "sync": "async",
        "behind_bytes": behind,
        "lag_seconds": lag,
        "replays": True,
        **more,
    }


def slot(name: str = "s1", **more: Any) -> dict[str, Any]:
    row = {
        "slot_name": name,
        "slot_type": "physical",
        "active": False,
        "active_pid": None,
        "wal_status": "reserved",
        "kept_bytes": 3 << 30,
        "xmin_age": None,
    }
    return {**row, **more}


def test_standbys_are_judged_by_their_delay_only_while_they_are_behind() -> None:
    standbys = [
        standby(lag=900.0),
        standby("s2", 1 << 20, 45.0),
        standby("s3", 1 << 20, 400.0),
        standby("s4", 5),
    ]
    found = {
        check.subject: check
        for check in checks(wal=WAL._replace(standbys=standbys))
        if check.name == "postgres.replication"
    }
    assert {subject: (check.status, check.value) for subject, check in found.items()} == {
        "s1": ("ok", 0.0),
        "s2": ("warning", 45.0),
        "s3": ("critical", 400.0),
        "s4": ("unknown", None),
    }
    assert found["s2"].summary == "Standby 's2' is 45 s and 1 MiB behind"


def test_standbys_that_are_missing_are_critical() -> None:
    check = one("replication", wal=WAL._replace(standbys=[standby()]), replicas=2)
    assert (check.status, check.summary) == ("critical", "1 of 2 expected standbys is connected")
    assert one("replication", replicas=1).summary == "0 of 1 expected standbys are connected"
    assert (
        one("replication", "s1", wal=WAL._replace(standbys=[standby()]), replicas=1).status == "ok"
    )


def test_a_backup_or_a_subscriber_is_no_standby() -> None:
    logical = slot("sub", slot_type="logical", active=True, active_pid=6)
    wal = WAL._replace(
        standbys=[standby("pg_basebackup", replays=False), standby("sub", pid=6)], slots=[logical]
    )
    assert (
        one("replication", wal=wal, replicas=1).summary == "0 of 1 expected standbys are connected"
    )


def test_standbys_that_may_not_be_seen_are_unknown_but_counted() -> None:
    wal = WAL._replace(standbys=[standby(state=None, behind=None, replays=False)])
    check = one("replication", wal=wal, replicas=1)
    assert (check.status, check.remedy) == ("unknown", 'As a superuser: GRANT pg_monitor TO "app".')
    assert one("replication", wal=wal, replicas=2).status == "critical"


def test_a_slot_that_nobody_reads_is_a_warning_and_a_lost_one_critical() -> None:
    check = one("replication", "slot s1", wal=WAL._replace(slots=[slot()]))
    assert (check.status, check.summary) == (
        "warning",
        "Nobody reads replication slot 's1'; it keeps 3 GiB of WAL, and ever more until the disk is full",
    )
    assert (
        one(
            "replication",
            "slot s1",
            wal=WAL._replace(slots=[slot(wal_status="lost", kept_bytes=None)]),
        ).status
        == "critical"
    )


@pytest.mark.parametrize(
    ("more", "status", "words"),
    [
        ({"wal_status": "unreserved"}, "critical", "is about to be lost"),
        (
            {"wal_status": "extended"},
            "warning",
            "The consumer of replication slot 's1' is far behind; it keeps 3 GiB of WAL",
        ),
        ({"kept_bytes": 20 << 30}, "warning", "is far behind"),
        ({"safe_wal_size": 1 << 29}, "warning", "will be lost after another 512 MiB of WAL"),
        (
            {"active": False, "kept_bytes": 1000, "inactive_seconds": 301.0},
            "warning",
            "Nobody reads",
        ),
    ],
)
def test_a_slot_that_is_read_too_slowly_is_named(
    more: dict[str, Any], status: str, words: str
) -> None:
    check = one(
        "replication", "slot s1", wal=WAL._replace(slots=[slot(**{"active": True, **more})])
    )
    assert check.status == status
    assert words in check.summary


@pytest.mark.parametrize(
    "more",
    [
        {"active": True, "safe_wal_size": 8 << 30},
        {"synced": True},
        {"kept_bytes": None},
        {"kept_bytes": 1 << 20, "inactive_seconds": 1.0},
        {"kept_bytes": 1 << 20, "inactive_seconds": None},
    ],
)
def test_slots_in_order_are_not_worth_a_check(more: dict[str, Any]) -> None:
    assert (
        one("replication", wal=WAL._replace(slots=[slot(**more)])).summary
        == "This primary has no standby, and none is expected"
    )


REPLAY = {"receiving": True, "caught_up": True, "paused": False, "replayed_seconds": 86400.0}


@pytest.mark.parametrize(
    ("replay", "status", "value", "words"),
    [
        ({}, "ok", 0.0, "has replayed all that it received"),
        ({"caught_up": False, "replayed_seconds": 60.0}, "warning", 60.0, "is 1 min behind"),
        (
            {"caught_up": False, "replayed_seconds": None},
            "unknown",
            None,
            "is behind and has replayed no transaction yet",
        ),
        (
            {"receiving": False},
            "critical",
            None,
            "does not receive from its primary; it last replayed a transaction 24 h ago",
        ),
        (
            {"receiving": False, "replayed_seconds": None},
            "critical",
            None,
            "it has replayed no transaction yet",
        ),
        ({"paused": True}, "warning", None, "Replay is paused"),
    ],
)
def test_a_standby_about_itself(
    replay: dict[str, Any], status: str, value: float | None, words: str
) -> None:
    check = one(
        "replication",
        wal=WAL._replace(replay={**REPLAY, **replay}),
        facts={"standby": True},
        replicas=3,
    )
    assert (check.status, check.value) == (status, value)
    assert words in check.summary


ON = {"archive_mode": "on", "archive_command": "cp %p /a"}


@pytest.mark.parametrize(
    ("facts", "archiver", "waiting", "status", "words"),
    [
        ({}, {}, None, "ok", "WAL archiving is off"),
        (
            {**ON, "standby": True},
            {"failed_seconds": 1.0},
            None,
            "ok",
            "A standby archives nothing",
        ),
        ({**ON, "archive_command": ""}, {}, 0, "warning", "there is no archive_command"),
        (ON, {}, 0, "ok", "no segment has had to be archived yet"),
        (
            ON,
            {"archived_seconds": 180.0},
            0,
            "ok",
            "WAL archiving works, the last success was 3 min ago",
        ),
        (ON, {"archived_seconds": 180.0, "failed_seconds": 600.0}, 1, "ok", "1 WAL segment waits"),
        (ON, {"archived_seconds": 7200.0}, 11, "warning", "11 WAL segments wait"),
        (ON, {"archived_seconds": 7200.0}, 101, "critical", "101 WAL segments wait"),
        (ON, {"archived_seconds": 180.0}, None, "ok", "works"),
        (
            ON,
            {"archived_seconds": 7200.0, "failed_seconds": 60.0},
            3,
            "critical",
            "WAL 00A was refused 1 min ago, the last success was 2 h ago",
        ),
        (ON, {"failed_seconds": 60.0}, None, "critical", "none has ever been archived"),
    ],
)
def test_the_archiver(
    facts: dict[str, Any], archiver: dict[str, Any], waiting: int | None, status: str, words: str
) -> None:
    wal = WAL._replace(
        archiver={**NOTHING, "last_failed_wal": "00A", **archiver},
        waiting=waiting,
        replay=REPLAY if facts.get("standby") else None,
    )
    check = one("archiver", wal=wal, facts=facts)
    assert check.status == status
    assert words in check.summary


# --- the module ---------------------------------------------------------------------------------------------------


def failure(capsys: pytest.CaptureFixture[str], arguments: dict[str, Any]) -> str:
    with patch_module_args(arguments), pytest.raises(SystemExit):
        pg_health.main()
    answer = json.loads(capsys.readouterr().out)
    assert answer["failed"] is True
    return str(answer["msg"])


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ({}, "database_url: missing"),
        ({"database_url": "http://u:hunter2@h/"}, "must start with 'postgresql://'"),
        (
            {"database_url": "postgresql://u:hunter2@h/x", "replicas": -1},
            "replicas: -1 is not a number of standbys",
        ),
        (
            {"database_url": "postgresql://u:hunter2@h/x", "timeout": 0},
            "timeout: 0 is not a number of seconds",
        ),
        (
            {
                "database_url": "postgresql://u:hunter2@h/x",
                "thresholds": {"postgres.connection": {"warning": 1}},
            },
            "did you mean 'postgres.connections'?",
        ),
        (
            {"database_url": "postgresql://u:hunter2@127.0.0.1:1/x?sslmode=hunter2"},
            "sslmode has a value that libpq does not know",
        ),
    ],
)
def test_misuse_is_one_sentence(
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    arguments: dict[str, Any],
    sentence: str,
) -> None:
    monkeypatch.delenv("DATABASE_URL", raising=False)
    said = failure(capsys, arguments)
    assert sentence in said
    assert "hunter2" not in said
    assert "\n" not in said


def test_a_missing_library_is_named(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pg_health, "PSYCOPG2_ERROR", "No module named 'psycopg2'")
    said = failure(capsys, {"database_url": "postgresql://u@h/x"})
    assert "'psycopg2-binary' is missing" in said
    assert "'python3-psycopg2'" in said


@pytest.mark.parametrize(
    ("option", "address"),
    [("postgresql://u@127.0.0.1:1/x", "127.0.0.1:1 "), (None, "127.0.0.1:2 ")],
)
def test_the_option_comes_before_the_environment(
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    option: str | None,
    address: str,
) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgresql://u@127.0.0.1:2/x")
    with patch_module_args({"database_url": option} if option else {}), pytest.raises(SystemExit):
        pg_health.main()
    [check] = json.loads(capsys.readouterr().out)["checks"]
    assert address in check["summary"]
    assert check["status"] == "critical"
