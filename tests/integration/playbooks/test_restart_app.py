"""The playbook for an app that is down: the plan, and the restart."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from demo.services import fetch
from demo.stack import Stack
from tests.support.playbooks import Playbook, run_playbook

CONFIRMED = {"runbook_confirm": "gpt-agent"}


@pytest.fixture
def playbook(stack: Stack, tmp_path: Path) -> Playbook:
    soon = {"app_restart_stable_for": 1, "web_samples": 1}
    return partial(run_playbook, stack, tmp_path, "restart_app", **soon)


@pytest.fixture
def down(stack: Stack) -> Iterator[None]:
    """The app is stopped; it runs again afterwards, whatever the test did."""
    stack.stop("app")
    yield
    stack.start("app")


def health(stack: Stack) -> int:
    return fetch(f"http://127.0.0.1:{stack.settings['app']['port']}/api/health/db")[0]


def restarts(report: dict[str, Any]) -> list[tuple[str, str]]:
    return [(action["subject"], action["status"]) for action in report["actions"]]


def status(report: dict[str, Any], name: str) -> str:
    (found,) = {one["status"] for one in report["checks"] if one["name"] == name}
    return str(found)


@pytest.mark.usefixtures("down")
def test_an_app_that_is_down(stack: Stack, playbook: Playbook) -> None:
    plan = playbook()
    assert restarts(plan.report) == [("gpt-agent id 0", "planned"), ("gpt-agent id 1", "planned")]
    assert status(plan.report, "app.process") == "critical"
    assert (plan.code, health(stack)) == (2, 0), "the plan starts nothing"
    slip = playbook(runbook_confirm="gptagent")
    assert "confirm: it is 'gptagent', but the app is gpt-agent" in slip.output
    assert (slip.code, health(stack)) == (2, 0)
    done = playbook(**CONFIRMED)
    assert restarts(done.report) == [("gpt-agent id 0", "done"), ("gpt-agent id 1", "done")]
    assert status(done.report, "app.process") == "ok"
    assert (done.code, health(stack)) == (0, 200), done.output
