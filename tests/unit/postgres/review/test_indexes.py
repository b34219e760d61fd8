"""Bloated and invalid indexes, judged."""

from __future__ import annotations

from typing import Any

from ansible_collections.gpt_agent.runbook.plugins.module_utils.postgres.review.indexes import (
    indexes,
)
from tests.support.postgres_review import LIMITS, NOBODY, by_name, contents
from tests.support.relations import MIB, index, table


def test_the_grant_that_lets_an_index_be_measured() -> None:
    for tools, words in (
        (None, "CREATE EXTENSION pgstattuple"),
        ("public", 'GRANT pg_stat_scan_tables TO "app"'),
    ):
        found = contents(table(), index(known=0), facts={"tuple_tools": tools})
        assert words in by_name(indexes(found, "d", LIMITS, NOBODY, 30))["index_bloat"].remedy


def invalid(*relations: dict[str, Any]) -> Any:
    return by_name(indexes(contents(table(), *relations), "d", LIMITS, NOBODY, 10))[
        "invalid_indexes"
    ]


def test_an_index_at_work_is_not_invalid_and_a_doubt_is_none() -> None:
    broken = index(valid=False)
    assert invalid(broken).status == "warning"
    assert invalid({**broken, "building": True, "contended": True}).status == "ok"
    doubtful = invalid({**broken, "contended": True})
    assert doubtful.status == "unknown"
    assert "a session locks t" in doubtful.summary
    assert invalid({**broken, "contended": True}, index(12, "i12", valid=False)).value == 1


def test_an_invalid_index_of_a_partitioned_table_is_named_for_itself() -> None:
    parent = index(12, "i12", valid=False, partitioned=True, bytes=0)
    check = invalid(parent)
    assert check.status == "unknown"
    assert "public.i12" in check.summary
    both = invalid(index(valid=False), parent)
    assert (both.status, both.value) == ("warning", 1)
    assert "and 1 index of a partitioned table, such as public.i12" in both.summary


def bloat(*relations: dict[str, Any]) -> Any:
    return by_name(indexes(contents(*relations), "d", LIMITS, NOBODY, 10))["index_bloat"]


def test_bloat_is_told_of_b_trees_of_own_tables_with_fresh_statistics() -> None:
    wasteful = index(bytes=300 * MIB)
    assert bloat(table(), wasteful).status == "warning"
    assert bloat(table(modified=500_000), wasteful).status == "unknown", (
        "its statistics are too old"
    )
    assert bloat(table(), index(table=77, known=0)).status == "ok", "that of a TOAST table"
    assert "B-tree" in bloat(table(), index(method="gin")).summary
