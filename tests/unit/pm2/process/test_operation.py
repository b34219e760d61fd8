"""The result of a run of pm2_process: its problem, and whether its result is proven."""

from __future__ import annotations

import fcntl
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.gpt_agent.runbook.plugins.module_utils.core.check import Action
from ansible_collections.gpt_agent.runbook.plugins.module_utils.pm2.assess import missing_app
from ansible_collections.gpt_agent.runbook.plugins.module_utils.pm2.instance import App, Instance
from ansible_collections.gpt_agent.runbook.plugins.module_utils.pm2.process import operation
from ansible_collections.gpt_agent.runbook.plugins.module_utils.pm2.process.collect import (
    NotStarted,
)
from ansible_collections.gpt_agent.runbook.plugins.module_utils.pm2.process.options import Options
from ansible_collections.gpt_agent.runbook.plugins.module_utils.pm2.process.plan import Plan
from ansible_collections.gpt_agent.runbook.plugins.module_utils.pm2.snapshot import Snapshot
from tests.support.pm2_snapshots import NOW, THRESHOLDS, instance

HEALTHY = (instance(0), instance(1))
CRASHED_AGAIN = (instance(0), instance(1, age=2, since=90, restarts=1))
DOWN = (instance(0, "errored"), instance(1))


def is_locked(folder: str) -> bool:
    """Whether another run could not restart an app of the PM2 in this folder."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return True
    finally:
        os.close(descriptor)
    return False


class Fakes:
    """Stands in for PM2: what is seen before and after, and how each restart ends."""

    def __init__(self, *statuses: str, after: tuple[Instance, ...] | None = HEALTHY) -> None:
        self._statuses = statuses
        self.locked: list[bool] = []
        """Whether PM2's folder was locked, each time that the app was looked at."""
        self._seen: list[tuple[Instance, ...] | None] = [HEALTHY, after]

    def collect_app(self, options: Options, thresholds: Any) -> tuple[App, Snapshot]:
        self.locked.append(is_locked(options.home))
        rows = self._seen.pop(0)
        if rows is None:
            raise NotStarted(missing_app(options.name, Snapshot(NOW, (), "1:2"), thresholds))
        return App(options.name, "default", rows), Snapshot(NOW, rows, "1:2")

    def apply(self, options: Options, plan: Plan, report: Any) -> list[Action]:
        assert len(plan.steps) == len(self._statuses)
        return [
            replace(step.action, status=status, reason=f"it is {status}")
            for step, status in zip(plan.steps, self._statuses)
        ]


@pytest.mark.parametrize(
    ("fakes", "proven", "problem"),
    [
        (Fakes("done", "done"), True, ""),
        (Fakes("done", "done", after=CRASHED_AGAIN), False, ""),
        (Fakes("done", "done", after=DOWN), False, ""),
        (Fakes("done", "done", after=None), False, "gpt-agent is not in PM2's list"),
        (
            Fakes("failed", "skipped", after=DOWN),
            False,
            "0 of 2 instances restarted, 1 left unchanged. gpt-agent id 0: it is failed. Read",
        ),
        (
            Fakes("done", "skipped"),
            False,
            "1 of 2 instances restarted, 1 left unchanged. The run has taken too long",
        ),
    ],
)
def test_a_run_is_proven_if_all_came_back_and_the_app_is_ok(
    fakes: Fakes, proven: bool, problem: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(operation, "collect_app", fakes.collect_app)
    monkeypatch.setattr(operation, "apply", fakes.apply)
    outcome = operation.run(Options(str(tmp_path), "gpt-agent"), THRESHOLDS, lambda progress: None)
    assert outcome.results == {"proven": proven}
    assert outcome.problem.startswith(problem)
    assert bool(outcome.problem) == bool(problem)


def test_no_other_run_restarts_the_app_before_the_result_is_known(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fakes = Fakes("done", "done")
    monkeypatch.setattr(operation, "collect_app", fakes.collect_app)
    monkeypatch.setattr(operation, "apply", fakes.apply)
    operation.run(Options(str(tmp_path), "gpt-agent"), THRESHOLDS, lambda progress: None)
    assert fakes.locked == [True, True]
    assert not is_locked(str(tmp_path))


def test_instances_that_pm2_does_not_have_are_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All that PM2 has are online, but pm2_health would expect more."""
    fakes = Fakes("done", "done")
    monkeypatch.setattr(operation, "collect_app", fakes.collect_app)
    monkeypatch.setattr(operation, "apply", fakes.apply)
    options = Options(str(tmp_path), "gpt-agent", instances=4)
    outcome = operation.run(options, THRESHOLDS, lambda progress: None)
    (check,) = outcome.checks
    assert (check.status, outcome.results) == ("critical", {"proven": False})
    assert "2 of 4 instances of gpt-agent online" in check.summary


def test_check_mode_proves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(operation, "collect_app", Fakes().collect_app)
    outcome = operation.preview(Options(str(tmp_path), "gpt-agent"), THRESHOLDS)
    assert outcome.results == {"proven": False}
    assert [action.status for action in outcome.actions] == ["planned", "planned"]
    assert (outcome.checks[0].status, outcome.problem) == ("ok", "")
