"""When pm2_process restarts nothing because of earlier results."""

from __future__ import annotations

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
