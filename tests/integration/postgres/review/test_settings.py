"""pg_review of settings and collations, with restricted roles, and of several databases."""

from __future__ import annotations

import time

import psycopg2
import pytest

from tests.conftest import RunModule, by_name
from tests.support.postgres import Server, bloated, run_sql
from tests.support.postgres_reviews import SMALL, Look, named, server_version


def test_parameters_that_endanger_data(server: Server, look: Look) -> None:
    server.admin(
        "ALTER SYSTEM SET autovacuum = off",
        "ALTER SYSTEM SET max_connections = 90",
        "SELECT pg_reload_conf()",
    )
    try:
        time.sleep(0.5)
        check = by_name(look("settings"), "postgres.settings")
    finally:
        server.admin("ALTER SYSTEM RESET ALL", "SELECT pg_reload_conf()")
    assert check["status"] == "critical"
    assert "autovacuum is off" in check["summary"]


def test_a_roles_own_parameter_is_not_the_servers(server: Server, look: Look) -> None:
    server.admin("ALTER ROLE app SET track_activities = off")
    try:
        check = by_name(look("settings"), "postgres.settings")
    finally:
        server.admin("ALTER ROLE app RESET track_activities")
    assert check["status"] == "unknown"
    assert "has its own value for track_activities" in check["summary"]


def test_a_table_without_autovacuum(url: str, look: Look) -> None:
    run_sql(
        url,
        "CREATE TABLE t (id int) WITH (autovacuum_enabled = no)",
        "CREATE TABLE u (id int) WITH (autovacuum_enabled = on)",
    )
    check = by_name(look("settings"), "postgres.settings", named(url))
    assert check["status"] == "warning"
    assert check["evidence"] == [{"table": "public.t"}]


def test_collations_that_have_changed(server: Server, url: str, look: Look) -> None:
    name = url.rpartition("/")[2]
    run_sql(url, 'CREATE TABLE t (word text COLLATE "POSIX")', "CREATE INDEX ON t (word)")
    assert by_name(look("settings"), "postgres.collations")["status"] == "ok"
    server.admin(
        "UPDATE pg_collation SET collversion = '1.0' WHERE collname = 'POSIX'", database=name
    )
    check = by_name(look("settings"), "postgres.collations", named(url))
    assert check["status"] == "critical"
    assert 'Collation "POSIX" sorts by a library without versions now' in check["summary"]
    if server_version(url) < 15:
        return
    server.admin(
        f"UPDATE pg_database SET datcollversion = '2.0' WHERE datname IN ('{name}', 'template0')"
    )
    try:
        answer = look("settings")
    finally:
        server.admin("UPDATE pg_database SET datcollversion = NULL")
    assert (
        f"The default of database '{name}' sorts by"
        in by_name(answer, "postgres.collations", named(url))["summary"]
    )
    others = by_name(answer, "postgres.collations", "other databases")
    assert (others["status"], [row["database"] for row in others["evidence"]]) == (
        "warning",
        ["template0"],
    )


def test_a_role_whose_transactions_are_serializable(server: Server, url: str, look: Look) -> None:
    name = url.rpartition("/")[2]
    run_sql(url, "CREATE TABLE t (id int)")
    defaults = [
        f"ALTER ROLE strict SET default_transaction_{what}"
        for what in ("isolation = serializable", "deferrable = on", "read_only = on")
    ]
    with (
        server.role("strict", *defaults, "GRANT pg_monitor TO strict") as strict,
        server.session(url) as writer,
    ):
        writer.set_session(isolation_level="SERIALIZABLE")
        writer.cursor().execute("INSERT INTO t VALUES (1)")
        answer = look("locks", database_url=f"{strict.rpartition('/')[0]}/{name}", timeout=5)
    assert by_name(answer, "postgres.reachable")["status"] == "ok"


def test_a_role_that_only_monitors_has_bloat_measured(
    server: Server, bloated_url: str, look: Look
) -> None:
    name = bloated_url.rpartition("/")[2]
    with server.role("watcher", "GRANT pg_monitor TO watcher") as watcher:
        check = by_name(
            look("indexes", database_url=f"{watcher.rpartition('/')[0]}/{name}", thresholds=SMALL),
            "postgres.index_bloat",
        )
    assert check["status"] == "warning", check
    assert [(row["index"], row["method"]) for row in check["evidence"]] == [
        ("public.messages_word", "measured")
    ]


def test_several_databases_in_one_call(server: Server, url: str, look: Look) -> None:
    run_sql(url, "CREATE TABLE t (a int)", "INSERT INTO t VALUES (1), (1)")
    with pytest.raises(psycopg2.errors.UniqueViolation):
        run_sql(url, "CREATE UNIQUE INDEX CONCURRENTLY t_a ON t (a)")
    server.admin("CREATE DATABASE closed", "REVOKE CONNECT ON DATABASE closed FROM public")
    try:
        answer = look("indexes", database_url=server.url(), databases=["*"])
    finally:
        server.admin("DROP DATABASE closed")
    invalid = {
        check["subject"]: check["status"]
        for check in answer["checks"]
        if check["name"] == "postgres.invalid_indexes"
    }
    assert invalid[named(url)] == "warning"
    assert {status for subject, status in invalid.items() if subject != named(url)} == {"ok"}
    refused = by_name(answer, "postgres.inspection", "database closed")
    assert refused["status"] == "unknown"
    assert "closed" in refused["summary"]


def test_what_a_role_may_not_see_is_unknown_and_names_the_grant(
    server: Server, url: str, look: Look
) -> None:
    run_sql(url, *bloated(rows=300_000), "CREATE SEQUENCE s", "SELECT nextval('s')")
    with server.role("blind") as blind:
        answer = look(database_url=blind.rpartition("/")[0] + "/" + url.rpartition("/")[2])
    unknown = {check["name"]: check for check in answer["checks"] if check["status"] == "unknown"}
    for name in ("postgres.index_bloat", "postgres.table_bloat", "postgres.sequences"):
        assert "GRANT pg_read_all_data" in unknown[name]["remedy"], name
    for name in ("postgres.vacuum_horizon", "postgres.settings", "postgres.slow_statements"):
        assert "GRANT pg_monitor" in unknown[name]["remedy"], name


def test_a_pattern_that_fits_nothing_is_misuse(run_module: RunModule, url: str) -> None:
    answer = run_module(
        "pg_review", {"database_url": url, "areas": ["tables"], "databases": ["nowhere*"]}
    )
    assert answer["failed"]
    assert "no database of this server matches 'nowhere*'" in answer["msg"]
