"""The verdicts on memory, eviction and fragmentation, from plain data."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from ansible_collections.gpt_agent.runbook.plugins.module_utils.core.check import Check
from ansible_collections.gpt_agent.runbook.plugins.module_utils.linux.cgroup import MemoryGroup
from tests.support.redis_samples import GIB, MIB, WINDOW, verdicts, with_counters, with_info


def memory(purpose: str = "queue", cgroup: MemoryGroup | None = None, **info: Any) -> Check:
    return verdicts(replace(with_info(**info), cgroup=cgroup), purpose)["redis.memory"]


@pytest.mark.parametrize(("used", "status"), [(1.5, "ok"), (1.52, "warning"), (1.82, "critical")])
def test_memory_against_maxmemory(used: float, status: str) -> None:
    assert memory(used_memory=int(used * GIB)).status == status


def test_buffers_that_eviction_ignores_do_not_count() -> None:
    check = memory(used_memory=2 * GIB, mem_not_counted_for_evict=GIB)
    assert (check.status, check.value) == ("ok", 50)


def test_a_full_cache_is_ok() -> None:
    for purpose, status in (
        ("cache", "ok"),
        ("", "ok"),
        ("queue", "critical"),
        ("session", "critical"),
    ):
        assert memory(purpose, used_memory=2 * GIB).status == status
    assert memory("cache", used_memory=2 * GIB, maxmemory_policy="noeviction").status == "critical"
    check = memory("cache", used_memory=2 * GIB)
    assert (check.value, check.warning) == (100, None)
    assert check.summary.endswith("full, which is normal for a cache that evicts (allkeys-lru)")


@pytest.mark.parametrize(
    ("purpose", "expires", "status"),
    [
        ("cache", 100, "ok"),
        ("", 100, "ok"),
        ("session", 100, "critical"),
        ("cache", 50, "critical"),
        ("", 0, "critical"),
    ],
)
def test_full_of_keys_that_have_a_ttl(purpose: str, expires: int, status: str) -> None:
    keys = {"keys": 100, "expires": expires}
    policy = "volatile-lru"
    check = memory(purpose, used_memory=2 * GIB, maxmemory_policy=policy, db0=keys)
    assert check.status == status


def test_without_maxmemory_the_machine_or_the_cgroup_counts() -> None:
    check = memory(maxmemory=0, used_memory_rss=15 * GIB)
    assert (check.status, check.summary) == (
        "critical",
        "15 GiB of the host's 16 GiB, as no maxmemory is set",
    )
    check = memory(
        maxmemory=0, cgroup=MemoryGroup(GIB, 0, 0), used_memory=900 * MIB, used_memory_rss=900 * MIB
    )
    assert (check.status, check.summary) == (
        "warning",
        "900 MiB of the container's or service's 1 GiB, as no maxmemory is set",
    )
    assert memory(maxmemory=0, used_memory=8 * GIB, used_memory_rss=GIB).value == 50, (
        "what is swapped out is needed too"
    )


def test_a_maxmemory_beyond_the_machine_does_not_hide_that_it_is_full() -> None:
    check = memory("cache", maxmemory=64 * GIB, used_memory=15 * GIB, used_memory_rss=15 * GIB)
    assert check.status == "critical"
    assert check.summary == "15 GiB of the host's 16 GiB, which maxmemory exceeds"


@pytest.mark.parametrize(
    ("purpose", "policy", "maximum", "expires", "status", "said"),
    [
        ("cache", "allkeys-lru", 1, 0, "ok", "allkeys-lru fits a cache"),
        ("cache", "allkeys-lrm", 1, 0, "ok", "fits"),
        ("cache", "noeviction", 1, 0, "warning", "every write fails"),
        ("cache", "allkeys-lru", 0, 0, "warning", "grows until"),
        ("cache", "volatile-lru", 1, 95, "ok", "fits"),
        ("cache", "volatile-lru", 1, 12, "warning", "only 12 % of the keys"),
        ("queue", "noeviction", 1, 0, "ok", "noeviction fits a queue"),
        ("queue", "noeviction", 0, 0, "ok", "so nothing is evicted"),
        ("queue", "allkeys-lru", 1, 0, "critical", "silently evicts jobs"),
        ("queue", "allkeys-lru", 0, 0, "warning", "silently evicts jobs"),
        ("queue", "volatile-ttl", 1, 0, "warning", "evicts jobs that have a TTL"),
        ("session", "volatile-lru", 1, 0, "ok", "fits"),
        ("session", "allkeys-lfu", 1, 0, "warning", "silently evicts sessions"),
        ("session", "somehow", 1, 0, "unknown", "not a policy"),
        ("", "noeviction", 1, 0, "ok", "not judged: what it is used for is not declared"),
    ],
)
def test_the_policy_must_fit_the_purpose(
    purpose: str, policy: str, maximum: int, expires: int, status: str, said: str
) -> None:
    snapshot = with_info(
        maxmemory=maximum * GIB,
        maxmemory_policy=policy,
        db0={"keys": 60, "expires": 0},
        db1={"keys": 40, "expires": 0},
    )
    snapshot = (
        replace(snapshot, info={**snapshot.info, "db0": {"keys": 100, "expires": expires}})
        if expires
        else snapshot
    )
    if expires:
        snapshot = replace(
            snapshot, info={name: value for name, value in snapshot.info.items() if name != "db1"}
        )
    check = verdicts(snapshot, purpose)["redis.eviction_policy"]
    assert check.status == status
    assert said in check.summary
    assert bool(check.remedy) == (status != "ok")


@pytest.mark.parametrize(
    ("purpose", "count", "status"),
    [
        ("cache", 9, "ok"),
        ("queue", 9, "warning"),
        ("session", 9, "warning"),
        ("", 9, "ok"),
        ("", 0, "ok"),
        ("queue", 0, "ok"),
    ],
)
def test_evictions_are_ok_for_a_cache_only(purpose: str, count: int, status: str) -> None:
    check = verdicts(with_counters(evicted_keys=count), purpose)["redis.evictions"]
    assert (check.status, check.value, check.window) == (status, count, WINDOW)


@pytest.mark.parametrize(
    ("resident", "ratio", "swapped", "status", "said"),
    [
        (50 * MIB, 9, None, "ok", "Only 50 MiB resident"),
        (GIB, 1.4, None, "ok", "1.40 resident bytes"),
        (GIB, 1.6, None, "warning", "1.60 resident bytes"),
        (GIB, 3.1, 0, "critical", "3.10"),
        (GIB, 0.8, None, "unknown", "swapped out, or never touched"),
        (GIB, 0.8, 0, "ok", "0.80"),
        (GIB, 0.8, 300 * MIB, "warning", "300 MiB are swapped out"),
    ],
)
def test_fragmentation(
    resident: int, ratio: float, swapped: int | None, status: str, said: str
) -> None:
    check = verdicts(
        replace(with_info(used_memory_rss=resident, mem_fragmentation_ratio=ratio), swapped=swapped)
    )["redis.fragmentation"]
    assert check.status == status
    assert said in check.summary
    assert check.value == ratio
