"""Replication slots, judged."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.postgres_health import WAL, one, slot


def test_a_slot_that_nobody_reads_is_a_warning_and_a_lost_one_critical() -> None:
    check = one("replication", "slot s1", wal=WAL._replace(slots=[slot()]))
    assert (check.status, check.summary) == (
        "warning",
        (
            "Replication slot 's1' has no consumer; it keeps 3 GiB of WAL, and more "
            "until the disk is full"
        ),
    )
    assert (
        one(
            "replication",
            "slot s1",
            wal=WAL._replace(slots=[slot(wal_status="lost", kept_bytes=None)]),
        ).status
        == "critical"
    )


@pytest.mark.parametrize(
    ("more", "status", "words"),
    [
        ({"wal_status": "unreserved"}, "critical", "is about to be lost"),
        (
            {"wal_status": "extended"},
            "warning",
            "The consumer of replication slot 's1' is far behind; it keeps 3 GiB of WAL",
        ),
        ({"kept_bytes": 20 << 30}, "warning", "is far behind"),
        ({"safe_wal_size": 1 << 29}, "warning", "will be lost after another 512 MiB of WAL"),
        (
            {"active": False, "kept_bytes": 1000, "inactive_seconds": 301.0},
            "warning",
            "has no consumer",
        ),
    ],
)
def test_a_slot_that_is_read_too_slowly_is_named(
    more: dict[str, Any], status: str, words: str
) -> None:
    check = one(
        "replication", "slot s1", wal=WAL._replace(slots=[slot(**{"active": True, **more})])
    )
    assert check.status == status
    assert words in check.summary


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"active": True, "kept_bytes": 64 << 20}, "has made no progress for 24 h"),
        ({"active": False, "kept_bytes": 1000}, "has no consumer"),
    ],
)
def test_a_slot_that_has_not_moved_since_the_last_run(more: dict[str, Any], words: str) -> None:
    wal = WAL._replace(slots=[slot(**more)], stuck={"s1": 86400.0})
    check = one("replication", "slot s1", wal=wal)
    assert (check.status, words in check.summary) == ("warning", True)


@pytest.mark.parametrize("more", [{"active": True, "kept_bytes": 1000}, {"kept_bytes": 0}])
def test_a_slot_with_nothing_to_read_does_not_move(more: dict[str, Any]) -> None:
    wal = WAL._replace(slots=[slot(**more)], stuck={"s1": 86400.0})
    assert one("replication", wal=wal).status == "ok"


@pytest.mark.parametrize(
    "more",
    [
        {"active": True, "safe_wal_size": 8 << 30},
        {"synced": True},
        {"kept_bytes": None},
        {"kept_bytes": 1 << 20, "inactive_seconds": 1.0},
        {"kept_bytes": 1 << 20, "inactive_seconds": None},
    ],
)
def test_slots_in_order_are_not_worth_a_check(more: dict[str, Any]) -> None:
    check = one("replication", wal=WAL._replace(slots=[slot(**more)]))
    assert check.status == "ok"
    expected = "none is expected" if more.get("active") else "slot 's1' waits for one"
    assert check.summary.endswith(expected)


def test_a_logical_slot_without_a_consumer_is_a_warning_however_little_it_keeps() -> None:
    more = {"slot_type": "logical", "kept_bytes": 1000, "inactive_seconds": 1.0}
    check = one("replication", "slot s1", wal=WAL._replace(slots=[slot(**more)]))
    assert (check.status, "comes and goes" in check.remedy) == ("warning", True)
