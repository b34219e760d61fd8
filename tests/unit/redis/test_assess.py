"""The verdicts on Redis, from plain data."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ansible_collections.gpt_agent.runbook.plugins.module_utils.core.check import Check
from ansible_collections.gpt_agent.runbook.plugins.module_utils.core.errors import (
    NotCollected,
    Unreachable,
)
from ansible_collections.gpt_agent.runbook.plugins.module_utils.core.thresholds import Thresholds
from ansible_collections.gpt_agent.runbook.plugins.module_utils.redis.assess import no_answer
from ansible_collections.gpt_agent.runbook.plugins.module_utils.redis.checks import CHECKS
from ansible_collections.gpt_agent.runbook.plugins.module_utils.redis.connection import Endpoint
from ansible_collections.gpt_agent.runbook.plugins.module_utils.redis.options import Options
from ansible_collections.gpt_agent.runbook.plugins.module_utils.redis.snapshot import (
    SlowCommand,
    Snapshot,
)
from tests.support.redis_samples import ALL, HEALTHY, INFO, verdicts, with_info


def test_a_healthy_redis() -> None:
    checks = verdicts()
    assert set(checks) == ALL
    assert {check.status for check in checks.values()} == {"ok"}
    assert (
        checks["redis.reachable"].summary
        == "Redis 7.0.15 on db1:6379 answers in 400 µs, the slowest of 2"
    )
    assert checks["redis.memory"].summary == "1 GiB of 2 GiB maxmemory"
    assert checks["redis.hit_rate"].summary == "95 % of 10,000 lookups found their key"
    assert checks["redis.persistence"].summary == "Last snapshot 10 min ago"


def test_valkey_is_named() -> None:
    assert verdicts(with_info(valkey_version="9.1.2"))["redis.reachable"].summary.startswith(
        "Valkey 9.1.2 on"
    )


def test_a_server_that_cannot_be_used_is_one_check() -> None:
    error = Unreachable("Nothing listens", "Start it.")
    assert verdicts(Snapshot("x:1", error=error)) == {
        "redis.reachable": Check(
            "redis.reachable", "critical", "Nothing listens", unit="seconds", remedy="Start it."
        )
    }


def test_a_lack_of_permission_is_unknown() -> None:
    error = NotCollected("No permission", "Grant it.")
    (check,) = verdicts(Snapshot("x:1", error=error)).values()
    assert (check.status, check.summary, check.remedy) == ("unknown", "No permission", "Grant it.")


def test_figures_that_are_refused_are_unknown() -> None:
    refused = {"INFO": NotCollected("No", "Allow it.")}
    checks = verdicts(replace(HEALTHY, info={}, delta=None, refused=refused))
    without = {"redis.reachable", "redis.security", "redis.slow_commands"}
    assert {name: check.status for name, check in checks.items()} == {
        name: "ok" if name in without else "unknown" for name in ALL
    }
    hidden = [check for name, check in checks.items() if name not in without]
    assert {(check.summary, check.remedy) for check in hidden} == {
        ("Cannot be judged without INFO: No", "Allow it.")
    }, "so the report says it once"


def test_slow_commands_without_the_time_of_the_server_are_unknown() -> None:
    slow = [SlowCommand("KEYS", "", 2.0, 1_999_990.0)]
    refused = {"INFO": NotCollected("No", "Allow it.")}
    seen = replace(HEALTHY, info={}, delta=None, slow=slow, refused=refused)
    check = verdicts(seen)["redis.slow_commands"]
    assert (check.status, check.remedy) == ("unknown", "Allow it.")


def test_a_server_that_uses_up_the_time_limit_is_critical() -> None:
    check = no_answer(Options(Endpoint("x", 1), timeout=10), Thresholds(CHECKS))
    assert (check.status, check.summary) == (
        "critical",
        "x:1 gave no complete answer within 10 s",
    )


#: The figures that INFO may lack, because older versions do not report them.
OPTIONAL = {
    "server_time_usec",
    "redis_version",
    "db0",
    "blocked_clients",
    "client_query_buffer_limit_disconnections",
    "client_output_buffer_limit_disconnections",
    "rdb_saves",
    "allocator_frag_ratio",
    "rdb_bgsave_in_progress",
}
#: The checks that need each of the others.
NEEDED_BY = {
    "used_memory": {"memory"},
    "used_memory_rss": {"memory", "fragmentation"},
    "total_system_memory": {"memory"},
    "maxmemory": {"memory", "eviction_policy", "writable"},
    "maxmemory_policy": {"memory", "eviction_policy", "writable"},
    "mem_fragmentation_ratio": {"fragmentation"},
    "connected_clients": {"clients"},
    "maxclients": {"clients"},
    "aof_enabled": {"persistence", "writable"},
    "aof_last_write_status": {"persistence", "writable"},
    "aof_last_bgrewrite_status": {"persistence"},
    "rdb_last_bgsave_status": {"persistence", "writable"},
    "rdb_last_save_time": {"persistence"},
    "rdb_changes_since_last_save": {"persistence"},
    "role": {"replication", "writable"},
    "connected_slaves": {"replication"},
}
#: With the append-only file on, its figures are needed too.
APPENDING = {**INFO, "aof_enabled": 1}


def test_every_figure_is_needed_or_optional() -> None:
    assert set(INFO) == OPTIONAL | set(NEEDED_BY)
    assert not OPTIONAL & set(NEEDED_BY)


@pytest.mark.parametrize("figure", NEEDED_BY)
def test_a_missing_figure_is_unknown_and_spoils_nothing_else(figure: str) -> None:
    info = {name: value for name, value in APPENDING.items() if name != figure}
    checks = verdicts(replace(HEALTHY, info=info))
    assert set(checks) == ALL
    unknown = [check for check in checks.values() if check.status == "unknown"]
    assert {check.name for check in unknown} == {f"redis.{name}" for name in NEEDED_BY[figure]}
    for check in unknown:
        assert check.summary == f"INFO does not contain {figure}"
        assert check.remedy


@pytest.mark.parametrize("figure", sorted(OPTIONAL))
def test_an_optional_figure_is_not_needed(figure: str) -> None:
    info = {name: value for name, value in APPENDING.items() if name != figure}
    assert "unknown" not in {
        check.status for check in verdicts(replace(HEALTHY, info=info)).values()
    }
