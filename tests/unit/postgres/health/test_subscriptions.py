"""Subscriptions, judged."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.gpt_agent.runbook.plugins.module_utils.core.errors import NotCollected
from tests.support.postgres_health import WAL, checks, one

ROW = {
    "name": "s",
    "database": "shop",
    "enabled": True,
    "slot": "s",
    "gives_up": False,
    "apply_errors": 0,
    "sync_errors": 0,
    "working": True,
    "worker_seconds": 900.0,
    "message_seconds": 2.0,
    "receiver_timeout": 60.0,
    "sender_timeout": 60.0,
    "copying": 0,
}


@pytest.mark.parametrize(
    ("more", "status", "words"),
    [
        ({}, "ok", "Subscription 's' receives, the last message is 2 s old"),
        ({"apply_errors": 7}, "ok", "receives"),
        ({"message_seconds": None, "worker_seconds": None}, "ok", "receives"),
        ({"message_seconds": 80.0}, "warning", "has received nothing for 1 min"),
        ({"message_seconds": 400.0}, "critical", "has received nothing for 6 min"),
        ({"working": False}, "critical", "has no worker, so it applies nothing"),
        ({"working": False, "apply_errors": 1}, "critical", "again and again: 1 error so far"),
        ({"worker_seconds": 1.0, "apply_errors": 9}, "critical", "again and again: 9 errors"),
        ({"worker_seconds": 1.0}, "ok", "receives"),
        ({"copying": 2}, "ok", "2 tables still to be copied"),
        ({"copying": 1, "sync_errors": 4}, "critical", "fails to copy 1 table: 4 errors"),
        ({"enabled": False}, "warning", "is disabled, while its publisher keeps WAL"),
        ({"enabled": False, "gives_up": True, "apply_errors": 1}, "critical", "itself off"),
        ({"apply_errors": None, "sync_errors": None}, "ok", "receives"),
    ],
)
def test_a_subscription(more: dict[str, Any], status: str, words: str) -> None:
    wal = WAL._replace(subscriptions=[{**ROW, **more}])
    check = one("replication", "subscription s", wal=wal)
    assert check.status == status
    assert words in check.summary


def test_a_subscription_that_is_detached_from_its_publisher_is_none() -> None:
    wal = WAL._replace(subscriptions=[{**ROW, "enabled": False, "slot": None}])
    assert not [check for check in checks(wal=wal) if check.subject]


def test_workers_of_a_server_that_has_just_started_are_not_missed() -> None:
    wal = WAL._replace(subscriptions=[{**ROW, "working": False, "message_seconds": None}])
    check = one("replication", "subscription s", wal=wal, facts={"now": 5})
    assert check.status == "ok"


def test_subscriptions_that_cannot_be_read_are_unknown() -> None:
    wal = WAL._replace(subscriptions=NotCollected("nobody knows", "Ask again"))
    assert one("replication", "subscriptions", wal=wal).status == "unknown"
