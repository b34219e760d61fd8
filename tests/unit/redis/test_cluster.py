"""The verdict on a cluster, from plain data."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.support.redis_samples import verdicts, with_info

UP = {
    "cluster_state": "ok",
    "cluster_slots_assigned": "16384",
    "cluster_slots_ok": "16384",
    "cluster_slots_pfail": "0",
    "cluster_slots_fail": "0",
    "cluster_known_nodes": "6",
}
DOWN = {**UP, "cluster_state": "fail"}


@pytest.mark.parametrize(
    ("cluster", "status", "said", "writable"),
    [
        (UP, "ok", "6 nodes, all 16,384 slots", "ok"),
        ({**DOWN, "cluster_slots_assigned": "0"}, "critical", "have no node", "critical"),
        ({**DOWN, "cluster_slots_fail": "5461"}, "critical", "5,461 of 16,384", "critical"),
        ({**UP, "cluster_slots_fail": "5461"}, "critical", "their keys fail", "critical"),
        ({**UP, "cluster_slots_pfail": "5461"}, "warning", "do not answer", "ok"),
        (DOWN, "critical", "most of the primaries", "critical"),
        (None, "unknown", "CLUSTER INFO is refused", "unknown"),
    ],
)
def test_cluster(cluster: dict[str, str] | None, status: str, said: str, writable: str) -> None:
    checks = verdicts(replace(with_info(cluster_enabled=1), cluster=cluster))
    check = checks["redis.cluster"]
    assert check.status == status
    assert said in check.summary
    assert bool(check.remedy) == (status != "ok")
    assert checks["redis.writable"].status == writable


def test_a_server_that_is_no_cluster_has_no_such_check() -> None:
    assert "redis.cluster" not in verdicts()
