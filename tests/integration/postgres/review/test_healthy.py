"""pg_review of a healthy database, and what it keeps."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.conftest import RunModule, by_name
from tests.support.postgres import Server, run_sql
from tests.support.postgres_reviews import Look, bad, named, server_version

pytestmark = pytest.mark.every_version


def test_a_healthy_database_is_ok_in_every_respect(server: Server, url: str, look: Look) -> None:
    run_sql(
        url,
        (
            "CREATE TABLE customers (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, "
            "mail text UNIQUE)"
        ),
        (
            "CREATE TABLE orders (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, "
            "customer bigint NOT NULL REFERENCES customers, placed date)"
        ),
        "CREATE INDEX ON orders (customer)",
        (
            "INSERT INTO customers (mail) SELECT 'c' || g || '@example.org' FROM "
            "generate_series(1, 200000) g"
        ),
        (
            "INSERT INTO orders (customer, placed) SELECT g, '2026-01-01' FROM "
            "generate_series(1, 200000) g"
        ),
        "VACUUM ANALYZE customers, orders",
        # Fewer transactions are too few to judge.
        "DO $$ BEGIN FOR turn IN 1..1000 LOOP COMMIT; END LOOP; END $$",
    )
    answer = look()
    checksums = by_name(answer, "postgres.checksum_failures")
    # initdb switches checksums on from 18 on only
    assert bool(checksums["not_judged"]) == (server_version(url) < 18)
    assert bad(answer) == {}, [check for check in answer["checks"] if check["status"] != "ok"]
    sizes = by_name(answer, "postgres.table_sizes")
    assert sizes["subject"] == named(url)
    assert [row["table"] for row in sizes["evidence"]] == ["public.customers", "public.orders"]
    assert (
        sizes["evidence"][0]["bytes"]
        == run_sql(url, "SELECT pg_total_relation_size('customers')")[0][0]
    )


def test_a_review_is_not_compared_with_the_last_checklist(
    run_module: RunModule, url: str, look: Look, tmp_path: Path
) -> None:
    def kept() -> set[str]:
        return {file.name.partition("-")[0] for file in (tmp_path / "state").glob("*.json")}

    look("locks")
    assert kept() == set(), "it judges no counters"
    look("statements")
    review = {"pg_review", "pg_review_statements"}
    assert kept() == review
    run_module("pg_health", {"database_url": url, "state_dir": str(tmp_path / "state")})
    assert kept() == {*review, "pg_health", "pg_health_statements"}
