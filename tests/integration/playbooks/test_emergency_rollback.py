"""The playbooks emergency_rollback and deploy on the demo stack, whose versions have a history."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from demo import records, repository
from demo.stack import Stack
from tests.support.demo import ask
from tests.support.playbooks import Run, run_playbook

#: The time for which the app is watched is not what is tested here.
SHORT: dict[str, Any] = {"app_release_bake": 0.5, "app_release_trial_for": 0.5}
CONFIRMED = {**SHORT, "runbook_confirm": "gpt-agent"}


@pytest.fixture
def history(stack: Stack) -> Iterator[Path]:
    """v1.1.0 is live after v1.0.0, and stays so."""
    current = Path(stack.settings["app"]["current"])
    folder = current.parent / records.FOLDER
    shutil.rmtree(folder, ignore_errors=True)
    records.ensure_records(current.parent, Path(stack.settings["app"]["releases"]))
    stack.identity.own(folder)
    yield folder
    if current.resolve().name != repository.CURRENT:
        repository.point(current, Path(stack.settings["app"]["releases"]) / repository.CURRENT)
        stack.reload("app")


def live(stack: Stack) -> str:
    return str(ask(stack, "/api/health")[1]["version"])


def done(run: Run) -> dict[str, str]:
    return {action["name"]: action["status"] for action in run.report["actions"]}


def test_back_and_forth(stack: Stack, history: Path, tmp_path: Path) -> None:
    planned = run_playbook(stack, tmp_path, "emergency_rollback", **SHORT)
    assert (planned.code, live(stack)) == (0, "1.1.0")
    assert done(planned) == {"release.trial": "planned", "release.switch": "planned"}

    back = run_playbook(stack, tmp_path, "emergency_rollback", rollback_reason="slow", **CONFIRMED)
    assert (back.code, live(stack)) == (0, "1.0.0"), back.output
    assert done(back) == {"release.trial": "done", "release.switch": "done"}
    outage = next(check for check in back.report["checks"] if check["name"] == "release.outage")
    assert (outage["status"], outage["value"]) == ("ok", 0)
    left = json.loads((history / "releases" / "v1.1.0.json").read_text())
    assert left["status"] == "bad"
    assert left["reason"].endswith(": slow")

    again = run_playbook(stack, tmp_path, "emergency_rollback", **CONFIRMED)
    assert (again.code, live(stack)) == (2, "1.0.0")
    assert "no release before v1.0.0 is known to be good" in again.table

    forward = run_playbook(stack, tmp_path, "deploy", deploy_version="v1.1.0", **SHORT)
    assert (forward.code, live(stack)) == (0, "1.1.0"), forward.output
    assert (history / "pending.json").exists() is False


def test_another_app_is_not_confirmed(stack: Stack, history: Path, tmp_path: Path) -> None:
    run = run_playbook(stack, tmp_path, "emergency_rollback", runbook_confirm="worker")
    assert run.code == 2
    assert "it is 'worker', but the app is gpt-agent" in run.table
    assert live(stack) == "1.1.0"


def test_vercel_without_a_project(stack: Stack, tmp_path: Path) -> None:
    run = run_playbook(stack, tmp_path, "emergency_rollback", rollback_backend="vercel")
    assert run.code == 2
    assert "project: is not set: set vercel_project in the inventory" in run.table
