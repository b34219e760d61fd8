"""Cache, deadlocks and wraparound, judged."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ansible_collections.gpt_agent.runbook.plugins.module_utils.core.state import Delta
from tests.support.postgres_health import DATABASES, SESSIONS, WAL, counted, database, one


@pytest.mark.parametrize(
    ("hit", "status"), [(9000, "ok"), (8999, "warning"), (8000, "warning"), (7999, "critical")]
)
def test_the_cache_is_judged_by_target_and_acceptable(hit: int, status: str) -> None:
    check = one("cache_hit", databases=DATABASES._replace(recent=counted(hit, 10000 - hit)))
    assert (check.status, check.value, check.window) == (status, hit / 100, "the window")


def test_where_little_was_read_since_the_last_run_the_longer_span_is_judged() -> None:
    databases = DATABASES._replace(
        recent=counted(1, 9),
        total=Delta({"hit": 9500, "read": 500, "deadlocks": 0}, "since reset", 9, False),
    )
    check = one("cache_hit", databases=databases)
    assert (check.status, check.value, check.window) == ("ok", 95.0, "since reset")


def test_a_cache_that_was_hardly_used_is_not_judged() -> None:
    check = one(
        "cache_hit", databases=DATABASES._replace(recent=counted(1, 9), total=counted(10, 90))
    )
    assert (check.status, check.value, check.window) == ("ok", 10.0, "the window")
    assert check.summary == (
        "100 blocks read; not judged: needs at least 1,000 block reads in the window"
    )


@pytest.mark.parametrize(
    ("count", "status"), [(0, "ok"), (1, "warning"), (10, "warning"), (11, "critical")]
)
def test_deadlocks_are_counted_in_the_window(count: int, status: str) -> None:
    rows = [database(deadlocks=30)]
    check = one(
        "deadlocks",
        databases=DATABASES._replace(rows=rows, recent=counted(deadlocks=count)),
    )
    assert (check.status, check.value) == (status, count)
    assert check.evidence == (({"database": "shop", "deadlocks_since_reset": 30},) if count else ())


def test_deadlocks_of_the_last_months_are_not_todays() -> None:
    old = counted(9990, 10, 7, since_last_run=False, seconds=90 * 86400)
    check = one("deadlocks", databases=DATABASES._replace(recent=old))
    assert (check.status, check.value) == ("ok", 7)
    assert check.not_judged == "from the next run on, new ones count"
    assert (
        one("deadlocks", databases=DATABASES._replace(recent=replace(old, seconds=3600))).status
        == "warning"
    )


def test_wraparound_is_judged_by_the_oldest_of_both_counters_in_any_database() -> None:
    rows = [
        database(None, xid_age=None, mxid_age=None),
        database("template0", xid_age=1_350_000_000),
        database(mxid_age=1_450_000_000),
    ]
    check = one("wraparound", databases=DATABASES._replace(rows=rows))
    assert (check.status, check.value) == ("critical", 1_450_000_000)
    assert check.summary == (
        "The oldest multixact ID is 1,450 million IDs old, in database 'shop': 68 % "
        "of the way to wraparound"
    )
    assert [row["database"] for row in check.evidence] == ["shop", "template0"]
    assert one("wraparound", databases=DATABASES._replace(rows=rows[:2])).status == "warning"


def test_wraparound_names_what_holds_it_back() -> None:
    databases = DATABASES._replace(rows=[database(xid_age=1_350_000_000)])
    slot = {
        "slot_name": "gone",
        "slot_type": "physical",
        "active": True,
        "active_pid": 3,
        "kept_bytes": 0,
        "xmin_age": 1_340_000_000,
    }
    for parts, holder in (
        (
            {"sessions": SESSIONS._replace(xmin_age=1_300_000_000)},
            "held back by an old transaction",
        ),
        (
            {"sessions": SESSIONS._replace(prepared_age=1_300_000_000)},
            "held back by a prepared transaction",
        ),
        (
            {"wal": WAL._replace(slots=[slot]), "sessions": SESSIONS._replace(xmin_age=50)},
            "held back by replication slot 'gone'",
        ),
    ):
        assert holder in one("wraparound", databases=databases, **parts).summary
    assert "held back" not in one("wraparound", databases=databases).summary


def test_a_failed_checksum_counts_whenever_it_was() -> None:
    rows = [
        database(checksum_failures=2, checksum_seconds=7200.0),
        database(None, checksum_failures=3, checksum_seconds=90 * 86400.0),
    ]
    check = one("checksum_failures", databases=DATABASES._replace(rows=rows))
    assert (check.status, check.value) == ("critical", 5)
    assert check.summary == (
        "5 reads failed the checksum, the last 2 h ago, most of them in database '(shared)'"
    )
    assert one("checksum_failures").summary == "No read failed its checksum"


def test_without_checksums_damage_is_not_judged() -> None:
    rows = [database(checksum_failures=None)]
    check = one("checksum_failures", databases=DATABASES._replace(rows=rows))
    assert (check.status, "--enable" in check.not_judged) == ("ok", True)


def test_wraparound_is_never_rounded_up_to_its_end() -> None:
    rows = [database(xid_age=2**31 - 3_000_001)]
    check = one("wraparound", databases=DATABASES._replace(rows=rows))
    assert check.summary.endswith("99 % of the way to wraparound")
