"""The verdict on replication, from plain data."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.redis_samples import REPLICA, verdicts, with_info

ONLINE, COPYING, SILENT = (
    {"ip": "10.0.0.2", "port": 6379, "state": "online", "lag": 1},
    {"ip": "10.0.0.3", "port": 6379, "state": "send_bulk", "lag": 0},
    {"ip": "10.0.0.4", "port": 6379, "state": "online", "lag": 11},
)


@pytest.mark.parametrize(
    ("info", "replicas", "status", "said"),
    [
        ({}, 0, "ok", "none are expected"),
        ({}, 1, "critical", "0 of 1 replicas"),
        ({"connected_slaves": 1, "slave0": ONLINE}, 2, "warning", "1 of 2 replicas"),
        ({"connected_slaves": 1, "slave0": ONLINE}, 1, "ok", "Primary with 1 replica linked"),
        (
            {"connected_slaves": 2, "slave0": ONLINE, "slave1": COPYING},
            1,
            "warning",
            "still copying",
        ),
        (REPLICA, 0, "ok", "Replica of db0:6379, linked"),
        (
            {**REPLICA, "master_link_status": "down", "master_link_down_since_seconds": 700},
            0,
            "critical",
            "lost its primary db0:6379 for 11 min",
        ),
        (
            {**REPLICA, "master_link_status": "down", "master_link_down_since_seconds": -1},
            0,
            "critical",
            "since its start",
        ),
        (
            {**REPLICA, "master_link_status": "down", "master_sync_in_progress": 1},
            0,
            "warning",
            "still copying",
        ),
        (
            {**REPLICA, "master_sync_in_progress": 1, "master_sync_last_io_seconds_ago": 90},
            0,
            "critical",
            "stalled 1 min ago",
        ),
        ({**REPLICA, "master_last_io_seconds_ago": 20}, 0, "ok", "linked"),
        ({**REPLICA, "master_last_io_seconds_ago": 21}, 0, "critical", "heard nothing"),
        ({**REPLICA, "master_last_io_seconds_ago": -1}, 0, "ok", "Replica of db0:6379, linked"),
        ({"connected_slaves": 1, "slave0": SILENT}, 0, "warning", "10.0.0.4:6379 for 11 s"),
        ({"connected_slaves": 1, "slave0": SILENT}, 1, "critical", "0 of 1 replicas"),
        ({"min_slaves_good_slaves": 0}, 0, "critical", "min-replicas-to-write is 1"),
        (
            {"min_slaves_good_slaves": 1, "connected_slaves": 1, "slave0": ONLINE},
            0,
            "ok",
            "1 replica linked",
        ),
        ({"repl_backlog_active": 1, "sync_full": 1}, 0, "ok", "linked until lately"),
        ({"repl_backlog_active": 1, "sync_full": 1}, 1, "critical", "0 of 1"),
        ({"repl_backlog_active": 1}, 0, "ok", "none are expected"),
    ],
)
def test_replication(info: dict[str, Any], replicas: int, status: str, said: str) -> None:
    check = verdicts(with_info(**info), replicas=replicas)["redis.replication"]
    assert check.status == status
    assert said in check.summary
