"""What a recovery says of the command that would restart the service."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.gpt_agent.runbook.plugins.module_utils.core.operation import Outcome
from ansible_collections.gpt_agent.runbook.plugins.module_utils.core.recovery import (
    RESTART,
    Attempt,
    Cause,
    Finding,
    Recovery,
)
from ansible_collections.gpt_agent.runbook.plugins.module_utils.core.thresholds import Thresholds
from ansible_collections.gpt_agent.runbook.plugins.module_utils.redis.checks import CHECKS

SILENT = "Its log does not say why; read what it says from now on."
DOWN = Cause(RESTART, "Redis is down", SILENT)
RECOVERY = Recovery("redis.recovery", "redis.restart", "Redis", "x.yml", Thresholds(CHECKS, {}))


def judged(attempt: Attempt | None = None, check_mode: bool = False, **fields: Any) -> Outcome:
    found = Finding(DOWN, command=["/tmp/nothere"], **fields)
    return RECOVERY.run(lambda: found, attempt, 0, check_mode)


@pytest.mark.parametrize("check_mode", [False, True])
def test_a_command_that_cannot_be_run_is_refused_in_the_plan(check_mode: bool) -> None:
    outcome = judged(check_mode=check_mode, obstacle="/tmp/nothere does not exist")
    assert outcome.problem == "/tmp/nothere does not exist; correct restart_command"
    assert (outcome.actions, outcome.results["restart"]) == ([], False)
    (check,) = outcome.checks
    assert check.summary.endswith("a restart is the cure, but /tmp/nothere does not exist")
    assert check.remedy.startswith("Correct restart_command")


def test_after_a_command_that_failed() -> None:
    outcome = judged(Attempt(True, "docker ended with code 3", because="Redis is down"))
    (check,) = outcome.checks
    assert check.summary == "Redis is down (a restart failed)", "the same is not said twice"
    assert check.remedy.startswith("Run restart_command by hand")
    assert "does not say why" not in check.remedy


def test_after_a_restart_that_was_of_no_use() -> None:
    (check,) = judged(Attempt(because="Redis is down")).checks
    assert check.remedy == SILENT, "which names its log already"
