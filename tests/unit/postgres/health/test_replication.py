"""Standbys and replication slots, judged."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.postgres_health import REPLAY, WAL, checks, one, slot, standby


def test_standbys_are_judged_by_their_delay_only_while_they_are_behind() -> None:
    standbys = [
        standby(lag=900.0),
        standby("s2", 1 << 20, 45.0),
        standby("s3", 1 << 20, 400.0),
        standby("s4", 5),
    ]
    found = {
        check.subject: check
        for check in checks(wal=WAL._replace(standbys=standbys))
        if check.name == "postgres.replication"
    }
    assert {subject: (check.status, check.value) for subject, check in found.items()} == {
        "s1": ("ok", 0.0),
        "s2": ("warning", 45.0),
        "s3": ("critical", 400.0),
        "s4": ("unknown", None),
    }
    assert found["s2"].summary == "Standby 's2' is 45 s and 1 MiB behind"


def test_standbys_that_are_missing_are_critical() -> None:
    check = one("replication", wal=WAL._replace(standbys=[standby()]), replicas=2)
    assert (check.status, check.summary) == ("critical", "1 of 2 expected standbys is connected")
    assert one("replication", replicas=1).summary == "0 of 1 expected standbys are connected"
    assert (
        one("replication", "s1", wal=WAL._replace(standbys=[standby()]), replicas=1).status == "ok"
    )


def test_a_backup_or_a_subscriber_is_no_standby() -> None:
    logical = slot("sub", slot_type="logical", active=True, active_pid=6)
    wal = WAL._replace(
        standbys=[standby("pg_basebackup", replays=False), standby("sub", pid=6)], slots=[logical]
    )
    assert (
        one("replication", wal=wal, replicas=1).summary == "0 of 1 expected standbys are connected"
    )


def test_standbys_that_may_not_be_seen_are_unknown_but_counted() -> None:
    wal = WAL._replace(standbys=[standby(state=None, behind=None, replays=False)])
    check = one("replication", wal=wal, replicas=1)
    assert (check.status, check.remedy) == ("unknown", 'As a superuser: GRANT pg_monitor TO "app".')
    assert one("replication", wal=wal, replicas=2).status == "critical"


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
    assert (
        one("replication", wal=WAL._replace(slots=[slot(**more)])).summary
        == "This primary has no standby, and none is expected"
    )


@pytest.mark.parametrize(
    ("replay", "status", "value", "words"),
    [
        ({}, "ok", 0.0, "has replayed all that it received"),
        ({"caught_up": False, "replayed_seconds": 60.0}, "warning", 60.0, "is 1 min behind"),
        (
            {"caught_up": False, "replayed_seconds": None},
            "unknown",
            None,
            "is behind and has replayed no transaction yet",
        ),
        (
            {"receiving": False},
            "critical",
            None,
            "does not receive from its primary; it last replayed a transaction 24 h ago",
        ),
        (
            {"receiving": False, "replayed_seconds": None},
            "critical",
            None,
            "it has replayed no transaction yet",
        ),
        ({"paused": True}, "warning", None, "Replay is paused"),
    ],
)
def test_a_standby_about_itself(
    replay: dict[str, Any], status: str, value: float | None, words: str
) -> None:
    check = one(
        "replication",
        wal=WAL._replace(replay={**REPLAY, **replay}),
        facts={"standby": True},
        replicas=3,
    )
    assert (check.status, check.value) == (status, value)
    assert words in check.summary
