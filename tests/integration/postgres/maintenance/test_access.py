"""pg_maintenance: permissions, two runs at once, poolers, the literal recipe."""

from __future__ import annotations

import json

import psycopg2
import psycopg2.extras
import pytest

from tests.conftest import by_name
from tests.support.maintenance import Maintain, cut_off, done
from tests.support.postgres import (
    Server,
    another_pid,
    bloated,
    run_sql,
)


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
    assert by_name(answer, "postgres.reachable")["status"] == "critical"
    assert answer["actions"] == []
    assert "secret-92af" not in json.dumps(answer)


def test_the_literal_recipe_needs_the_name(server: Server, maintain: Maintain) -> None:
    run_sql(server.url(), "CREATE TABLE t (id int PRIMARY KEY)", "INSERT INTO t VALUES (1)")
    planned = maintain(literal=True, check=True)
    assert done(planned, "planned") == [
        ("reindex_database", server.own["database"]),
        ("vacuum_database", server.own["database"]),
    ]
    assert "locks each table" in json.dumps(planned["warnings"])
    assert "confirm: is missing; give" in maintain(literal=True)["msg"]
    for check in (True, False):
        assert "confirm: it is 'x', but" in maintain(literal=True, confirm="x", check=check)["msg"]
    assert len(done(maintain(literal=True, confirm=server.own["database"]))) == 2
