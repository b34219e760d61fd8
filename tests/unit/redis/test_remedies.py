"""No remedy names a command that the same report says is refused."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from ansible_collections.gpt_agent.runbook.plugins.module_utils.core.check import Check
from ansible_collections.gpt_agent.runbook.plugins.module_utils.redis.errors import CommandRefused
from ansible_collections.gpt_agent.runbook.plugins.module_utils.redis.remedies import as_offered
from tests.support.redis_samples import GIB, HEALTHY, REPLICA, verdicts, with_info

GRANT = "Grant it: 'ACL SETUSER app +config|get', or use a login that has it."
RENAMED = CommandRefused("db1:6379 does not offer CONFIG GET", "rename-command has renamed it.")
DENIED = CommandRefused("user app of db1:6379 lacks permission for CONFIG GET", GRANT)


@pytest.mark.parametrize("error", [RENAMED, DENIED])
@pytest.mark.parametrize(
    ("name", "purpose", "info", "setting"),
    [
        ("redis.eviction_policy", "cache", {"maxmemory": 0}, "set maxmemory 2gb (or what"),
        ("redis.eviction_policy", "queue", {}, "set maxmemory-policy noeviction in redis.conf"),
        (
            "redis.writable",
            "cache",
            {"used_memory": 2 * GIB + 1, "maxmemory_policy": "noeviction"},
            "A cache should evict: set maxmemory-policy allkeys-lru in redis.conf",
        ),
        (
            "redis.writable",
            "cache",
            {**REPLICA, "slave_read_only": 0},
            "Set replica-read-only yes in redis.conf and restart Redis",
        ),
        ("redis.fragmentation", "cache", {"mem_fragmentation_ratio": 4}, "set activedefrag yes in"),
    ],
)
def test_without_config_a_restart_is_named(
    error: CommandRefused, name: str, purpose: str, info: dict[str, Any], setting: str
) -> None:
    open_one = with_info(**info)
    assert "CONFIG SET" in verdicts(open_one, purpose)[name].remedy
    remedy = verdicts(replace(open_one, refused={"CONFIG GET": error}), purpose)[name].remedy
    assert "CONFIG SET" not in remedy
    assert setting in remedy
    assert remedy.endswith("A restart loses what is not saved.")


def test_another_command_that_is_refused() -> None:
    check = Check("redis.clients", "warning", "90 clients", remedy="See 'CLIENT LIST' for them.")
    assert as_offered(check, HEALTHY) is check
    refused = CommandRefused("no CLIENT LIST", "Grant it: x")
    found = as_offered(check, replace(HEALTHY, refused={"CLIENT LIST": refused})).remedy
    assert found == "See 'CLIENT LIST' for them. CLIENT LIST is refused. Grant it: x"
