"""The slow log, of which no argument is shown."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from ansible_collections.gpt_agent.runbook.plugins.module_utils.core.errors import NotCollected
from ansible_collections.gpt_agent.runbook.plugins.module_utils.redis.slow_log import slow_commands
from tests.support.redis_samples import HEALTHY, INFO, verdicts

NOW = INFO["server_time_usec"] / 1e6


def entry(command: str, seconds: float, ago: float) -> dict[str, Any]:
    return {"command": command, "duration": int(seconds * 1e6), "start_time": int(NOW - ago)}


def test_only_the_last_hour_counts() -> None:
    slow = slow_commands([entry("KEYS cart:*", 0.5, 60), entry("SORT big", 9, 4000)])
    check = verdicts(replace(HEALTHY, slow=slow))["redis.slow_commands"]
    assert (check.status, check.value) == ("warning", 0.5)
    assert check.evidence[0]["keys"] == "cart:*"


def test_arguments_are_dropped() -> None:
    slow = slow_commands(
        [
            entry("SET sess:token value", 2, 1),
            entry("EVAL secret:script 0", 2, 1),
            entry("AUTH secret:password", 2, 1),
            entry("HSET hunter field value", 2, 1),
        ]
    )
    text = str(slow)
    assert "sess:*" in text
    assert not [word for word in ("token", "secret", "hunter", "value", "field") if word in text]


def test_refused() -> None:
    why = NotCollected("renamed", "Correct it.")
    refused = replace(HEALTHY, slow=None, refused={"SLOWLOG GET": why})
    check = verdicts(refused)["redis.slow_commands"]
    assert (check.status, check.remedy) == ("unknown", "Correct it.")


def test_an_empty_log_that_may_be_off() -> None:
    refused = replace(HEALTHY, settings={}, refused={"CONFIG GET": NotCollected("renamed")})
    check = verdicts(refused)["redis.slow_commands"]
    assert check.not_judged == "whether it is on is not known: renamed"
