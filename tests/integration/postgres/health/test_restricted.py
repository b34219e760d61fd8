"""pg_health with restricted roles, and in hostile databases."""

from __future__ import annotations

import json
import threading
from typing import Any

from ansible_collections.gpt_agent.runbook.plugins.module_utils.core.deadline import Deadline
from ansible_collections.gpt_agent.runbook.plugins.module_utils.postgres.connection import (
    Connection,
)
from ansible_collections.gpt_agent.runbook.plugins.module_utils.postgres.url import parse_url
from tests.conftest import SERVER_CHECKS, by_name
from tests.support.postgres import Server
from tests.support.postgres_probe import Ask, assert_well, unreachable


def test_a_role_that_may_only_connect_says_what_it_cannot_see(server: Server, ask: Ask) -> None:
    with server.role("plain") as url, server.session(application="someone"):
        answer = ask(url)
        assert {check["name"] for check in answer["checks"]} == SERVER_CHECKS
        for name in ("postgres.idle_in_transaction", "postgres.long_transactions"):
            check = by_name(answer, name)
            assert check["status"] == "unknown"
            assert "role 'plain' lacks permission to see other users' sessions" in check["summary"]
            assert check["remedy"] == 'As a superuser: GRANT pg_monitor TO "plain".'
        connections = by_name(answer, "postgres.connections")
        assert connections["status"] == "ok"
        assert connections["value"] == by_name(ask(), "postgres.connections")["value"]
        assert {row["application"] for row in connections["evidence"]} >= {"someone"}
        statements = {
            row["statement"] for row in by_name(answer, "postgres.query_time_mean")["evidence"]
        }
        assert "(hidden from role 'plain': GRANT pg_monitor shows it)" in statements
        server.admin("GRANT pg_monitor TO plain")
        assert_well(ask(url))
        assert by_name(ask(url), "postgres.long_transactions")["status"] == "ok"


def test_views_that_a_role_may_not_read_are_unknown_one_by_one(server: Server, ask: Ask) -> None:
    with server.role("blind") as url:
        database = server.own["database"]
        rights = (
            "SELECT ON pg_stat_activity",
            "ALL ON FUNCTION pg_stat_statements(boolean)",
            "ALL ON FUNCTION pg_control_system()",
        )
        server.admin(*(f"REVOKE {right} FROM PUBLIC" for right in rights), database=database)
        try:
            answer = ask(url)
        finally:
            server.admin(*(f"GRANT {right} TO PUBLIC" for right in rights), database=database)
        unknown = {
            check["name"]: check for check in answer["checks"] if check["status"] == "unknown"
        }
        assert set(unknown) == {
            f"postgres.{name}"
            for name in (
                "connections",
                "idle_in_transaction",
                "long_transactions",
                "query_time_mean",
                "writable",
            )
        }
        assert (
            "permission denied for view pg_stat_activity"
            in unknown["postgres.connections"]["summary"]
        )
        assert 'GRANT pg_monitor TO "blind"' in unknown["postgres.connections"]["remedy"]


def test_pg_stat_statements_that_is_missing_or_elsewhere(server: Server, ask: Ask) -> None:
    server.admin('CREATE DATABASE "Odd one"')
    try:
        check = by_name(ask(server.url(database="Odd one")), "postgres.query_time_mean")
        assert check["status"] == "unknown"
        assert "is not installed in database 'Odd one'" in check["summary"]
        assert "CREATE EXTENSION pg_stat_statements" in check["remedy"]
        server.admin(
            'CREATE SCHEMA "Odd 100% place"',
            'CREATE EXTENSION pg_stat_statements SCHEMA "Odd 100% place"',
            database="Odd one",
        )
        server.admin(
            'GRANT USAGE ON SCHEMA "Odd 100% place" TO PUBLIC',
            *["SELECT 1"] * 20,
            database="Odd one",
        )
        check = by_name(ask(server.url(database="Odd one")), "postgres.query_time_mean")
        assert check["status"] != "unknown", check
        assert check["evidence"]
    finally:
        server.admin('DROP DATABASE "Odd one" WITH (FORCE)')


#: A schema whose names hide the system's, and a role that finds it first and has no time.
HOSTILE = (
    "CREATE SCHEMA hostile",
    "CREATE VIEW hostile.pg_stat_activity AS SELECT 'fake' AS query",
    "CREATE VIEW hostile.pg_stat_database AS SELECT 'fake' AS datname",
    "CREATE FUNCTION hostile.current_setting(text) RETURNS text LANGUAGE sql "
    "AS $$ SELECT 'fake' $$",
    "CREATE FUNCTION hostile.pg_is_in_recovery() RETURNS boolean LANGUAGE sql AS $$ SELECT true $$",
    "CREATE FUNCTION hostile.age(xid) RETURNS integer LANGUAGE sql AS $$ SELECT 2000000000 $$",
    "GRANT USAGE ON SCHEMA hostile TO victim",
    "GRANT SELECT ON ALL TABLES IN SCHEMA hostile TO victim",
    "ALTER ROLE victim SET search_path = hostile, pg_catalog",
    "ALTER ROLE victim SET statement_timeout = '1ms'",
    "ALTER ROLE victim SET idle_in_transaction_session_timeout = '1ms'",
    "ALTER ROLE victim SET default_transaction_isolation = 'serializable'",
)


def test_a_hostile_search_path_and_timeouts_of_the_role_change_nothing(
    server: Server, ask: Ask
) -> None:
    database = server.own["database"]
    with server.role("victim", "GRANT pg_monitor TO victim") as url:
        server.admin(*HOSTILE, database=database)
        try:
            patient = f"{url}?options=-c%20statement_timeout%3D0"
            with server.session(patient, autocommit=True) as connection:
                cursor = connection.cursor()
                cursor.execute("SHOW search_path")
                assert cursor.fetchone() == ("hostile, pg_catalog",)
            answer = ask(url)
            assert_well(answer)
            assert "(primary," in by_name(answer, "postgres.reachable")["summary"]
            assert "fake" not in json.dumps(answer)
        finally:
            server.admin("DROP SCHEMA hostile CASCADE", database=database)


def test_a_lock_on_every_table_keeps_it_from_nothing(server: Server, ask: Ask) -> None:
    database = server.own["database"]
    tables = [
        name
        for (name,) in server.admin(
            (
                "SELECT format('%I.%I', schemaname, tablename) FROM pg_tables WHERE "
                "schemaname = 'public'"
            ),
            database=database,
        )
    ]
    assert tables
    with server.session(server.admin_url) as connection:
        connection.cursor().execute(f"LOCK TABLE {', '.join(tables)} IN ACCESS EXCLUSIVE MODE")
        assert_well(ask())


def test_a_lock_on_what_it_has_to_read_costs_it_that_answer_alone(server: Server, ask: Ask) -> None:
    with server.session(server.admin_url) as connection:
        connection.cursor().execute(
            "LOCK TABLE pg_catalog.pg_stat_archiver IN ACCESS EXCLUSIVE MODE"
        )
        answer = ask()
    unknown = {
        check["name"]: check["summary"]
        for check in answer["checks"]
        if check["status"] == "unknown"
    }
    assert set(unknown.values()) == {
        "Unknown: another session holds a lock on a relation that must be read"
    }
    assert set(unknown) == {"postgres.replication", "postgres.archiver", "postgres.writable"}


def test_a_lock_that_lets_nobody_log_in_is_told_within_the_time_limit(
    server: Server, ask: Ask
) -> None:
    with server.session(server.admin_url) as connection:
        connection.cursor().execute(
            "LOCK TABLE pg_catalog.pg_authid, pg_catalog.pg_database IN ACCESS EXCLUSIVE MODE"
        )
        check = unreachable(ask(timeout=1))
    assert "began the login but did not finish it within 1 s" in check["summary"]
    assert "waits for a lock" in check["summary"]
    assert_well(ask())


def test_its_settings_do_not_outlive_its_transaction(server: Server) -> None:
    """A pooler gives the same connection to the next client."""
    connection = Connection(parse_url(server.url()), "test", Deadline(10))
    connection.open()
    try:
        show = (
            "SELECT concat_ws(' ', current_setting('search_path'), "
            "current_setting('statement_timeout'), "
            "current_setting('transaction_read_only'))"
        )
        before = connection._ask(show)
        assert connection.begin("itself", show) != before
        connection._ask("COMMIT")
        assert connection._ask(show) == before
    finally:
        connection.close()


def test_two_at_once_do_not_disturb_each_other(ask: Ask) -> None:
    answers: list[dict[str, Any]] = []
    threads = [threading.Thread(target=lambda: answers.append(ask())) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert len(answers) == 3
    for answer in answers:
        assert_well(answer)


def test_limits_are_the_operators(ask: Ask) -> None:
    check = by_name(
        ask(thresholds={"postgres.wraparound": {"warning": 1, "critical": 2}}),
        "postgres.wraparound",
    )
    assert check["status"] == "critical"
    assert {row["database"] for row in check["evidence"]} >= {"template0", "template1"}
