"""When pm2_process restarts nothing because of earlier results."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.gpt_agent.runbook.plugins.action.pm2_process import ActionModule
from tests.support.actions import Action

UNCONFIRMED = {"db1": {"__postgres_relief": {"confirmed": False}}, "app1": {}}
CONFIRMED = {"db1": {"__postgres_relief": {"confirmed": True}}, "app1": {}}


def restart(requires: object = ("postgres_relief.confirmed",), check_mode: bool = False) -> Action:
    arguments = {"name": "gpt-agent", "state": "restarted", "requires": requires}
    return Action(ActionModule, arguments, check_mode)


def test_a_requirement_that_is_not_met_is_a_skipped_action() -> None:
    action = restart()
    result = action.run(UNCONFIRMED)
    (skipped,) = result["actions"]
    assert (skipped["name"], skipped["subject"]) == ("app.restart", "gpt-agent")
    assert (skipped["status"], skipped["reason"]) == (
        "skipped",
        "postgres_relief was not confirmed on db1",
    )
    assert (result["changed"], result["proven"], action.times) == (False, False, 0)


def test_a_retry_asks_for_the_same_requirement() -> None:
    """With until and retries, Ansible runs one action several times."""
    action = restart()
    assert action.run(UNCONFIRMED)["proven"] is False
    assert action.run(UNCONFIRMED)["proven"] is False
    assert action.times == 0
    assert action.run(CONFIRMED)["proven"] is True
    assert action.times == 1


def test_a_requirement_may_be_a_single_text() -> None:
    assert restart("postgres_relief.confirmed").run(UNCONFIRMED)["proven"] is False
    assert restart("postgres_relief.confirmed").run(CONFIRMED)["proven"] is True


def test_a_malformed_requirement_fails_the_task() -> None:
    result = restart(["confirmed"]).run(CONFIRMED)
    assert result == {"failed": True, "msg": "requires: 'confirmed' is not of the form STEP.KEY"}


def test_a_relief_without_a_confirmation_lets_a_restart_be_planned_but_not_carried_out() -> None:
    hosts = {"db1": {"__postgres_relief": {"confirmed": None}}, "app1": {}}
    plan, real = restart(check_mode=True), restart()
    assert "actions" not in plan.run(hosts)
    assert plan.times == 1
    assert real.run(hosts)["actions"][0]["reason"] == "postgres_relief was not confirmed on db1"
    assert real.times == 0


# --- earlier hosts --------------------------------------------------------------------------------

PROVEN = {"proven": True, "actions": [{"status": "done"}]}
NOT_OK = {"proven": False, "actions": [{"status": "done"}]}
LEFT_ALONE = {"proven": False, "actions": [{"status": "skipped"}]}
FAILED = {"failed": True, "proven": False, "actions": [{"status": "failed"}]}
LOST = {"unreachable": True}
IN_BACKGROUND = {"ansible_job_id": "1", "started": 1, "finished": 0}


def reason_after(result: Any, check_mode: bool) -> str:
    """Why a restart on app2 does nothing after this result on app1; empty if it is done."""
    earlier = {} if result is None else {"__restart": result}
    action = Action(ActionModule, {"name": "gpt-agent"}, check_mode, "__restart")
    answer = action.run({"app1": earlier, "app2": {"__restart": FAILED}}, "app2")
    return str(answer["actions"][0]["reason"]) if "actions" in answer else ""


@pytest.mark.parametrize(
    ("result", "really", "in_check_mode"),
    [
        (PROVEN, "", ""),
        (None, "", ""),
        ({"skipped": True}, "", ""),
        (NOT_OK, "app.process is not ok after the restart on app1", ""),
        (LEFT_ALONE, "the restart was skipped on app1", ""),
        (IN_BACKGROUND, "the result of the restart is unknown on app1", ""),
        (FAILED, "the restart failed on app1", "the restart failed on app1"),
        (LOST, "app1 could not be reached", "app1 could not be reached"),
        ({"results": [PROVEN, {"skipped": True}]}, "", ""),
        (
            {"results": [LEFT_ALONE, FAILED], "failed": True},
            "the restart failed on app1",
            "the restart failed on app1",
        ),
    ],
)
def test_after_an_earlier_host(result: Any, really: str, in_check_mode: str) -> None:
    assert reason_after(result, check_mode=False) == really
    assert reason_after(result, check_mode=True) == in_check_mode


def test_the_most_important_reason_is_given_with_its_hosts() -> None:
    action = Action(ActionModule, {"name": "gpt-agent"}, register="__restart")
    results = {"app1": FAILED, "app2": FAILED, "app3": LEFT_ALONE, "app4": LOST}
    hosts = {host: {"__restart": result} for host, result in results.items()}
    answer = action.run({**hosts, "app5": {}}, "app5")
    assert answer["actions"][0]["reason"] == "the restart failed on app1, app2"
