"""pg_review of sequences near their end, and of those that cannot be read."""

from __future__ import annotations

import pytest

from tests.conftest import by_name
from tests.support.postgres import Server, run_sql
from tests.support.postgres_reviews import Look


def test_a_sequence_near_its_end(url: str, look: Look) -> None:
    run_sql(
        url,
        "CREATE TABLE narrow (id serial PRIMARY KEY)",
        "CREATE TABLE wide (id bigserial PRIMARY KEY)",
        "SELECT setval('narrow_id_seq', (2147483647 * 0.951)::bigint)",
        "SELECT setval('wide_id_seq', (2147483647 * 0.951)::bigint)",
        'CREATE SEQUENCE "Around.%s" MAXVALUE 10 CYCLE',
        "SELECT nextval('\"Around.%s\"') FROM generate_series(1, 10)",
    )
    check = by_name(look("tables"), "postgres.sequences")
    assert (check["status"], check["value"]) == ("critical", 95.1)
    assert [row["sequence"] for row in check["evidence"]] == ["public.narrow_id_seq"]
    assert "which fills narrow.id (integer)" in check["summary"]


@pytest.mark.parametrize(
    ("column", "type_"),
    [("int DEFAULT nextval('loose')", "integer"), ("number_2 DEFAULT nextval('loose')", "integer")],
)
def test_a_sequence_fills_a_column_that_does_not_own_it(
    url: str, look: Look, column: str, type_: str
) -> None:
    run_sql(
        url,
        "CREATE DOMAIN number AS int",
        "CREATE DOMAIN number_2 AS number",
        "CREATE SEQUENCE loose",
        f"CREATE TABLE wide (id bigint DEFAULT nextval('loose'), narrow {column})",
        "SELECT setval('loose', (2147483647 * 0.951)::bigint)",
    )
    check = by_name(look("tables"), "postgres.sequences")
    assert (check["status"], check["value"]) == ("critical", 95.1)
    assert f"which fills wide.narrow ({type_})" in check["summary"]


def test_who_may_use_a_sequence_may_see_how_far_it_is(server: Server, url: str, look: Look) -> None:
    run_sql(url, "CREATE SEQUENCE s MAXVALUE 100", "SELECT setval('s', 96)")
    with server.role("user_of") as user:
        address = user.rpartition("/")[0] + "/" + url.rpartition("/")[2]
        run_sql(url, "GRANT USAGE ON s TO user_of")
        check = by_name(look("tables", database_url=address), "postgres.sequences")
        run_sql(url, "REVOKE ALL ON s FROM user_of")
    assert check["status"] == "critical"


def test_a_sequence_that_somebody_alters_does_not_hide_the_others(
    server: Server, url: str, look: Look
) -> None:
    run_sql(
        url, "CREATE SEQUENCE s", "CREATE SEQUENCE near MAXVALUE 100", "SELECT setval('near', 99)"
    )
    with server.session(url) as holder:
        holder.cursor().execute("ALTER SEQUENCE s CACHE 5")
        assert by_name(look("tables"), "postgres.sequences")["value"] == pytest.approx(99, abs=0.1)
        holder.rollback()
        holder.cursor().execute("ALTER SEQUENCE near MAXVALUE 1000")
        check = by_name(look("tables"), "postgres.sequences")
    assert check["status"] == "unknown"
    assert "1 sequence cannot be read right now, such as public.near" in check["summary"]
