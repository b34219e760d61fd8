"""Unused indexes, judged."""

from __future__ import annotations

from typing import Any

from ansible_collections.gpt_agent.runbook.plugins.module_utils.postgres.review.indexes import (
    indexes,
)
from tests.support.postgres_review import (
    BIG,
    LIMITS,
    NOBODY,
    OLD,
    TWO,
    by_name,
    contents,
    usage_of,
    used,
)
from tests.support.relations import FACTS as DATABASE_FACTS
from tests.support.relations import MIB, index, table


def unused(
    row: dict[str, Any],
    *others: dict[str, Any],
    since: float | None = 0.0,
    keys: Any = (),
    age: float | None = OLD,
    more: Any = None,
    **facts: Any,
) -> Any:
    """The verdict on indexes known for ``age`` seconds; ``more`` changes the inventory, by oid."""
    relations = [
        index(each["oid"], f"i{each['oid']}", **{**BIG, **(more or {}).get(each["oid"], {})})
        for each in (row, *others)
    ]
    sizes = {} if age is None else {f"index {each['oid']}": age for each in (row, *others)}
    found = contents(
        table(),
        *relations,
        usage=usage_of(row, *others, since=since, keys=keys),
        facts=facts,
        sizes=sizes,
    )
    return by_name(indexes(found, "d", LIMITS, NOBODY, 10))["unused_indexes"]


def dropped(check: Any) -> list[str]:
    return [row["index"] for row in check.evidence]


def test_an_index_that_nobody_has_used() -> None:
    check = unused(used(scans=0))
    assert (check.status, check.value) == ("warning", 200 * MIB)
    assert check.evidence[0]["drop"] == "DROP INDEX CONCURRENTLY public.i11"
    assert unused(used(scans=1)).status == "ok"
    assert unused(used(scans=0, kept=True)).status == "ok"
    assert unused(used(scans=0, expressions="lower(a)")).status == "ok", (
        "the planner has statistics from it"
    )


def test_statistics_that_are_too_young_or_of_unknown_age_prove_nothing() -> None:
    assert unused(used(scans=0), since=DATABASE_FACTS["now"] - 86400).not_judged
    assert unused(used(scans=0), since=None).not_judged


def test_counters_of_one_server_say_nothing_of_its_standbys() -> None:
    check = unused(used(scans=0), standbys=1)
    assert check.status == "unknown"
    assert "its standbys have counters of their own" in check.summary
    assert unused(used(scans=0), standby=True).status == "unknown"
    assert unused(used(scans=1), standby=True).status == "ok"
    assert unused(used(scans=0), standbys=1, more={11: {"bytes": 20 * MIB}}).status == "ok", (
        "it is no matter either way"
    )


def test_an_index_counts_as_unused_only_when_it_has_been_seen_for_long_enough() -> None:
    assert unused(used(scans=0), age=None).not_judged
    assert unused(used(scans=0), age=86400.0).not_judged
    fresh, old = used(scans=0, keys=[2]), used(12, scans=0)
    relations = [index(each["oid"], f"i{each['oid']}", **BIG) for each in (fresh, old)]
    found = contents(
        table(),
        *relations,
        usage=usage_of(fresh, old),
        sizes={"index 11": 0.0, "index 12": OLD - 86400},
        elapsed=86400.0,
    )
    assert dropped(by_name(indexes(found, "d", LIMITS, NOBODY, 10))["unused_indexes"]) == [
        "public.i12"
    ]
    assert unused(used(scans=7, last=DATABASE_FACTS["now"] - OLD), age=None).status == "warning", (
        "PostgreSQL knows when it was used last"
    )
    assert unused(used(scans=7, last=DATABASE_FACTS["now"] - 86400)).status == "ok"


def test_what_makes_another_index_superfluous_is_not_called_unused() -> None:
    rows = [used(11, scans=5), used(12, scans=0, **TWO)]
    found = contents(
        table(),
        *(index(row["oid"], f"i{row['oid']}", **BIG) for row in rows),
        usage=usage_of(*rows),
        sizes={"index 11": OLD, "index 12": OLD},
    )
    checks = by_name(indexes(found, "d", LIMITS, NOBODY, 10))
    assert [(row["drop"], row["keep"]) for row in checks["duplicate_indexes"].evidence] == [
        ("public.i11", "public.i12")
    ]
    assert checks["unused_indexes"].status == "ok"


def test_of_twins_the_one_that_is_used_stays() -> None:
    rows = [used(11, scans=0), used(12, scans=9)]
    found = contents(
        table(),
        *(index(row["oid"], f"i{row['oid']}", **BIG) for row in rows),
        usage=usage_of(*rows),
        sizes={"index 11": OLD, "index 12": OLD},
    )
    checks = by_name(indexes(found, "d", LIMITS, NOBODY, 10))
    assert [(row["drop"], row["keep"]) for row in checks["duplicate_indexes"].evidence] == [
        ("public.i11", "public.i12")
    ]
    assert dropped(checks["unused_indexes"]) == ["public.i11"]


def test_a_foreign_key_keeps_an_index() -> None:
    key = {"table": 1, "columns": [1]}
    assert unused(used(scans=0), keys=[key]).status == "ok"
    assert unused(used(scans=0, keys=[2]), keys=[key]).status == "warning"
    assert (
        unused(
            used(scans=0), used(12, scans=3, **TWO, storage=["pages_per_range=7"]), keys=[key]
        ).status
        == "warning"
    ), "another one serves it"
    both = unused(
        used(scans=0), used(12, scans=0, **TWO, storage=["pages_per_range=7"]), keys=[key]
    )
    assert dropped(both) == ["public.i12"], "one of them has to stay"
    for more in ({"valid": False}, {"method": "brin"}):
        assert (
            unused(used(scans=0), used(12, scans=3), keys=[key], more={12: more}).status == "ok"
        ), f"{more} serves no foreign key"
    assert unused(used(scans=0), used(12, scans=3, keys=[2, 1]), keys=[key]).status == "ok", (
        "a column that is only included serves none"
    )


def test_a_partitioned_index_is_judged_as_a_whole() -> None:
    tree = [used(99, scans=0), used(98, scans=0, top=99), used(11, scans=0, top=99)]
    parts: dict[int, Any] = {
        99: {"partitioned": True, "bytes": 0},
        98: {"partitioned": True, "bytes": 0, "table": 2},
        11: {"table": 3},
        12: {"table": 4},
    }
    assert unused(*tree, used(12, scans=3, top=99), more=parts).status == "ok", (
        "a sibling two levels down is used"
    )
    check = unused(*tree, used(12, scans=0, top=99), more=parts)
    assert [(row["index"], row["bytes"], row["drop"]) for row in check.evidence] == [
        ("public.i99", 400 * MIB, "DROP INDEX public.i99")
    ]
