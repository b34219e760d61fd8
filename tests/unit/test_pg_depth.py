"""What pg_health says in depth of what it has seen: sequences, heaps, chains of locks, duplicates, and what could not be seen."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.gpt_agent.runbook.plugins.module_utils.limits import Limits
from ansible_collections.gpt_agent.runbook.plugins.module_utils.pg_depth_indexes import indexes
from ansible_collections.gpt_agent.runbook.plugins.module_utils.pg_depth_queries import Configuration, Contents, Locks, Use, total_sizes
from ansible_collections.gpt_agent.runbook.plugins.module_utils.pg_depth_server import locks, settings, slow_statements
from ansible_collections.gpt_agent.runbook.plugins.module_utils.pg_depth_tables import collations, heap_size, sequence_use, tables, vacuum
from ansible_collections.gpt_agent.runbook.plugins.module_utils.pg_health_queries import Missing, Statements
from ansible_collections.gpt_agent.runbook.plugins.module_utils.state import Sample
from tests.unit.test_pg_maintenance import FACTS as DATABASE_FACTS
from tests.unit.test_pg_maintenance import MIB, index, seen, table

LIMITS = Limits()
FACTS: dict[str, Any] = {"role": "app", "sees_all": True, "number": 170000}
GONE = Missing("nobody knows", "Ask again.")
NOBODY = Missing("pg_stat_statements is not loaded", "Load it.")


def waits(**more: Any) -> Locks:
    return Locks(**{"blocked": ([], {}), "horizon": [], **more})


def use_of(*rows: dict[str, Any], scans: dict[int, dict[str, int]] | None = None, since: float | None = 0.0, keys: Any = (), drift: Any = ()) -> Use:
    counted = {oid: {"oid": oid, **row} for oid, row in (scans or {}).items()}
    return Use({row["oid"]: row for row in rows}, counted, {}, list(keys), since, list(drift))


def used(oid: int = 11, **more: Any) -> dict[str, Any]:
    usual = {"table": 1, "scans": 5, "kept": False, "unique": False, "constraint": False, "top": None, "last": None, "keys": [1], "key_count": 1}
    return {
        "oid": oid,
        **usual,
        "classes": [1],
        "collations": [0],
        "options": [0],
        "class_options": [None],
        "storage": None,
        "expressions": None,
        "predicate": None,
        **more,
    }


def contents(*relations: dict[str, Any], use: Any = None, earlier: Sample | None = None, **more: Any) -> Contents:
    inventory = seen(*relations, **more.pop("facts", {}))
    use = use or use_of(*(used(each["oid"], unique=each["unique"]) for each in inventory.indexes))
    return Contents(**{"inventory": inventory, "use": use, "widths": {}, "sequences": [], "sizes": {}, "window": "", "earlier": earlier, **more})


def by_name(checks: Any) -> dict[str, Any]:
    return {check.name.removeprefix("postgres."): check for check in checks}


# --- the whole server -------------------------------------------------------------------------------------------------


def test_a_chain_is_counted_at_its_root_and_a_circle_ends() -> None:
    edges = [
        {"pid": pid, "seconds": seconds, "blockers": blockers} for pid, seconds, blockers in ((2, 90.0, [1]), (3, 50.0, [2]), (4, 5.0, [9]), (9, 5.0, [4]))
    ]
    sessions = {"1": {"application": "app", "user": "u", "state": "idle in transaction", "transaction_seconds": 100.0, "statement": "SELECT 'secret'"}}
    check = by_name(locks(waits(blocked=(edges, sessions)), FACTS, LIMITS))["blocked"]
    assert check.status == "warning"
    assert check.value == 90.0
    assert "4 sessions wait for a lock, the longest for 1 min; at the root: pid 1, app 'app', idle in transaction, in a transaction for 1 min" in check.summary
    assert "secret" not in str(check.evidence)


def test_a_prepared_transaction_at_the_root_has_no_pid() -> None:
    check = by_name(locks(waits(blocked=([{"pid": 2, "seconds": 1.0, "blockers": [0]}], {})), FACTS, LIMITS))["blocked"]
    assert "a prepared transaction (pg_prepared_xacts)" in check.summary


def test_without_the_right_to_see_sessions_the_horizon_is_unknown() -> None:
    blind = {**FACTS, "sees_all": False}
    assert by_name(locks(waits(), blind, LIMITS))["vacuum_horizon"].status == "unknown"
    slot = {"kind": "replication slot", "whose": "'x'", "database": None, "age": 200_000_000, "seconds": None}
    assert by_name(locks(waits(horizon=[slot]), blind, LIMITS))["vacuum_horizon"].status == "critical", "what is in sight proves it"


def test_what_was_not_answered_is_unknown() -> None:
    lost = waits(blocked=GONE, horizon=GONE)
    everything = [*locks(lost, FACTS, LIMITS), *settings(GONE, FACTS, LIMITS), slow_statements(NOBODY, LIMITS, 0.1)]
    hollow = Contents(GONE, GONE, GONE, GONE, {}, "", None)
    for part in (vacuum(hollow, "d", LIMITS), tables(hollow, "d", LIMITS), indexes(hollow, "d", LIMITS, NOBODY, 30)):
        everything += part
    everything.append(collations(GONE, hollow, "shop", "d", LIMITS))
    assert {check.status for check in everything} == {"unknown"}
    assert len(everything) == 17
    assert all(check.remedy for check in everything)


@pytest.mark.parametrize(
    ("parameters", "number", "status", "words"),
    [
        ({}, 170000, "ok", "No parameter endangers data"),
        ({"fsync": {"value": "off", "restart": False}}, 170000, "critical", "fsync is off"),
        ({"track_activities": {"value": "off", "restart": False}}, 170000, "warning", "nobody sees what sessions do"),
        ({"max_connections": {"value": "100", "restart": True}}, 170000, "warning", "max_connections: changed in the file"),
        ({}, 140002, "critical", "14.0 to 14.3 can damage indexes"),
    ],
)
def test_settings(parameters: dict[str, Any], number: int, status: str, words: str) -> None:
    check = by_name(settings(Configuration(parameters, [], True, []), {**FACTS, "number": number}, LIMITS))["settings"]
    assert check.status == status
    assert words in check.summary


def test_checksums() -> None:
    failures = [{"database": "shop", "failures": 3}]
    assert by_name(settings(Configuration({}, failures, True, []), FACTS, LIMITS))["checksum_failures"].status == "critical"
    off = by_name(settings(Configuration({}, [], False, []), FACTS, LIMITS))["checksum_failures"]
    assert off.status == "unknown", "nobody looks, so nobody knows"


def test_slow_statements_need_calls_and_time() -> None:
    top = [
        {"statement": "SELECT * FROM a WHERE x = 'secret'", "user": "u", "database": "d", "calls": 100, "seconds": 50.0},
        {"statement": "SELECT once", "user": "u", "database": "d", "calls": 3, "seconds": 30.0},
        {"statement": "SELECT fast", "user": "u", "database": "d", "calls": 10_000, "seconds": 20.0},
    ]
    check = slow_statements(Statements(10_103, 100.0, "PT1H", top, Sample(0, "", {})), LIMITS, 0.1)
    assert (check.status, check.value) == ("warning", 1)
    assert check.evidence[0]["mean_seconds"] == 0.5
    assert check.evidence[0]["share_percent"] == 50.0
    assert "secret" not in check.summary + str(check.evidence)


# --- tables -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("row", "used_up"),
    [
        ({"last": 95, "least": 1, "most": 101, "step": 1, "type": None}, 94.0),
        ({"last": 2**30, "least": 1, "most": 2**63 - 1, "step": 1, "type": "integer"}, 50.0),
        ({"last": 16384, "least": 1, "most": 2**31 - 1, "step": 1, "type": "smallint"}, 50.0),
        ({"last": -50, "least": -101, "most": -1, "step": -1, "type": "bigint"}, 49.0),
        ({"last": 40000, "least": 1, "most": 2**31 - 1, "step": 1, "type": "smallint"}, 100.0),
        ({"last": None, "least": 1, "most": 9, "step": 1, "type": None}, None),
    ],
)
def test_how_much_of_a_sequence_is_used_up(row: dict[str, Any], used_up: float | None) -> None:
    assert sequence_use(row) == (None if used_up is None else pytest.approx(used_up, abs=0.1))


def test_a_sequence_that_may_not_be_read_is_not_called_fine() -> None:
    row = {"name": "public.s", "readable": False, "last": None, "least": 1, "most": 9, "step": 1, "type": None, "column": None}
    check = by_name(tables(contents(sequences=[row]), "d", LIMITS))["sequences"]
    assert check.status == "unknown"
    assert "GRANT pg_read_all_data" in check.remedy


def test_the_size_of_a_full_heap() -> None:
    """A row of two bigints takes 44 bytes with header and line pointer: 185 on a page (pageinspect)."""
    row = {"columns": 2, "width": 16.0, "nulls": 0.0, "fillfactor": None}
    assert heap_size(row, 185 * 1000, 8192) == 1000 * 8192
    assert heap_size({**row, "fillfactor": 50}, 185 * 1000, 8192) == pytest.approx(2 * 1000 * 8192, rel=0.01)


def test_bloat_of_a_table_whose_widths_are_hidden_is_unknown() -> None:
    row = {"oid": 1, "bytes": 100 * MIB, "columns": 3, "known": 2, "width": 8.0, "nulls": 0.0, "fillfactor": None}
    check = by_name(tables(contents(table(), widths={1: row}), "d", LIMITS))["table_bloat"]
    assert check.status == "unknown"
    assert "role 'app' may not see its statistics" in check.summary


def test_a_partitioned_table_is_as_large_as_its_partitions() -> None:
    parts = [table(oid, f"p{oid}", parents=[1], bytes=20 * MIB) for oid in (2, 3)]
    inventory = seen(table(1, "p", partitioned=True, bytes=0), *parts, index(table=2, bytes=5 * MIB))
    assert total_sizes(inventory) == {1: 45 * MIB}


def test_vacuum_is_due_only_where_autovacuum_had_the_time() -> None:
    now = DATABASE_FACTS["now"]
    dead = table(dead=500_000, vacuumed=now - 600)
    assert by_name(vacuum(contents(dead), "d", LIMITS))["vacuum_due"].status == "ok"
    check = by_name(vacuum(contents({**dead, "vacuumed": now - 7200}), "d", LIMITS))["vacuum_due"]
    assert check.status == "warning"
    assert "public.t: 500,000 dead rows" in check.summary
    assert by_name(vacuum(contents(dead, facts={"standby": True}), "d", LIMITS))["vacuum_due"].status == "unknown"


def test_a_small_table_that_was_never_analyzed_is_no_matter() -> None:
    assert by_name(vacuum(contents(table(rows=-1.0, bytes=8192, analyzed=None)), "d", LIMITS))["statistics_due"].status == "ok"
    assert by_name(vacuum(contents(table(rows=-1.0, analyzed=None)), "d", LIMITS))["statistics_due"].status == "warning"


# --- indexes ----------------------------------------------------------------------------------------------------------

BIG = {"bytes": 200 * MIB, "unique": False}


def unused(row: dict[str, Any], *others: dict[str, Any], since: float | None = 0.0, keys: Any = (), **facts: Any) -> Any:
    relations = [index(each["oid"], f"i{each['oid']}", **BIG) for each in (row, *others)]
    found = contents(table(), *relations, use=use_of(row, *others, since=since, keys=keys), facts=facts)
    return by_name(indexes(found, "d", LIMITS, NOBODY, 10))["unused_indexes"]


def test_an_index_that_nobody_has_used() -> None:
    check = unused(used(scans=0))
    assert (check.status, check.value) == ("warning", 200 * MIB)
    assert unused(used(scans=1)).status == "ok"
    assert unused(used(scans=0, kept=True)).status == "ok"
    assert "ask them, too" in unused(used(scans=0), standbys=1).summary


def test_statistics_that_are_too_young_or_of_unknown_age_prove_nothing() -> None:
    assert unused(used(scans=0), since=DATABASE_FACTS["now"] - 86400).status == "unknown"
    assert unused(used(scans=0), since=None).status == "unknown"


def test_the_only_index_of_a_foreign_key_is_needed() -> None:
    key = {"table": 1, "columns": [1]}
    assert unused(used(scans=0), keys=[key]).status == "ok"
    assert unused(used(scans=0, keys=[2]), keys=[key]).status == "warning"
    assert unused(used(scans=0), used(12, scans=3), keys=[key]).status == "warning", "another one serves it"


def test_an_index_whose_sibling_on_another_partition_is_used() -> None:
    assert unused(used(scans=0, parent=99), used(12, scans=3, parent=99)).status == "ok"


@pytest.mark.parametrize(
    ("first", "second", "dropped"),
    [
        ({}, {}, ["public.i12"]),
        ({}, {"keys": [1, 2], "key_count": 2, "classes": [1, 1], "collations": [0, 0], "options": [0, 0]}, ["public.i11"]),
        ({"options": [3]}, {}, []),
        ({"classes": [7]}, {}, []),
        ({"predicate": "a > 1"}, {}, []),
        ({"unique": True}, {"unique": True}, []),
        ({"unique": True}, {}, ["public.i12"]),
        ({"constraint": True}, {"constraint": True}, []),
        ({"keys": [1, 2], "classes": [1], "collations": [0], "options": [0]}, {"keys": [1, 3], "classes": [1], "collations": [0], "options": [0]}, []),
    ],
)
def test_which_of_two_indexes_is_superfluous(first: dict[str, Any], second: dict[str, Any], dropped: list[str]) -> None:
    rows = [used(11, **first), used(12, **second)]
    found = contents(table(), index(11, "i11", **BIG), index(12, "i12", **BIG), use=use_of(*rows))
    check = by_name(indexes(found, "d", LIMITS, NOBODY, 10))["duplicate_indexes"]
    assert [row["drop"] for row in check.evidence] == dropped


def test_a_missing_index_is_judged_by_what_came_since_the_last_run() -> None:
    now = {1: {"scans": 1000, "read": 10**9, "writes": 5}}
    everything = contents(table(), use=use_of(scans=now))
    assert by_name(indexes(everything, "d", LIMITS, NOBODY, 10))["missing_indexes"].status == "warning"
    then = Sample(0.0, "", {"scans 1": 990.0, "read 1": 9.9e8})
    since = contents(table(), use=use_of(scans=now), earlier=then)
    assert by_name(indexes(since, "d", LIMITS, NOBODY, 10))["missing_indexes"].status == "ok"


# --- collations -------------------------------------------------------------------------------------------------------


def test_collations_that_sort_differently_now() -> None:
    drift = [{"database": "shop", "then": "2.31", "now": "2.36"}, {"database": "other", "then": "1", "now": "2"}]
    check = collations(Configuration({}, [], True, drift), contents(), "shop", "d", LIMITS)
    assert check.status == "critical"
    assert "The default of database 'shop' sorts by version 2.36 now, and its indexes were built with 2.31" in check.summary
    assert len(check.evidence) == 1
    own = contents(use=use_of(drift=[{"collation": '"de-x-icu"', "then": "153.1", "now": "153.2"}]))
    assert 'Collation "de-x-icu" sorts by version' in collations(Configuration({}, [], True, []), own, "shop", "d", LIMITS).summary
    old = Configuration({}, [], True, None)
    assert collations(old, contents(), "shop", "d", LIMITS).status == "unknown"
