"""Which instances are restarted, in which order, and why."""

from __future__ import annotations

import pytest

from ansible_collections.gpt_agent.runbook.plugins.module_utils.pm2.instance import App, Instance
from ansible_collections.gpt_agent.runbook.plugins.module_utils.pm2.process.plan import plan
from tests.support.pm2_snapshots import MIB, NOW, instance

UP = instance(0, age=7200, restarts=4)
UP_TOO = instance(1, memory=0)
DOWN = instance(2, "stopped")
JOB = instance(3, "stopped", autorestart=False, scheduled=True, exit_code=0)


def app(*rows: Instance) -> App:
    return App("gpt-agent", "default", rows)


@pytest.mark.parametrize(
    ("rows", "state", "order"),
    [
        ((UP, UP_TOO), "restarted", [0, 1]),
        ((UP, UP_TOO), "started", []),
        ((UP, UP_TOO, DOWN), "restarted", [2, 0, 1]),
        ((UP, UP_TOO, DOWN), "started", [2]),
        ((UP, JOB), "restarted", [0]),
        ((JOB,), "started", []),
        ((), "restarted", []),
    ],
)
def test_what_is_down_comes_first(rows: tuple[Instance, ...], state: str, order: list[int]) -> None:
    steps = plan(app(*rows), state, NOW).steps
    assert [step.instance.pm_id for step in steps] == order
    assert [step.action.subject for step in steps] == [f"gpt-agent id {n}" for n in order]
    assert {step.action.status for step in steps} <= {"planned"}


@pytest.mark.parametrize(
    ("row", "reason", "before"),
    [
        (UP, "online for 2 h, 50 MiB, restarted 4 times so far", "process 100"),
        (UP_TOO, "online for 3 days, never restarted", "process 101"),
        (
            instance(1, started=None, memory=8 * MIB),
            "online, 8 MiB, never restarted",
            "process 101",
        ),
        (instance(1, "stopped", exit_code=1), "it is stopped (exit code 1)", "stopped"),
    ],
)
def test_the_reason_is_the_state_of_the_instance(row: Instance, reason: str, before: str) -> None:
    actions = {action.subject: action for action in plan(app(row, DOWN), "restarted", NOW).actions}
    action = actions[f"gpt-agent id {row.pm_id}"]
    assert (action.name, action.reason, action.before) == ("app.restart", reason, before)


def test_an_outage_is_announced_unless_the_app_is_down_already() -> None:
    (action,) = plan(app(UP), "restarted", NOW).actions
    assert action.reason.endswith("; the app is down until it is back")
    (action,) = plan(app(DOWN), "restarted", NOW).actions
    assert action.reason == "it is stopped"
