"""A healthy Redis as the probe sees it, for tests that change one thing about it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from ansible_collections.gpt_agent.runbook.plugins.module_utils.core.catalog import CATALOG
from ansible_collections.gpt_agent.runbook.plugins.module_utils.core.check import Check
from ansible_collections.gpt_agent.runbook.plugins.module_utils.core.state import Delta
from ansible_collections.gpt_agent.runbook.plugins.module_utils.core.thresholds import Thresholds
from ansible_collections.gpt_agent.runbook.plugins.module_utils.redis.assess import assess
from ansible_collections.gpt_agent.runbook.plugins.module_utils.redis.checks import CHECKS
from ansible_collections.gpt_agent.runbook.plugins.module_utils.redis.connection import Endpoint
from ansible_collections.gpt_agent.runbook.plugins.module_utils.redis.options import Options
from ansible_collections.gpt_agent.runbook.plugins.module_utils.redis.snapshot import Snapshot

MIB, GIB = 1024**2, 1024**3
#: What is checked only of a cluster or on request, and the checks of operations.
_OTHERS = {
    *(f"redis.{name}" for name in ("cluster", "big_keys", "contents", "flush", "recovery")),
    *(f"redis.{name}" for name in ("config", "config_drift", "config_persisted")),
}
#: The checks of a server that is not part of a cluster.
ALL = {name for name in CATALOG if name.startswith("redis.")} - _OTHERS
WINDOW = "2026-11-23T06:00Z/PT24H"

INFO: dict[str, Any] = {
    "redis_version": "7.0.15",
    "server_time_usec": 2_000_000 * 10**6,
    "used_memory": GIB,
    "used_memory_rss": int(1.1 * GIB),
    "total_system_memory": 16 * GIB,
    "maxmemory": 2 * GIB,
    "maxmemory_policy": "allkeys-lru",
    "mem_fragmentation_ratio": 1.1,
    "allocator_frag_ratio": 1.05,
    "connected_clients": 10,
    "maxclients": 100,
    "blocked_clients": 0,
    "client_query_buffer_limit_disconnections": 0,
    "client_output_buffer_limit_disconnections": 0,
    "aof_enabled": 0,
    "aof_last_write_status": "ok",
    "aof_last_bgrewrite_status": "ok",
    "rdb_last_bgsave_status": "ok",
    "rdb_last_save_time": 2_000_000 - 600,
    "rdb_changes_since_last_save": 0,
    "rdb_bgsave_in_progress": 0,
    "rdb_saves": 3,
    "role": "master",
    "connected_slaves": 0,
    "db0": {"keys": 100, "expires": 100, "avg_ttl": 0},
}
COUNTERS = {
    "keyspace_hits": 9500.0,
    "keyspace_misses": 500.0,
    "evicted_keys": 0.0,
    "rejected_connections": 0.0,
    "client_query_buffer_limit_disconnections": 0.0,
    "client_output_buffer_limit_disconnections": 0.0,
}
#: What a replica adds to `INFO`.
REPLICA: dict[str, Any] = {
    "role": "slave",
    "master_host": "db0",
    "master_port": 6379,
    "master_link_status": "up",
    "master_last_io_seconds_ago": 1,
    "master_sync_in_progress": 0,
}

HEALTHY = Snapshot(
    "db1:6379",
    latencies=[0.0002, 0.0004],
    info=INFO,
    settings={"bind": "127.0.0.1", "slowlog-max-len": "128"},
    save="3600 1 300 100",
    slow=(),
    default_user=("on",),
    delta=Delta(COUNTERS, WINDOW, 86400, True),
)


def verdicts(
    snapshot: Snapshot = HEALTHY, purpose: str = "cache", replicas: int = 0, **thresholds: Any
) -> dict[str, Check]:
    return {
        check.name: check
        for check in assess(
            snapshot,
            Options(Endpoint("db1"), purpose=purpose, replicas=replicas),
            Thresholds(CHECKS, thresholds),
        )
    }


def with_info(**info: Any) -> Snapshot:
    return replace(HEALTHY, info={**INFO, **info})


def with_counters(**counters: float) -> Snapshot:
    return replace(HEALTHY, delta=Delta({**COUNTERS, **counters}, WINDOW, 86400, True))
