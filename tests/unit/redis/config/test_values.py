"""Values of settings mean the same however they are written."""

from __future__ import annotations

import pytest

from ansible_collections.gpt_agent.runbook.plugins.module_utils.core.errors import UsageError
from ansible_collections.gpt_agent.runbook.plugins.module_utils.redis.config.values import (
    as_text,
    canonical,
    number,
    same,
)


@pytest.mark.parametrize(
    ("name", "wanted", "running", "is_same"),
    [
        ("maxmemory", "1gb", "1073741824", True),
        ("maxmemory", "1g", "1000000000", True),
        ("maxmemory", "1GB", "1073741825", False),
        ("save", "3600 1  300 100", "3600 1 300 100", True),
        ("save", '""', "", True),
        ("save", "", "3600 1", False),
        ("appendonly", "YES", "yes", True),
        ("notify-keyspace-events", "KA", "AK", True),
        ("notify-keyspace-events", "Kg", "AK", False),
        (
            "client-output-buffer-limit",
            "pubsub 32mb 8mb 60",
            "normal 0 0 0 slave 268435456 67108864 60 pubsub 33554432 8388608 60",
            True,
        ),
        ("client-output-buffer-limit", "replica 1mb 1mb 60", "slave 1048576 1048576 61", False),
    ],
)
def test_values_are_compared_by_what_they_mean(
    name: str, wanted: str, running: str, is_same: bool
) -> None:
    assert same(name, wanted, running) is is_same


def test_values_of_a_task() -> None:
    assert as_text("appendonly", True) == "yes"
    assert as_text("save", [[3600, 1], "300 100"]) == "3600 1 300 100"
    for wrong in (None, {"a": 1}, "a\nb"):
        with pytest.raises(UsageError, match="settings: hz"):
            as_text("hz", wrong)


def test_names_and_sizes() -> None:
    assert canonical(" Slave-Read-Only ") == "replica-read-only"
    assert canonical("commandlog-slow-execution-max-len") == "slowlog-max-len"
    assert (number("10kb"), number("-1"), number("lots")) == (10240, -1, None)
