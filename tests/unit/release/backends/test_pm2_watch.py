"""What is wrong with an app's processes, and which of its error messages are new."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ansible_collections.gpt_agent.runbook.plugins.module_utils.core.check import Check
from ansible_collections.gpt_agent.runbook.plugins.module_utils.core.thresholds import Thresholds
from ansible_collections.gpt_agent.runbook.plugins.module_utils.logs.summary import (
    FORBIDDEN,
    UNTIMED,
    LogProblem,
    LogSummary,
    MessageGroup,
)
from ansible_collections.gpt_agent.runbook.plugins.module_utils.pm2.instance import (
    ONLINE,
    STOPPING,
    Instance,
)
from ansible_collections.gpt_agent.runbook.plugins.module_utils.release.backends.pm2_watch import (
    Look,
    judge_errors,
    of_app,
    process_problem,
)
from ansible_collections.gpt_agent.runbook.plugins.module_utils.release.checks import CHECKS
from ansible_collections.gpt_agent.runbook.plugins.module_utils.release.record import Release

SWITCH = 1000.0
RELEASE = Release("v2", "v2", "/app/releases/v2")
FIRST = Instance(0, "app", "default", ONLINE, pid=100, restarts=3, started=SWITCH + 1)
SECOND = replace(FIRST, pm_id=1, pid=101)
THERE = RELEASE.path


def look(*rows: Instance, folder: str = THERE) -> Look:
    return Look(rows, tuple(folder for _ in rows))


def test_processes_that_stay() -> None:
    looks = [look(FIRST, SECOND), look(FIRST, SECOND)]
    assert process_problem(looks, RELEASE, SWITCH) == ""
    assert process_problem([look(FIRST, folder=f"{THERE}/web")], RELEASE, SWITCH) == ""


@pytest.mark.parametrize(
    ("later", "problem"),
    [
        (look(replace(FIRST, pid=200, restarts=4), SECOND), "id 0 restarted 1 time while"),
        (look(replace(FIRST, pid=200), SECOND), "id 0 became process 200 while"),
        (look(FIRST), "PM2 has only 1 of 2 instances left"),
        (look(), "PM2 has no such app"),
        (look(FIRST, SECOND, folder="/app/releases/v20"), "id 0 is process 100 in /app/releases/"),
        (look(FIRST, SECOND, folder=""), "id 0 is process 100 in a folder that cannot be read"),
        (look(replace(FIRST, status="errored", pid=0), SECOND), "id 0 "),
    ],
)
def test_what_is_wrong_with_a_later_look(later: Look, problem: str) -> None:
    looks = [look(FIRST, SECOND), later]
    assert process_problem(looks, RELEASE, SWITCH).startswith(problem)


def test_a_process_from_before_the_switch() -> None:
    old = replace(FIRST, started=SWITCH - 1)
    problem = process_problem([look(old)], RELEASE, SWITCH)
    assert problem == "id 0 is still process 100, started before the switch"
    assert process_problem([look(old)], RELEASE, None) == ""


def test_a_process_that_a_reload_is_ending_is_left_out() -> None:
    ending = replace(FIRST, status=STOPPING, pid=90)
    other = replace(FIRST, name="worker")
    assert of_app([ending, FIRST, other, SECOND], "app", None) == (FIRST, SECOND)
    assert of_app([ending], "app", None) == (ending,)
    assert of_app([FIRST], "app", "blue") == ()


def errors(*groups: MessageGroup, problem: str = "") -> Check:
    problems = [LogProblem("/log", problem)] if problem else []
    summary = LogSummary(0.0, groups=list(groups), problems=problems)
    return judge_errors(summary, SWITCH + 0.5, "app", Thresholds(CHECKS))


def test_only_kinds_that_were_not_there_before_are_new() -> None:
    old = MessageGroup("cannot read <n>", 5, SWITCH - 500, SWITCH + 5)
    new = MessageGroup("cannot find the moon", 2, SWITCH + 5, SWITCH + 6)
    assert (errors(old).status, errors(old).value) == ("ok", 0)
    found = errors(old, new)
    assert (found.status, found.value) == ("warning", 2)
    assert found.summary == "2 new error messages, first of all 'cannot find the moon'"
    assert found.evidence == ({"message": "cannot find the moon", "count": 2},)


def test_a_time_that_is_cut_to_seconds_is_not_before_the_switch() -> None:
    assert errors(MessageGroup("cannot find the moon", 1, SWITCH, SWITCH)).status == "warning"


def test_logs_that_tell_nothing() -> None:
    assert errors(problem=FORBIDDEN).status == "unknown"
    assert errors(problem=UNTIMED).not_judged
