"""The hosts of a play share the project, so it is switched for the first of them only."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.gpt_agent.runbook.plugins.action.vercel_deployment import ActionModule
from tests.support.actions import MODULE_RESULT, Action

ARGUMENTS = {"project": "gpt-agent", "state": "rolled_back"}


@pytest.mark.parametrize(
    "result", [{"proven": True}, {"failed": True, "msg": "x"}, {"unreachable": True}]
)
def test_a_host_after_another(result: dict[str, Any]) -> None:
    action = Action(ActionModule, ARGUMENTS, register="__rollback_vercel")
    answer = action.run({"app1": {"__rollback_vercel": result}, "app2": {}}, "app2")
    (skipped,) = answer["actions"]
    assert (skipped["name"], skipped["status"], skipped["subject"]) == (
        "vercel.switch",
        "skipped",
        "gpt-agent",
    )
    assert skipped["reason"] == "it is one project for all hosts: see app1"
    assert (action.times, answer["proven"]) == (0, False)


@pytest.mark.parametrize("other", [{}, {"__rollback_vercel": {"skipped": True}}])
def test_the_first_host(other: dict[str, Any]) -> None:
    action = Action(ActionModule, ARGUMENTS, register="__rollback_vercel")
    answer = action.run({"app1": {}, "app2": other}, "app1")
    assert (action.times, MODULE_RESULT.items() <= answer.items()) == (1, True)
