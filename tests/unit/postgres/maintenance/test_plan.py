"""What pg_maintenance decides from what it has seen: need, rank, budget, and the words for what is left out."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.gpt_agent.runbook.plugins.module_utils.core.errors import UsageError
from ansible_collections.gpt_agent.runbook.plugins.module_utils.postgres.maintenance.plan import (
    Plan,
    Rules,
    Step,
    make_plan,
    statement,
    unjudged,
)
from ansible_collections.gpt_agent.runbook.plugins.module_utils.postgres.relations import (
    Inventory,
    estimate,
    measured,
)
from ansible_collections.gpt_agent.runbook.plugins.plugin_utils.background import words

GIB, MIB = 1024**3, 1024**2
FACTS: dict[str, Any] = {
    "now": 1_000_000.0,
    "standby": False,
    "role": "app",
    "version": 170004,
    "block": 8192,
    "started": 0.0,
    "standbys": 0,
    "data_directory": None,
    "tablespaces": {},
    "tablespace": 1663,
    "tuple_tools": None,
    "settings": {
        "autovacuum_vacuum_threshold": "50",
        "autovacuum_vacuum_scale_factor": "0.2",
        "autovacuum_vacuum_insert_threshold": "1000",
        "autovacuum_vacuum_insert_scale_factor": "0.2",
        "autovacuum_analyze_threshold": "50",
        "autovacuum_analyze_scale_factor": "0.1",
        "vacuum_freeze_table_age": "150000000",
        "vacuum_multixact_freeze_table_age": "150000000",
        "autovacuum_freeze_max_age": "200000000",
        "autovacuum_multixact_freeze_max_age": "400000000",
    },
}
HOLDER = {"kind": "replication slot", "whose": "'old'", "age": 300_000_000, "seconds": None}


def table(oid: int = 1, name: str = "t", **more: Any) -> dict[str, Any]:
    """A table of a million rows that needs nothing."""
    usual = {
        "schema": "public",
        "partitioned": False,
        "parents": None,
        "held": False,
        "mine": True,
        "bytes": 100 * MIB,
        "rows": 1e6,
        "live": 10**6,
    }
    usual |= {
        "worked": False,
        "dead": 0,
        "modified": 0,
        "inserted": 0,
        "vacuumed": 0.0,
        "analyzed": 999_000.0,
        "xid_age": 1000,
        "mxid_age": 1,
        "options": None,
    }
    return {"oid": oid, "name": name, "quoted": f"public.{name}", **usual, **more}


def index(oid: int = 11, name: str = "t_i", **more: Any) -> dict[str, Any]:
    """A B-tree on a bigint of a million rows, four fifths of it empty."""
    usual = {
        "schema": "public",
        "table": 1,
        "table_name": "t",
        "bytes": 100 * MIB,
        "rows": 1e6,
        "method": "btree",
        "valid": True,
        "unique": True,
    }
    usual |= {
        "exclusion": False,
        "partitioned": False,
        "fillfactor": None,
        "deduplicates": True,
        "tablespace": 0,
        "mine": True,
        "building": False,
    }
    usual |= {"owned": True, "live": True, "contended": False}
    usual |= {"twin": None, "columns": 1, "known": 1, "width": 8.0, "nulls": 0.0, "distinct": -1.0}
    return {"oid": oid, "name": name, "quoted": f"public.{name}", **usual, **more}


def seen(*relations: dict[str, Any], holders: Any = (), **facts: Any) -> Inventory:
    tables = [each for each in relations if "method" not in each]
    return Inventory(
        "shop",
        {**FACTS, **facts},
        tables,
        [each for each in relations if "method" in each],
        list(holders),
        {},
    )


def plan(inventory: Inventory, free: float | None = 1e12, **rules: Any) -> Plan:
    return make_plan(inventory, Rules(**rules), {}, {1663: free})


def only(found: Plan) -> Step:
    (step,) = found.steps
    return step


# --- tables -------------------------------------------------------------------------------------------------------


def test_a_healthy_database_needs_nothing() -> None:
    assert plan(seen(table(), index(bytes=22 * MIB))).steps == []


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
        ({"rows": -1.0}, "analyze", "it has never been analyzed"),
        ({"xid_age": 200_000_000}, "freeze", "beyond vacuum_freeze_table_age (150,000,000)"),
        ({"mxid_age": 200_000_000}, "freeze", "oldest multixact id is 200,000,000 ids old"),
        (
            {"xid_age": 200_000_000, "dead": 500_000},
            "freeze",
            "oldest transaction id",
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
    assert step.skip == "freezing cannot get past replication slot 'old'"


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


# --- indexes ------------------------------------------------------------------------------------------------------


def test_a_bloated_index_is_rebuilt_and_says_how_that_is_known() -> None:
    step = only(plan(seen(table(), index())))
    assert step.operation == "reindex"
    assert (
        step.reason == "79 % of it is empty (estimated, confidence medium), a rebuild wins 78.6 MiB"
    )
    assert step.space == 200 * MIB


def test_old_statistics_are_renewed_before_an_index_is_called_bloated() -> None:
    found = plan(seen(table(modified=150_000), index()), operations=("analyze", "reindex"))
    assert [(step.operation, step.unsure) for step in found.steps] == [
        ("analyze", False),
        ("reindex", True),
    ]


@pytest.mark.parametrize(
    ("facts", "operation", "skip"),
    [
        ({"valid": False, "name": "t_i_ccnew", "twin": "public.t_i"}, "cleanup", ""),
        ({"valid": False, "name": "t_i_ccold2", "twin": "public.t_i"}, "cleanup", ""),
        (
            {"valid": False, "name": "t_i_ccnew", "twin": None},
            "cleanup",
            "see whether it is needed",
        ),
        (
            {"valid": False, "name": "t_i_ccnew", "twin": "public.t_i", "owned": False},
            "cleanup",
            "has to be a member of the role that owns the table",
        ),
        (
            {"valid": False, "live": False},
            "cleanup",
            "",
        ),  # a DROP INDEX CONCURRENTLY that was cut off
        ({"valid": False, "name": "t_j"}, "reindex", ""),
        (
            {"valid": False, "name": "t_j", "twin": "public.t_i"},
            "reindex",
            "public.t_i does the same and is valid: drop this one",
        ),
        ({"exclusion": True}, "reindex", "exclusion constraint"),
        (
            {"mine": False},
            "reindex",
            "role 'app' may not rebuild it: it needs MAINTAIN on the table",
        ),
    ],
)
def test_what_an_index_needs_and_what_stands_in_the_way(
    facts: dict[str, Any], operation: str, skip: str
) -> None:
    step = only(plan(seen(table(), index(**facts))))
    assert step.operation == operation
    assert (skip in step.skip) if skip else not step.skip


def test_a_leftover_of_an_invalid_index_is_one_as_well() -> None:
    found = plan(
        seen(
            table(),
            index(11, "t_i", valid=False, bytes=0),
            index(12, "t_i_ccnew", valid=False, bytes=0),
        )
    )
    assert [(step.operation, step.quoted, step.skip) for step in found.steps] == [
        ("cleanup", "public.t_i_ccnew", ""),
        ("reindex", "public.t_i", ""),
    ]


def test_a_build_that_failed_has_no_size_but_needs_room() -> None:
    step = only(plan(seen(table(), index(valid=False, bytes=0)), free=50 * MIB))
    assert step.skip == "it needs 100 MiB of disk, 50 MiB are free"


def test_what_autovacuum_works_on_is_left_to_it() -> None:
    found = plan(seen(table(dead=300_000, worked=True), index()))
    assert {step.skip for step in found.steps} == {
        "autovacuum, or a VACUUM or ANALYZE of somebody else, is at work on the table"
    }


def test_without_analyze_nothing_is_rebuilt_on_old_statistics() -> None:
    step = only(plan(seen(table(modified=150_000), index()), operations=("cleanup", "reindex")))
    assert "too old to tell: allow the operation analyze" in step.skip


def test_a_partitioned_table_is_a_name_for_its_partitions() -> None:
    parts = [
        table(1, "events", partitioned=True, bytes=0),
        table(2, "events_1", parents=[1], dead=300_000),
    ]
    local = index(21, "events_1_i", table=2, table_name="events_1")
    for rules in ({"only": ("events",)}, {"exclude": ("other",)}):
        assert {step.quoted for step in plan(seen(*parts, local), **rules).steps} == {
            "public.events_1",
            "public.events_1_i",
        }
    assert plan(seen(*parts, local), exclude=("events",)).steps == []


def test_large_indexes_that_nothing_tells_about_are_counted() -> None:
    dark = seen(table(), index(known=0))
    assert unjudged(dark, Rules()) == ["public.t_i"]
    assert unjudged(dark, Rules(operations=("vacuum",))) == []
    assert unjudged(dark, Rules(exclude=("t",))) == []
    assert unjudged(seen(table(), index()), Rules()) == []


@pytest.mark.parametrize("facts", [{"building": True}, {"partitioned": True}])
def test_an_index_that_has_reason_to_be_invalid_is_left_alone(facts: dict[str, Any]) -> None:
    assert plan(seen(table(), index(valid=False, **facts))).steps == []


@pytest.mark.parametrize(("version", "refused"), [(140003, True), (140004, False), (150000, False)])
def test_rebuilds_wait_for_a_14_that_does_not_damage_indexes(version: int, refused: bool) -> None:
    assert ("14.0 to 14.3" in only(plan(seen(table(), index(), version=version))).skip) == refused


def test_before_17_there_is_no_maintain() -> None:
    assert (
        "it has to be a member of the role that owns the table"
        in only(plan(seen(table(), index(mine=False), version=160000))).skip
    )


def test_the_disk_has_to_have_room_for_a_rebuild() -> None:
    bloated = seen(table(), index())
    assert only(plan(bloated, free=150 * MIB)).skip == "it needs 200 MiB of disk, 150 MiB are free"
    assert not only(plan(bloated, free=None)).skip, "a small one is rebuilt all the same"
    assert "give disk_free" in only(plan(seen(table(), index(bytes=3 * GIB)), free=None)).skip


# --- the order, and the time --------------------------------------------------------------------------------------


def test_what_is_most_urgent_comes_first() -> None:
    found = plan(
        seen(
            table(1, "a", dead=250_000, bytes=MIB),
            table(2, "b", dead=250_000, bytes=GIB),
            table(3, "c", xid_age=200_000_000),
            table(4, "d", modified=200_000),
            index(table=1),
            index(12, "half_ccnew", valid=False, twin="public.t_i"),
        )
    )
    assert [(step.operation, step.quoted) for step in found.steps] == [
        ("freeze", "public.c"),
        ("cleanup", "public.half_ccnew"),
        ("vacuum", "public.b"),
        ("vacuum", "public.a"),
        ("analyze", "public.d"),
        ("reindex", "public.t_i"),
    ]


def test_what_does_not_fit_is_left_out_and_a_shorter_one_after_it_is_not() -> None:
    big, small = (
        table(1, "big", dead=900_000, bytes=100 * GIB),
        table(2, "small", dead=900_000, bytes=MIB),
    )
    found = plan(seen(big, small), time_budget=60)
    assert [(step.quoted, bool(step.skip)) for step in found.steps] == [
        ("public.big", True),
        ("public.small", False),
    ]
    assert "of the time budget" in found.steps[0].skip
    fast = make_plan(seen(big, small), Rules(time_budget=60), {"vacuum": 10e9}, {})
    assert not any(step.skip for step in fast.steps), "the speed of earlier runs counts"


def test_names_of_relations_limit_the_work() -> None:
    inventory = seen(table(dead=300_000), table(2, "other", dead=300_000), index())
    assert {step.quoted for step in plan(inventory, only=("t",)).steps} == {
        "public.t",
        "public.t_i",
    }
    assert {step.quoted for step in plan(inventory, exclude=("public.t*",)).steps} == {
        "public.other"
    }
    assert {step.operation for step in plan(inventory, operations=("reindex",)).steps} == {
        "reindex"
    }
    with pytest.raises(UsageError, match="no table or index 'nothing' in database 'shop'"):
        plan(inventory, only=("nothing",))


@pytest.mark.parametrize(
    "wrong",
    [
        {"time_budget": 0},
        {"jobs": 0},
        {"bloat_share": 0},
        {"cost_delay": 101},
        {"cost_limit": 0},
        {"max_wait": 0},
    ],
)
def test_rules_that_make_no_sense(wrong: dict[str, Any]) -> None:
    with pytest.raises(UsageError, match=next(iter(wrong))):
        Rules(**wrong)


# --- statements ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("operation", "facts", "sql"),
    [
        ("cleanup", {}, "DROP INDEX CONCURRENTLY IF EXISTS s.x"),
        ("reindex", {}, "REINDEX INDEX CONCURRENTLY s.x"),
        ("analyze", {}, "ANALYZE s.x"),
        ("vacuum", {"version": 150000}, "VACUUM (PARALLEL 0) s.x"),
        ("vacuum", {"version": 160000}, "VACUUM (PARALLEL 0, SKIP_DATABASE_STATS) s.x"),
        (
            "freeze",
            {"version": 150000, "standbys": 1},
            "VACUUM (PARALLEL 0, FREEZE, TRUNCATE FALSE) s.x",
        ),
    ],
)
def test_statements(operation: str, facts: dict[str, Any], sql: str) -> None:
    assert statement(Step(operation, 1, "s.x", ""), Rules(), seen(**facts)) == sql


# --- bloat --------------------------------------------------------------------------------------------------------


def test_an_estimate_needs_widths_and_rows() -> None:
    for unknown in ({"known": 0}, {"rows": -1.0}, {"method": "gin"}, {"valid": False}):
        assert estimate(index(**unknown), table(), 8192) is None


def test_an_index_of_a_table_without_rows_is_all_room() -> None:
    bloat = estimate(index(rows=0.0, known=0), table(rows=0.0, live=0), 8192)
    assert bloat is not None
    assert (round(bloat.share, 2), bloat.confidence) == (1.0, "medium")
    assert estimate(index(rows=0.0, known=0), table(rows=0.0, live=5000), 8192) is None


def test_few_keys_may_share_entries_but_a_count_from_a_sample_is_not_believed() -> None:
    """A million rows with 1,000 keys in 7 MB: full, not bloated. Were there 300,000 keys in truth, it would take 20 MB."""
    shared = {"unique": False, "bytes": 7 * MIB}
    assert share(distinct=1000.0, **shared) < 0.15
    assert share(distinct=None, **shared) == 0
    assert share(unique=False, bytes=11 * MIB, distinct=30_000.0) < 0.3


def share(**facts: Any) -> float:
    bloat = estimate(index(**facts), table(), 8192)
    assert bloat
    return bloat.share


def test_what_pgstatindex_says() -> None:
    assert measured((100 * 8192, 99, 98, 45.0), 90, 8192).share == pytest.approx(0.5, abs=0.01)
    assert measured((8192, 0, 0, float("nan")), 90, 8192).share == 0


# --- progress -----------------------------------------------------------------------------------------------------


def test_progress_in_one_line() -> None:
    work = [
        {"what": "vacuum public.t", "phase": "scanning heap", "share": 0.631, "seconds": 41.0},
        {"what": "reindex public.i", "phase": "", "share": None, "seconds": 3.0},
    ]
    assert (
        words({"done": 2, "total": 7, "work": work})
        == "2 of 7 done; vacuum public.t for 41 s: scanning heap, 63 %; reindex public.i for 3 s"
    )
