"""The verdicts on client connections, from plain data."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.support.redis_samples import verdicts, with_counters, with_info


def test_clients() -> None:
    rows = [{"address": "10.0.0.1", "name": "", "user": "app", "connections": 95}]
    check = verdicts(replace(with_info(connected_clients=95, blocked_clients=3), clients=rows))[
        "redis.clients"
    ]
    assert check.status == "critical"
    assert check.summary == "95 of 100 client connections in use, 3 waiting in a blocking command"
    assert list(check.evidence) == rows


@pytest.mark.parametrize(
    ("count", "status", "said"),
    [
        (0, "ok", "No connections"),
        (1, "warning", "1 connection "),
        (101, "critical", "101 connections"),
    ],
)
def test_rejected_connections(count: int, status: str, said: str) -> None:
    check = verdicts(with_counters(rejected_connections=count))["redis.rejected_connections"]
    assert check.status == status
    assert check.summary.startswith(said)
