"""The playbooks before and after a deployment, and the one for a deployment that failed."""

from __future__ import annotations

import json
import os
import pwd
import shutil
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from demo import records
from demo.stack import Stack
from tests.support.playbooks import Playbook, Run, run_playbook

ANSWERS = {
    **{f"answer_{name}": "yes" for name in ("tests", "staging", "migrations", "notified")},
    "answer_low_traffic": "",
    "answers": {"code_review": "pull request 812, Bob", "rollback_plan": "back to v1.1.0"},
    "deployment_hours": ["00:00-24:00"],
}
GATED = {"deploy_version": "v1.2.0", "require_gate": True}


@pytest.fixture
def history(stack: Stack) -> Iterator[Path]:
    """v1.1.0 is live after v1.0.0; nothing else is recorded, before and afterwards."""
    root = Path(stack.settings["app"]["current"]).parent

    def renew() -> None:
        shutil.rmtree(root / records.FOLDER, ignore_errors=True)
        records.ensure_records(root, Path(stack.settings["app"]["releases"]))
        stack.identity.own(root / records.FOLDER)

    renew()
    yield root / records.FOLDER
    renew()


@pytest.fixture
def playbook(stack: Stack, tmp_path: Path, history: Path) -> Playbook:
    return partial(run_playbook, stack, tmp_path)


def status(run: Run, name: str, subject: str | None = None) -> str:
    return str(check(run, name, subject)["status"])


def check(run: Run, name: str, subject: str | None = None) -> dict[str, Any]:
    found = [
        one
        for one in run.report["checks"]
        if one["name"] == f"release.{name}" and subject in (None, one["subject"])
    ]
    return dict(found[0])


def actions(run: Run) -> dict[str, str]:
    return {action["name"]: action["status"] for action in run.report["actions"]}


def test_a_deployment_that_needs_a_go(playbook: Playbook, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("USER", raising=False)  # as in cron and in containers
    refused = playbook("deploy", "--check", **GATED)
    assert (refused.code, status(refused, "gate")) == (2, "critical")
    assert actions(refused) == {"release.switch": "skipped"}
    before = playbook("pre_deploy", deploy_version="v1.2.0", **ANSWERS)
    assert status(before, "gate") == "ok", before.output
    account = pwd.getpwuid(os.getuid()).pw_name
    assert check(before, "answer", "tests")["evidence"][0]["by"] == account
    assert status(before, "hours") == "ok"
    assert not check(before, "schema")["not_judged"], "the files of the version were fetched"
    assert actions(before)["release.switch"] == "planned"
    areas = {one["name"].partition(".")[0] for one in before.report["checks"]}
    assert areas >= {"host", "app", "web", "postgres", "backup", "redis", "release"}
    allowed = playbook("deploy", "--check", **GATED, deployment_hours=["00:00-24:00"])
    assert status(allowed, "gate") == "ok", allowed.output
    assert actions(allowed)["release.switch"] == "planned"


def test_a_deployment_that_fails_while_it_is_watched(
    stack: Stack, playbook: Playbook, history: Path
) -> None:
    file = history / "history.jsonl"
    older, last = file.read_text().splitlines()
    file.write_text(f"{older}\n{json.dumps({**json.loads(last), 'at': time.time()})}\n")
    with stack.fault(paths=["/api/health/redis"], status=500):
        run = playbook(
            "post_deploy",
            post_deploy_rollback=True,
            answer_acceptance="no",
            runbook_owner="dora",
            deployment_watch_for=600,
            deployment_watch_interval=0.2,
        )
    assert run.code == 2
    assert "/api/health/redis status 500" in check(run, "watch")["summary"]
    assert status(run, "answer", "acceptance") == "critical"
    planned = {(action["name"], action["status"]) for action in run.report["actions"]}
    assert ("release.switch", "planned") in planned, "without runbook_confirm it is a plan"
    assert ("release.switch", "skipped") in planned, "it is not recorded as good"


def test_a_diagnosis_of_an_app_that_is_well(playbook: Playbook) -> None:
    run = playbook("deployment_diagnosis")
    statuses = {one["name"]: one["status"] for one in run.report["checks"]}
    own = {name: found for name, found in statuses.items() if name.startswith("release.")}
    assert set(own.values()) == {"ok"}, own
    assert own.keys() >= {"release.build_log", "release.lockfile", "release.registry"}
    assert actions(run) == {"release.rebuild_aside": "planned"}
    assert any(name.startswith("app.") for name in statuses)
