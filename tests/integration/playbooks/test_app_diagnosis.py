"""The playbook for a busy or growing app: evidence first, then what is confirmed."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.gpt_agent.runbook.plugins.module_utils.core.deadline import Deadline
from ansible_collections.gpt_agent.runbook.plugins.module_utils.pm2.client import Client
from demo.stack import Stack
from tests.support.playbooks import Playbook, run_playbook

CHANGE = {"runbook_restart_app": "gpt-agent"}
CONFIRMED = {**CHANGE, "runbook_confirm": "gpt-agent"}


@pytest.fixture
def playbook(stack: Stack, tmp_path: Path) -> Playbook:
    soon = {"app_restart_stable_for": 1, "app_diagnosis_window": 3}
    return partial(run_playbook, stack, tmp_path, "app_diagnosis", **soon)


def actions(report: dict[str, Any]) -> list[tuple[str, str]]:
    return [(action["name"], action["status"]) for action in report["actions"]]


def names(report: dict[str, Any]) -> set[str]:
    return {check["name"] for check in report["checks"]}


def limits(stack: Stack) -> set[int]:
    with Client(stack.settings["pm2"]["home"], Deadline(10)) as client:
        return {row["pm2_env"]["max_memory_restart"] for row in client.rows()}


@pytest.fixture
def as_before(stack: Stack) -> Iterator[None]:
    yield
    stack.stop("app")
    stack.start("app")
    assert limits(stack) == {300 << 20}


def test_the_plan_then_limit_and_restart_after_the_evidence(
    stack: Stack, playbook: Playbook, as_before: None
) -> None:
    before = stack.status()["app"]["pids"]
    plan = playbook(**CHANGE, app_limit_memory="310M")
    assert ("app.restart", "planned") in actions(plan.report)
    assert ("app.reload", "planned") in actions(plan.report)
    assert {status for _name, status in actions(plan.report)} == {"planned"}
    assert {"app.event_loop", "app.database", "app.process"} <= names(plan.report)
    assert {"postgres.slow_statements", "postgres.connections"} <= names(plan.report)
    assert stack.status()["app"]["pids"] == before
    done = playbook(**CONFIRMED, app_limit_memory="310M")
    assert actions(done.report) == [
        ("app.trial", "done"),
        *[("app.reload", "done")] * 2,
        *[("app.restart", "done")] * 2,
    ]
    assert limits(stack) == {310 << 20}
    assert "app.memory_growth" in names(done.report)
    assert stack.status()["app"]["pids"] != before


def test_without_evidence_nothing_is_restarted(stack: Stack, playbook: Playbook) -> None:
    before = stack.status()["app"]["pids"]
    run = playbook(**CONFIRMED, app_name="none", app_limit_name="none")
    assert actions(run.report)[-1] == ("app.restart", "skipped")
    assert "app_diagnosis was not collected" in run.report["actions"][-1]["reason"]
    assert stack.status()["app"]["pids"] == before
