"""Which tables pg_maintenance vacuums, freezes and analyzes, and the reasons it gives."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.relations import FACTS, HOLDER, only, plan, seen, table


@pytest.mark.parametrize(
    ("facts", "operation", "reason"),
    [
        ({"dead": 300_000}, "vacuum", "300,000 dead rows, 23 % of all"),
        (
            {"dead": 120_000},
            "vacuum",
            "120,000 dead rows, 11 % of all",
        ),  # autovacuum would wait for 200,050
        ({"inserted": 250_000}, "vacuum", "250,000 rows inserted since the last vacuum"),
        ({"modified": 150_000}, "analyze", "150,000 rows changed since it was analyzed"),
        ({"rows": -1.0}, "analyze", "never analyzed"),
        ({"xid_age": 200_000_000}, "freeze", "beyond vacuum_freeze_table_age (150,000,000)"),
        ({"mxid_age": 200_000_000}, "freeze", "oldest multixact ID is 200,000,000 IDs old"),
        (
            {"xid_age": 200_000_000, "dead": 500_000},
            "freeze",
            "oldest transaction ID",
        ),  # one vacuum does both
    ],
)
def test_what_a_table_needs_and_why(facts: dict[str, Any], operation: str, reason: str) -> None:
    step = only(plan(seen(table(**facts))))
    assert step.operation == operation
    assert reason in step.reason
    assert not step.skip


@pytest.mark.parametrize(
    "facts",
    [
        {"dead": 9_000, "live": 1000, "rows": 1e6},
        {"inserted": 150_000},
        {"modified": 90_000},
        {"xid_age": 140_000_000},
    ],
)
def test_what_is_not_needed_yet(facts: dict[str, Any]) -> None:
    assert plan(seen(table(**facts))).steps == []


def test_a_tables_own_parameters_come_first() -> None:
    options = {"autovacuum_vacuum_insert_threshold": "-1", "autovacuum_analyze_scale_factor": "0.9"}
    assert plan(seen(table(inserted=10**6, modified=800_000, options=options))).steps == []
    eager = {"autovacuum_vacuum_scale_factor": "0", "autovacuum_vacuum_threshold": "100"}
    assert only(plan(seen(table(dead=200, options=eager)))).operation == "vacuum"


def test_the_most_a_table_may_pile_up_counts_from_18_on() -> None:
    settings = {**FACTS["settings"], "autovacuum_vacuum_max_threshold": "100000"}
    huge = table(rows=1e9, live=10**9, dead=150_000)
    assert plan(seen(huge)).steps == []
    assert only(plan(seen(huge, settings=settings))).operation == "vacuum"


def test_freezing_that_is_held_back_names_who_holds_it() -> None:
    step = only(plan(seen(table(xid_age=200_000_000), holders=[HOLDER])))
    assert step.skip == "replication slot 'old' holds back freezing"


def test_a_vacuum_that_removed_nothing_is_not_tried_again_while_the_holder_is_there() -> None:
    session = {"kind": "session", "whose": "pid 7 (report)", "age": 5, "seconds": 500.0}
    dead = table(dead=300_000, vacuumed=FACTS["now"] - 100)
    assert "pid 7 (report), open for" in only(plan(seen(dead, holders=[session]))).skip
    assert not only(plan(seen(dead, holders=[{**session, "seconds": 50.0}]))).skip, (
        "who came after it did not hold it back"
    )
    assert not only(plan(seen(dead))).skip


def test_a_partitioned_table_stands_for_its_partitions() -> None:
    parent = table(1, "events", partitioned=True, bytes=0, rows=-1.0, analyzed=None)
    parts = [table(number, f"events_{number}", parents=[1], modified=400_000) for number in (2, 3)]
    found = plan(seen(parent, *parts), operations=("analyze",))
    assert only(found).quoted == "public.events"
