"""The verdict on the hit rate, from plain data."""

from __future__ import annotations

import pytest

from tests.support.redis_samples import WINDOW, verdicts, with_counters


@pytest.mark.parametrize(
    ("hits", "misses", "status", "value"),
    [
        (0, 0, "ok", None),
        (999, 0, "ok", 100),
        (850, 150, "warning", 85),
        (1, 999, "critical", 0.1),
    ],
)
def test_the_hit_rate_needs_enough_lookups(
    hits: int, misses: int, status: str, value: float | None
) -> None:
    check = verdicts(with_counters(keyspace_hits=hits, keyspace_misses=misses))["redis.hit_rate"]
    assert (check.status, check.value, check.window) == (status, value, WINDOW)
    assert "redis.hit_rate" not in verdicts(
        with_counters(keyspace_hits=hits, keyspace_misses=misses), "queue"
    )


def test_the_hit_rate_of_what_may_be_a_queue_is_not_judged() -> None:
    check = verdicts(with_counters(keyspace_hits=1, keyspace_misses=999), "")["redis.hit_rate"]
    assert (check.status, check.value) == ("ok", 0.1)
    assert "purpose" in check.not_judged
