"""Sizes, growth and bloat of tables, judged."""

from __future__ import annotations

from typing import Any

from ansible_collections.gpt_agent.runbook.plugins.module_utils.postgres.review.snapshot import (
    total_sizes,
)
from ansible_collections.gpt_agent.runbook.plugins.module_utils.postgres.review.tables import tables
from tests.support.postgres_review import LIMITS, by_name, contents
from tests.support.relations import MIB, index, seen, table


def test_bloat_of_a_table_whose_widths_are_hidden_is_unknown() -> None:
    row = {
        "oid": 1,
        "bytes": 100 * MIB,
        "columns": 3,
        "known": 2,
        "width": 8.0,
        "nulls": 0.0,
        "fillfactor": None,
    }
    check = by_name(tables(contents(table(), widths={1: row}), "d", LIMITS))["table_bloat"]
    assert check.status == "unknown"
    assert "role 'app' lacks permission to see its statistics" in check.summary


def test_row_security_is_named_as_what_hides_statistics() -> None:
    row = {
        "oid": 1,
        "bytes": 100 * MIB,
        "columns": 3,
        "known": 2,
        "width": 8.0,
        "nulls": 0.0,
        "fillfactor": None,
    }
    check = by_name(tables(contents(table(row_security=True), widths={1: row}), "d", LIMITS))[
        "table_bloat"
    ]
    assert 'ALTER ROLE "app" BYPASSRLS' in check.remedy


def test_a_partitioned_table_is_as_large_as_its_partitions() -> None:
    parts = [table(oid, f"p{oid}", parents=[1], bytes=20 * MIB) for oid in (2, 3)]
    inventory = seen(
        table(1, "p", partitioned=True, bytes=0), *parts, index(table=2, bytes=5 * MIB)
    )
    assert total_sizes(inventory) == {1: 45 * MIB}


def sizes(*relations: dict[str, Any], **before: float) -> Any:
    return by_name(
        tables(
            contents(*relations, sizes={key.strip("_"): value for key, value in before.items()}),
            "d",
            LIMITS,
        )
    )["table_sizes"]


def test_a_table_that_the_last_run_did_not_know_has_grown_from_nothing() -> None:
    check = sizes(table(), table(2, "new", bytes=900 * MIB), _1=100 * MIB, total=109 * MIB)
    assert (check.status, check.value) == ("warning", 817.4)
    assert "public.new has grown most, by 900 MiB" in check.summary
    assert [row["growth_bytes"] for row in check.evidence] == [900 * MIB, 0]
    copied = sizes(table(2), _1=100 * MIB, total=100 * MIB)
    assert (copied.status, copied.value) == ("ok", 0.0), (
        "a copy that took the place of a table is no growth"
    )
    assert sizes(table(bytes=8 * MIB), total=1.0 * MIB).status == "ok", "what is small may double"
    assert sizes(table()).value is None


def test_the_bloat_of_a_table_whose_statistics_are_old_is_unknown() -> None:
    row = {
        "oid": 1,
        "bytes": 100 * MIB,
        "columns": 3,
        "known": 3,
        "width": 8.0,
        "nulls": 0.0,
        "fillfactor": None,
    }
    check = by_name(tables(contents(table(modified=200_000), widths={1: row}), "d", LIMITS))[
        "table_bloat"
    ]
    assert check.status == "unknown"
    assert "ANALYZE it" in check.remedy
    assert (
        by_name(tables(contents(table(), widths={1: row}), "d", LIMITS))["table_bloat"].status
        == "ok"
    )
