"""The verdict on writes, from plain data."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from ansible_collections.gpt_agent.runbook.plugins.module_utils.redis.canary import (
    DENIED,
    DONE,
    ELSEWHERE,
    REFUSED,
    SILENT,
    Canary,
)
from ansible_collections.gpt_agent.runbook.plugins.module_utils.redis.snapshot import Disk
from tests.support.redis_samples import (
    GIB,
    HEALTHY,
    INFO,
    REPLICA,
    verdicts,
    with_counters,
    with_info,
)

FULL = {"maxmemory": 2 * GIB, "used_memory": int(2.01 * GIB), "maxmemory_policy": "noeviction"}


@pytest.mark.parametrize(
    ("info", "status", "said"),
    [
        ({}, "ok", "nothing that would refuse"),
        ({"min_slaves_good_slaves": 0}, "critical", "NOREPLICAS"),
        ({"min_slaves_good_slaves": 1}, "ok", "nothing"),
        ({"min_slaves_good_slaves": 0, **REPLICA}, "ok", "takes no writes"),
        (FULL, "critical", "OOM"),
        ({**FULL, "maxmemory_policy": "volatile-ttl"}, "ok", "nothing"),
        (
            {**FULL, "maxmemory_policy": "volatile-ttl", "db0": {"keys": 9, "expires": 0}},
            "critical",
            "volatile-ttl leaves nothing",
        ),
        ({**FULL, "maxmemory_policy": "allkeys-lfu"}, "ok", "nothing"),
        ({**FULL, "mem_not_counted_for_evict": GIB}, "ok", "nothing"),
        ({"aof_enabled": 1, "aof_last_write_status": "err"}, "critical", "MISCONF"),
        ({"rdb_last_bgsave_status": "err"}, "ok", "nothing"),  # PING works, so writes do
        (
            {"paused_actions": "write", "paused_timeout_milliseconds": 90_000},
            "critical",
            "for another 1 min",
        ),
        ({"paused_actions": "write", "paused_timeout_milliseconds": 40}, "warning", "writes wait,"),
        ({"master_failover_state": "waiting-for-sync"}, "warning", "failover is under way"),
        ({**REPLICA, "slave_read_only": 0}, "warning", "loses them"),
    ],
)
def test_what_the_server_says(info: dict[str, Any], status: str, said: str) -> None:
    check = verdicts(with_info(**info))["redis.writable"]
    assert check.status == status
    assert said.lower() in check.summary.lower()
    assert bool(check.remedy) == (status != "ok")


def test_nearly_full_counts_if_writes_were_refused() -> None:
    info = {**INFO, **FULL, "used_memory": int(1.99 * GIB)}
    refused = replace(with_counters(errorstat_OOM=7), info=info)
    assert verdicts(replace(HEALTHY, info=info))["redis.writable"].status == "ok"
    check = verdicts(refused, purpose="session")["redis.writable"]
    assert check.status == "critical"
    assert "7 times in the window" in check.summary
    assert "allkeys" not in check.remedy
    assert "allkeys-lru" in verdicts(refused)["redis.writable"].remedy


@pytest.mark.parametrize(
    ("canary", "status", "said"),
    [
        (Canary(DONE, seconds=0.001), "ok", "written and deleted in 1 ms"),
        (Canary(ELSEWHERE), "ok", "other nodes"),
        (Canary(REFUSED, "unknown command 'SET'"), "critical", "unknown command"),
        (Canary(DENIED, "no"), "unknown", "lacks permission"),
        (Canary(SILENT, seconds=3), "critical", "no answer within 3 s"),
    ],
)
def test_a_real_write(canary: Canary, status: str, said: str) -> None:
    check = verdicts(replace(HEALTHY, canary=canary))["redis.writable"]
    assert check.status == status
    assert said in check.summary


def test_a_write_that_succeeded_outweighs_what_was_concluded() -> None:
    check = verdicts(replace(with_info(**FULL), canary=Canary(DONE)))["redis.writable"]
    assert check.status == "warning"
    assert "a small write still succeeded" in check.summary


@pytest.mark.parametrize(
    ("disk", "said", "never"),
    [
        (Disk("/var/lib/redis", 1000), "only 1,000 bytes|only 1000 B", "BGSAVE"),
        (Disk("/var/lib/redis", 90 * GIB), "BGSAVE", "free space"),
        (None, "full disk", "BGSAVE"),
    ],
)
def test_no_snapshot_is_advised_on_a_full_disk(disk: Disk | None, said: str, never: str) -> None:
    snapshot = with_info(rdb_last_bgsave_status="err")
    snapshot = replace(snapshot, settings={"stop-writes-on-bgsave-error": "yes"})
    checks = verdicts(replace(snapshot, disk=disk))
    for name in ("redis.writable", "redis.persistence"):
        assert never not in checks[name].remedy
        if disk is None or disk.free > GIB:
            assert said in checks[name].remedy
        else:
            assert "/var/lib/redis has only" in checks[name].remedy
