"""What pg_health says in depth of what it has seen: sequences, heaps, chains of locks, duplicates, and what could not be seen."""

from __future__ import annotations

import time
from typing import Any

import pytest

from ansible_collections.gpt_agent.runbook.plugins.module_utils.core.deadline import Deadline
from ansible_collections.gpt_agent.runbook.plugins.module_utils.core.state import Delta, Sample
from ansible_collections.gpt_agent.runbook.plugins.module_utils.core.thresholds import Thresholds
from ansible_collections.gpt_agent.runbook.plugins.module_utils.postgres.bloat import heap_size
from ansible_collections.gpt_agent.runbook.plugins.module_utils.postgres.checks import CHECKS
from ansible_collections.gpt_agent.runbook.plugins.module_utils.postgres.health.collect import (
    Databases,
    Missing,
    Statements,
)
from ansible_collections.gpt_agent.runbook.plugins.module_utils.postgres.relations import _measure
from ansible_collections.gpt_agent.runbook.plugins.module_utils.postgres.review.collect import (
    Configuration,
    Contents,
    Locks,
    Peculiarities,
    Use,
    samples,
    total_sizes,
)
from ansible_collections.gpt_agent.runbook.plugins.module_utils.postgres.review.indexes import (
    indexes,
)
from ansible_collections.gpt_agent.runbook.plugins.module_utils.postgres.review.server import (
    collations,
    collations_elsewhere,
    locks,
    settings,
    slow_statements,
    transactions,
    unattended,
)
from ansible_collections.gpt_agent.runbook.plugins.module_utils.postgres.review.tables import (
    sequence_use,
    tables,
    vacuum,
)
from tests.support.relations import FACTS as DATABASE_FACTS
from tests.support.relations import MIB, index, seen, table

LIMITS = Thresholds(CHECKS)
FACTS: dict[str, Any] = {
    "role": "app",
    "sees_all": True,
    "sees_settings": True,
    "standby": False,
    "feedback": False,
    "number": 170000,
}
GONE = Missing("nobody knows", "Ask again.")
NOBODY = Missing("pg_stat_statements is not loaded", "Load it.")


def waits(**more: Any) -> Locks:
    return Locks(**{"blocked": ([], {}), "horizon": [], **more})


def use_of(
    *rows: dict[str, Any],
    scans: dict[int, dict[str, int]] | None = None,
    since: float | None = 0.0,
    keys: Any = (),
) -> Use:
    counted = {oid: {"oid": oid, **row} for oid, row in (scans or {}).items()}
    return Use({row["oid"]: row for row in rows}, counted, {}, list(keys), since)


def used(oid: int = 11, **more: Any) -> dict[str, Any]:
    usual = {
        "table": 1,
        "scans": 5,
        "kept": False,
        "unique": False,
        "constraint": False,
        "top": None,
        "last": None,
        "keys": [1],
        "key_count": 1,
    }
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


def contents(
    *relations: dict[str, Any], use: Any = None, earlier: Sample | None = None, **more: Any
) -> Contents:
    inventory = seen(*relations, **more.pop("facts", {}))
    use = use or use_of(*(used(each["oid"], unique=each["unique"]) for each in inventory.indexes))
    return Contents(
        **{
            "inventory": inventory,
            "use": use,
            "widths": {},
            "sequences": [],
            "sizes": {},
            "window": "",
            "earlier": earlier,
            **more,
        }
    )


def by_name(checks: Any) -> dict[str, Any]:
    return {check.name.removeprefix("postgres."): check for check in checks}


# --- the whole server -------------------------------------------------------------------------------------------------


def test_a_chain_is_counted_at_its_root_and_a_circle_ends() -> None:
    edges = [
        {"pid": pid, "seconds": seconds, "blockers": blockers}
        for pid, seconds, blockers in ((2, 90.0, [1]), (3, 50.0, [2]), (4, 5.0, [9]), (9, 5.0, [4]))
    ]
    sessions = {
        "1": {
            "application": "app",
            "user": "u",
            "state": "idle in transaction",
            "transaction_seconds": 100.0,
            "statement": "SELECT 'secret'",
        }
    }
    check = by_name(locks(waits(blocked=(edges, sessions)), FACTS, LIMITS))["blocked"]
    assert check.status == "warning"
    assert check.value == 90.0
    assert (
        "4 sessions wait for a lock, the longest for 1 min; at the root: pid 1, app 'app', idle in transaction, in a transaction for 1 min"
        in check.summary
    )
    assert "secret" not in str(check.evidence)


def test_a_prepared_transaction_at_the_root_has_no_pid() -> None:
    check = by_name(
        locks(waits(blocked=([{"pid": 2, "seconds": 1.0, "blockers": [0]}], {})), FACTS, LIMITS)
    )["blocked"]
    assert "a prepared transaction (pg_prepared_xacts)" in check.summary


def test_without_the_right_to_see_sessions_the_horizon_is_unknown() -> None:
    blind = {**FACTS, "sees_all": False}
    assert by_name(locks(waits(), blind, LIMITS))["vacuum_horizon"].status == "unknown"
    slot = {
        "kind": "replication slot",
        "whose": "'x'",
        "database": None,
        "age": 200_000_000,
        "seconds": None,
    }
    assert (
        by_name(locks(waits(horizon=[slot]), blind, LIMITS))["vacuum_horizon"].status == "critical"
    ), "what is in sight proves it"


def test_a_standby_holds_back_only_what_it_tells_its_primary() -> None:
    session = {
        "kind": "session",
        "whose": "pid 7 (report)",
        "database": "shop",
        "age": 200_000_000,
        "seconds": 900.0,
    }
    silent = by_name(locks(waits(horizon=[session]), {**FACTS, "standby": True}, LIMITS))
    assert (silent["vacuum_horizon"].status, silent["prepared_transactions"].status) == (
        "ok",
        "unknown",
    )
    check = by_name(
        locks(waits(horizon=[session]), {**FACTS, "standby": True, "feedback": True}, LIMITS)
    )["vacuum_horizon"]
    assert check.status == "critical"
    assert check.summary.startswith("Vacuum on the primary may not remove")


def test_foreign_names_are_shown_without_secrets() -> None:
    session = {
        "kind": "session",
        "whose": "pid 7 (token=abcdef)",
        "database": "shop",
        "age": 9,
        "seconds": 9.0,
    }
    prepared = {
        "kind": "prepared transaction",
        "whose": "'password=hunter22'",
        "database": "shop",
        "age": 8,
        "seconds": 8.0,
    }
    waiter = (
        [{"pid": 2, "seconds": 1.0, "blockers": [3]}],
        {"2": {"application": "secret=hunter22", "user": "u", "state": "active"}},
    )
    text = str(list(locks(waits(horizon=[session, prepared], blocked=waiter), FACTS, LIMITS)))
    assert "abcdef" not in text
    assert "hunter22" not in text


def test_more_sessions_wait_than_are_looked_at() -> None:
    check = by_name(
        locks(
            waits(blocked=([{"pid": 2, "seconds": 1.0, "blockers": [0]}], {}), waiting=70),
            FACTS,
            LIMITS,
        )
    )["blocked"]
    assert (
        "70 sessions wait for a lock, the longest for 1 s (only the 1 that have waited longest were looked at)"
        in check.summary
    )


def test_what_was_not_answered_is_unknown() -> None:
    lost = waits(blocked=GONE, horizon=GONE)
    everything = [
        *locks(lost, FACTS, LIMITS),
        *settings(GONE, FACTS, LIMITS),
        slow_statements(NOBODY, FACTS, LIMITS, 0.1),
    ]
    hollow = Contents(GONE, GONE, GONE, GONE, {}, "", None, GONE)
    for part in (
        vacuum(hollow, "d", LIMITS),
        tables(hollow, "d", LIMITS),
        indexes(hollow, "d", LIMITS, NOBODY, 30),
    ):
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
        (
            {"track_activities": {"value": "off", "restart": False}},
            170000,
            "warning",
            "nobody sees what sessions do",
        ),
        (
            {"max_connections": {"value": "100", "restart": True}},
            170000,
            "warning",
            "max_connections: changed in the file",
        ),
        ({}, 140002, "critical", "14.0 to 14.3 can damage indexes"),
    ],
)
def test_settings(parameters: dict[str, Any], number: int, status: str, words: str) -> None:
    check = by_name(
        settings(Configuration(parameters, [], True, []), {**FACTS, "number": number}, LIMITS)
    )["settings"]
    assert check.status == status
    assert words in check.summary


def test_what_a_role_sets_for_itself_is_not_the_servers_setting() -> None:
    own = Configuration(
        {"track_activities": {"value": "off", "restart": False, "own": True}}, [], True, []
    )
    check = by_name(settings(own, FACTS, LIMITS))["settings"]
    assert (check.status, check.remedy) == (
        "unknown",
        "Look with a role and database that have none (pg_db_role_setting).",
    )
    assert "track_activities" in check.summary


def test_a_restart_that_a_role_cannot_see_waiting_is_not_denied() -> None:
    check = by_name(settings(configured(), {**FACTS, "sees_settings": False}, LIMITS))["settings"]
    assert check.status == "unknown"
    assert "GRANT pg_monitor" in check.remedy


def test_checksums() -> None:
    failures = [{"database": "shop", "failures": 3, "last": "2026-11-23T06:00Z"}]
    check = by_name(settings(Configuration({}, failures, True, []), FACTS, LIMITS))[
        "checksum_failures"
    ]
    assert (check.status, check.summary) == (
        "critical",
        "3 reads met a wrong checksum, the last at 2026-11-23T06:00Z, most of them in database 'shop'",
    )
    off = by_name(settings(Configuration({}, [], False, []), FACTS, LIMITS))["checksum_failures"]
    assert off.status == "unknown", "nobody looks, so nobody knows"


def rolled(seconds: float = 3600.0, **counters: float) -> dict[str, Any]:
    """The verdicts on what has been counted in so many seconds."""
    row = {"name": "shop", "rollbacks": 1, "commits": 1, "spilled": 1}
    delta = Delta(
        {"commits": 0.0, "rollbacks": 0.0, "spilled": 0.0, **counters}, "PT1H", seconds, True
    )
    return by_name(transactions(Databases([row], delta, delta, Sample(0, "", {})), LIMITS))


def test_rolled_back_transactions() -> None:
    assert rolled(commits=9900, rollbacks=100)["rollbacks"].status == "ok"
    assert (
        rolled(commits=800, rollbacks=200)["rollbacks"].status,
        rolled(commits=800, rollbacks=200)["rollbacks"].value,
    ) == ("warning", 20.0)
    assert rolled(commits=5, rollbacks=5)["rollbacks"].status == "unknown", "too few to judge"


def test_what_is_spilled_to_disk_counts_by_the_day() -> None:
    assert rolled(spilled=11 * 1024**3)["temp_files"].status == "warning", "in an hour"
    assert rolled(spilled=11 * 1024**3, seconds=30 * 86400.0)["temp_files"].status == "ok", (
        "in a month"
    )
    assert rolled(spilled=11 * 1024**3, seconds=0.0)["temp_files"].status == "unknown", (
        "since nobody knows when"
    )


def test_slow_statements_need_calls_and_time() -> None:
    top = [
        {
            "statement": "SELECT * FROM a WHERE x = 'secret'",
            "user": "u",
            "database": "d",
            "calls": 100,
            "seconds": 50.0,
        },
        {"statement": "SELECT once", "user": "u", "database": "d", "calls": 3, "seconds": 30.0},
        {
            "statement": "SELECT fast",
            "user": "u",
            "database": "d",
            "calls": 10_000,
            "seconds": 20.0,
        },
    ]
    check = slow_statements(
        Statements(10_103, 100.0, "PT1H", top, Sample(0, "", {})), FACTS, LIMITS, 0.1
    )
    assert (check.status, check.value) == ("warning", 1)
    assert check.evidence[0]["mean_seconds"] == 0.5
    assert check.evidence[0]["share_percent"] == 50.0
    assert "secret" not in check.summary + str(check.evidence)


def test_statements_that_are_hidden_are_not_called_fast() -> None:
    hidden = {"statement": None, "user": None, "database": None, "calls": 10_000, "seconds": 20.0}
    blind = {**FACTS, "sees_all": False}
    for seconds in (20.0, 20_000.0):
        statements = Statements(
            10_000, seconds, "PT1H", [{**hidden, "seconds": seconds}], Sample(0, "", {})
        )
        check = slow_statements(statements, blind, LIMITS, 0.1)
        assert (check.status, check.remedy) == (
            "unknown",
            'As a superuser: GRANT pg_monitor TO "app".',
        )
    fast = {**hidden, "statement": "SELECT 1"}
    check = slow_statements(
        Statements(10_000, 20.0, "PT1H", [fast], Sample(0, "", {})), FACTS, LIMITS, 0.1
    )
    assert (check.status, check.summary) == (
        "ok",
        "Of the 1 statement with the most time and 20 calls or more, none takes longer than 100 ms",
    )


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
    row = {
        "name": "public.s",
        "readable": False,
        "last": None,
        "least": 1,
        "most": 9,
        "step": 1,
        "type": None,
        "column": None,
    }
    check = by_name(tables(contents(sequences=[row]), "d", LIMITS))["sequences"]
    assert check.status == "unknown"
    assert "GRANT pg_read_all_data" in check.remedy


def test_a_sequence_that_is_altered_right_now_is_not_called_fine() -> None:
    row = {
        "name": "public.s",
        "readable": True,
        "held": True,
        "last": None,
        "least": 1,
        "most": 9,
        "step": 1,
        "type": None,
        "column": None,
    }
    check = by_name(tables(contents(sequences=[row]), "d", LIMITS))["sequences"]
    assert check.status == "unknown"
    assert "1 sequence cannot be read right now, such as public.s" in check.summary


def test_the_size_of_a_full_heap() -> None:
    """A row of two bigints takes 44 bytes with header and line pointer: 185 on a page (pageinspect)."""
    row = {"columns": 2, "width": 16.0, "nulls": 0.0, "fillfactor": None}
    assert heap_size(row, 185 * 1000, 8192) == 1000 * 8192
    assert heap_size({**row, "fillfactor": 50}, 185 * 1000, 8192) == pytest.approx(
        2 * 1000 * 8192, rel=0.01
    )


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
    assert "role 'app' may not see its statistics" in check.summary


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


def test_the_grant_that_lets_an_index_be_measured() -> None:
    for tools, words in (
        (None, "CREATE EXTENSION pgstattuple"),
        ("public", 'GRANT pg_stat_scan_tables TO "app"'),
    ):
        found = contents(table(), index(known=0), facts={"tuple_tools": tools})
        assert words in by_name(indexes(found, "d", LIMITS, NOBODY, 30))["index_bloat"].remedy


class Measures:
    """A connection that knows one answer, in so many of its hundred seconds."""

    def __init__(self, left: float) -> None:
        self.deadline = Deadline(100)
        self.deadline._end = time.monotonic() + left
        self.asked: list[int] = []

    def rows(
        self, _question: str, _query: str, parameters: dict[str, int]
    ) -> list[tuple[float, ...]]:
        self.asked.append(parameters["oid"])
        return [(100 * MIB, 10, 9, 45.0)]


def test_what_is_measured_first_and_until_when() -> None:
    relations = [
        index(11, "estimated"),
        index(12, "hidden", known=0),
        index(13, "gin", method="gin"),
        index(14, "locked", known=0, table=2),
    ]
    inventory = seen(table(), table(2, "u", held=True), *relations, tuple_tools="public")
    early, late = Measures(60), Measures(40)
    assert set(_measure(early, inventory, 1 << 30)) == {11, 12}  # type: ignore[arg-type]
    assert early.asked == [11, 12], "what is known to be wasteful comes before what is not known"
    assert _measure(late, inventory, 1 << 30) == {}, "half of the time is for other questions"  # type: ignore[arg-type]
    assert late.asked == []


def test_a_partitioned_table_is_as_large_as_its_partitions() -> None:
    parts = [table(oid, f"p{oid}", parents=[1], bytes=20 * MIB) for oid in (2, 3)]
    inventory = seen(
        table(1, "p", partitioned=True, bytes=0), *parts, index(table=2, bytes=5 * MIB)
    )
    assert total_sizes(inventory) == {1: 45 * MIB}


def due(
    *relations: dict[str, Any],
    before: tuple[str, ...] = (),
    first: bool = False,
    kind: str = "vacuum_due",
    **more: Any,
) -> Any:
    """The verdict where a run before this one has seen some tables due."""
    sizes = {} if first else {"total": 1.0, **dict.fromkeys(before, 1.0)}
    return by_name(vacuum(contents(*relations, sizes=sizes, **more), "d", LIMITS))[kind]


def test_vacuum_is_due_only_where_autovacuum_had_the_time() -> None:
    now = DATABASE_FACTS["now"]
    dead, before = table(dead=500_000, vacuumed=now - 7200), ("due vacuum 1",)
    assert due({**dead, "vacuumed": now - 600}, before=before).status == "ok"
    check = due(dead, before=before)
    assert check.status == "warning"
    assert "public.t: 500,000 dead rows" in check.summary
    assert check.window == "since statistics reset 11 days ago"
    assert due(dead, before=before, facts={"standby": True}).status == "unknown"


def test_a_table_that_was_not_due_at_the_last_run_has_only_just_become_due() -> None:
    loaded = table(inserted=10**6, vacuumed=None, analyzed=None, rows=-1.0)
    assert due(loaded).status == "ok"
    assert due(loaded, kind="statistics_due").status == "ok"
    first = due(loaded, first=True)
    assert first.status == "unknown", "nobody knows for how long"
    assert "1 table at this moment, such as public.t" in first.summary
    assert due(table(), first=True).status == "ok"
    assert (
        due({**loaded, "options": {"autovacuum_enabled": "off"}}, first=True).status == "warning"
    ), "nobody will come"
    assert due(table(xid_age=201_000_000, options={"autovacuum_enabled": "off"})).status == "ok", (
        "against wraparound autovacuum comes all the same"
    )
    partitioned = table(2, "p", partitioned=True, bytes=0, rows=-1.0, analyzed=None)
    assert (
        due(partitioned, table(3, "p1", parents=[2]), kind="statistics_due", first=True).status
        == "warning"
    )


def test_what_is_being_vacuumed_is_not_due_and_rights_do_not_matter() -> None:
    dead = table(dead=500_000, vacuumed=0.0, mine=False)
    assert due({**dead, "worked": True}, before=("due vacuum 1",)).status == "ok"
    check = due(dead, before=("due vacuum 1",))
    assert check.status == "warning"
    assert "may not" not in check.summary


@pytest.mark.parametrize(
    ("more", "status"),
    [
        ({"xid_age": 160_000_000}, "ok"),
        ({"xid_age": 201_000_000}, "warning"),
        ({"mxid_age": 300_000_000}, "ok"),
        ({"mxid_age": 401_000_000}, "warning"),
        (
            {"xid_age": 160_000_000, "options": {"autovacuum_freeze_max_age": "100000000"}},
            "warning",
        ),
        (
            {"xid_age": 300_000_000, "options": {"autovacuum_freeze_max_age": "1000000000"}},
            "warning",
        ),  # the server's is the smaller one
        (
            {"xid_age": 160_000_000, "dead": 500_000},
            "warning",
        ),  # an age that is no matter hides no dead rows
    ],
)
def test_a_freeze_is_due_where_autovacuum_would_be_forced_to_it(
    more: dict[str, Any], status: str
) -> None:
    assert due(table(**more), before=("due vacuum 1",)).status == status


def test_without_counters_nothing_is_known() -> None:
    blind = Use({11: used(scans=0)}, {1: {"scans": 0}}, {}, [], 0.0, False)
    found = contents(table(), index(11, "i11", bytes=200 * MIB, unique=False), use=blind)
    checks = by_name([*vacuum(found, "d", LIMITS), *indexes(found, "d", LIMITS, NOBODY, 10)])
    names = {
        name
        for name, check in checks.items()
        if check.status == "unknown" and "track_counts is off" in check.summary
    }
    assert names == {"vacuum_due", "statistics_due", "unused_indexes", "missing_indexes"}


def test_a_small_table_that_was_never_analyzed_is_no_matter() -> None:
    before = ("due analyze 1",)
    assert (
        due(
            table(rows=-1.0, bytes=8192, analyzed=None), before=before, kind="statistics_due"
        ).status
        == "ok"
    )
    assert (
        due(table(rows=-1.0, analyzed=None), before=before, kind="statistics_due").status
        == "warning"
    )


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


# --- indexes ----------------------------------------------------------------------------------------------------------

BIG = {"bytes": 200 * MIB, "unique": False}


OLD = 11 * 86400.0


def unused(
    row: dict[str, Any],
    *others: dict[str, Any],
    since: float | None = 0.0,
    keys: Any = (),
    age: float | None = OLD,
    more: Any = None,
    **facts: Any,
) -> Any:
    """The verdict on indexes that are known for so many seconds; ``more`` is what differs in the inventory, by oid."""
    relations = [
        index(each["oid"], f"i{each['oid']}", **{**BIG, **(more or {}).get(each["oid"], {})})
        for each in (row, *others)
    ]
    sizes = {} if age is None else {f"index {each['oid']}": age for each in (row, *others)}
    found = contents(
        table(),
        *relations,
        use=use_of(row, *others, since=since, keys=keys),
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
    assert unused(used(scans=0), since=DATABASE_FACTS["now"] - 86400).status == "unknown"
    assert unused(used(scans=0), since=None).status == "unknown"


def test_counters_of_one_server_say_nothing_of_its_standbys() -> None:
    check = unused(used(scans=0), standbys=1)
    assert check.status == "unknown"
    assert "its standbys count for themselves" in check.summary
    assert unused(used(scans=0), standby=True).status == "unknown"
    assert unused(used(scans=1), standby=True).status == "ok"
    assert unused(used(scans=0), standbys=1, more={11: {"bytes": 20 * MIB}}).status == "ok", (
        "it is no matter either way"
    )


def test_an_index_counts_as_unused_only_when_it_has_been_seen_for_long_enough() -> None:
    assert unused(used(scans=0), age=None).status == "unknown"
    assert unused(used(scans=0), age=86400.0).status == "unknown"
    fresh, old = used(scans=0, keys=[2]), used(12, scans=0)
    relations = [index(each["oid"], f"i{each['oid']}", **BIG) for each in (fresh, old)]
    found = contents(
        table(),
        *relations,
        use=use_of(fresh, old),
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


def test_how_long_an_index_has_been_known_outlives_a_run() -> None:
    found = contents(
        table(),
        index(11, "i11", **BIG),
        index(12, "i12", **BIG),
        sizes={"index 11": 100.0},
        elapsed=50.0,
    )
    kept, _scans = samples(found) or pytest.fail("nothing is kept")
    assert (kept.counters["index 11"], kept.counters["index 12"], kept.counters["total"]) == (
        150.0,
        0.0,
        500 * MIB,
    )
    due_now, _scans = samples(contents(table(dead=500_000, modified=500_000))) or pytest.fail(
        "nothing is kept"
    )
    assert {"due vacuum 1", "due analyze 1"} <= set(due_now.counters)


TWO = {
    "keys": [1, 2],
    "key_count": 2,
    "classes": [1, 1],
    "collations": [0, 0],
    "options": [0, 0],
    "class_options": [None, None],
}


def test_what_makes_another_index_superfluous_is_not_called_unused() -> None:
    rows = [used(11, scans=5), used(12, scans=0, **TWO)]
    found = contents(
        table(),
        *(index(row["oid"], f"i{row['oid']}", **BIG) for row in rows),
        use=use_of(*rows),
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
        use=use_of(*rows),
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
            used(scans=0), used(12, scans=3, **TWO, storage=["fillfactor=70"]), keys=[key]
        ).status
        == "warning"
    ), "another one serves it"
    both = unused(used(scans=0), used(12, scans=0, **TWO, storage=["fillfactor=70"]), keys=[key])
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


@pytest.mark.parametrize(
    ("first", "second", "gone"),
    [
        ({}, {}, ["public.i12"]),
        ({}, TWO, ["public.i11"]),
        (
            {},
            {"keys": [1, 2], "class_options": [None, None]},
            ["public.i11"],
        ),  # the second column is only included
        ({"unique": True}, {"keys": [1, 2], "class_options": [None, None]}, []),
        ({"storage": ["fillfactor=70"]}, {}, []),
        ({"class_options": [["siglen=8"]]}, {}, []),
        ({"options": [3]}, {}, []),
        ({"classes": [7]}, {}, []),
        ({"predicate": "a > 1"}, {}, []),
        ({"unique": True}, {"unique": True}, []),
        ({"unique": True}, {}, ["public.i12"]),
        ({"constraint": True}, {"constraint": True}, []),
        (
            {"keys": [1, 2], "classes": [1], "collations": [0], "options": [0]},
            {"keys": [1, 3], "classes": [1], "collations": [0], "options": [0]},
            [],
        ),
    ],
)
def test_which_of_two_indexes_is_superfluous(
    first: dict[str, Any], second: dict[str, Any], gone: list[str]
) -> None:
    rows = [used(11, **first), used(12, **second)]
    found = contents(table(), index(11, "i11", **BIG), index(12, "i12", **BIG), use=use_of(*rows))
    check = by_name(indexes(found, "d", LIMITS, NOBODY, 10))["duplicate_indexes"]
    assert [row["drop"] for row in check.evidence] == gone


def test_a_partitioned_index_that_is_superfluous_counts_with_its_partitions() -> None:
    rows = [used(11), used(12), used(21, table=2, top=11), used(22, table=2, top=12)]
    known = [index(oid, f"i{oid}", unique=False, partitioned=True, bytes=0) for oid in (11, 12)]
    known += [index(oid, f"i{oid}", table=2, **BIG) for oid in (21, 22)]
    found = contents(
        table(partitioned=True, bytes=0), table(2, "p", parents=[1]), *known, use=use_of(*rows)
    )
    (row,) = by_name(indexes(found, "d", LIMITS, NOBODY, 10))["duplicate_indexes"].evidence
    assert (row["drop"], row["bytes"], row["statement"]) == (
        "public.i12",
        200 * MIB,
        "DROP INDEX public.i12",
    )


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
    assert "somebody locks t" in doubtful.summary
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


READ = {"scans": 1000, "read": 10**9, "writes": 5}


def missing(pluralize: dict[str, int], then: Sample | None = None, **more: Any) -> Any:
    found = contents(table(), use=use_of(scans={1: pluralize}, **more), earlier=then)
    return by_name(indexes(found, "d", LIMITS, NOBODY, 10))["missing_indexes"]


def test_a_missing_index_is_judged_by_what_came_since_the_last_run() -> None:
    assert missing(READ).status == "warning"
    hour = time.time() - 3600
    assert missing(READ, Sample(hour, "", {"scans 1": 990.0, "read 1": 9.9e8})).status == "ok"
    assert missing(READ, Sample(hour, "", {"scans 1": 0.0, "read 1": 0.0})).status == "warning"
    assert missing(READ, Sample(hour, "", {"scans 2": 0.0})).status == "ok", (
        "there is no window for it"
    )


def test_a_missing_index_needs_scans_for_each_day_and_reading_that_outweighs_writing() -> None:
    nightly = {"scans": 60, "read": 10**8, "writes": 0}
    assert missing(nightly).status == "ok", "60 in 11 days"
    assert missing(nightly, since=DATABASE_FACTS["now"] - 3600).status == "warning"
    assert missing(nightly, since=None).status == "unknown"
    assert missing({**READ, "writes": 2 * 10**9}).status == "ok"


def test_a_statement_that_only_writes_is_not_the_one_to_explain() -> None:
    row = {"user": "u", "database": "shop", "calls": 1, "seconds": 1.0}
    top = [
        {**row, "statement": "INSERT INTO t VALUES (1)"},
        {**row, "statement": "SELECT a FROM t"},
    ]
    found = contents(table(), use=use_of(scans={1: READ}))
    check = by_name(
        indexes(found, "d", LIMITS, Statements(2, 2.0, "PT1H", top, Sample(0, "", {})), 10)
    )["missing_indexes"]
    assert check.evidence[0]["statement"] == "SELECT a FROM t"


# --- collations -------------------------------------------------------------------------------------------------------


def drifted(
    database: str, then: str | None, now: str | None, template: bool = False
) -> dict[str, Any]:
    return {"database": database, "template": template, "then": then, "now": now}


def configured(*drift: dict[str, Any]) -> Configuration:
    return Configuration({}, [], True, drift)


def peculiar(drift: Any = (), unattended: Any = ()) -> Contents:
    return contents(peculiarities=Peculiarities(drift, unattended))


def test_collations_that_sort_differently_now() -> None:
    check = collations(
        configured(drifted("shop", "2.31", "2.36"), drifted("other", "1", "2")),
        peculiar(),
        "shop",
        "d",
        LIMITS,
    )
    assert check.status == "critical"
    assert (
        "The default of database 'shop' sorts by version 2.36 now, and its indexes were built with 2.31"
        in check.summary
    )
    assert "ALTER DATABASE ... REFRESH COLLATION VERSION" in check.remedy
    assert len(check.evidence) == 1
    own = peculiar(drift=[{"collation": '"de-x-icu"', "then": "153.1", "now": "153.2"}])
    assert (
        'Collation "de-x-icu" sorts by version'
        in collations(configured(), own, "shop", "d", LIMITS).summary
    )
    assert collations(configured(), peculiar(), "shop", "d", LIMITS).status == "ok"


def test_a_collation_whose_version_has_gone_has_changed() -> None:
    check = collations(configured(drifted("shop", "2.31", None)), peculiar(), "shop", "d", LIMITS)
    assert check.status == "critical"
    assert (
        "sorts by a library without versions now, and its indexes were built with 2.31"
        in check.summary
    )


@pytest.mark.parametrize(
    ("configuration", "found"),
    [
        (configured(drifted("shop", None, None)), peculiar()),
        (configured(), peculiar(drift=[{"collation": '"de_DE"', "then": None, "now": None}])),
    ],
)
def test_a_collation_without_a_version_is_unknown(
    configuration: Configuration, found: Contents
) -> None:
    assert collations(configuration, found, "shop", "d", LIMITS).status == "unknown"


def test_databases_that_are_not_looked_into_have_collations_too() -> None:
    drift = [
        drifted("other", "1", "2"),
        drifted("shop", "1", "2"),
        drifted("template0", "1", "2", True),
        drifted("plain", None, None),
    ]
    (check,) = collations_elsewhere(configured(*drift), ["shop"], LIMITS)
    assert (check.status, check.subject) == ("critical", "other databases")
    assert [row["database"] for row in check.evidence] == ["other", "template0"]
    (check,) = collations_elsewhere(configured(*drift), ["shop", "other"], LIMITS)
    assert check.status == "warning", "a template has no rows to lose"
    assert not list(collations_elsewhere(configured(drift[1]), ["shop"], LIMITS))


def test_tables_without_autovacuum_are_named() -> None:
    (check,) = unattended(peculiar(unattended=["public.t", "public.u"]), "d", LIMITS)
    assert (check.status, check.subject) == ("warning", "d")
    assert "autovacuum_enabled is off for 2 tables, such as public.t" in check.summary
    assert not list(unattended(peculiar(), "d", LIMITS))
