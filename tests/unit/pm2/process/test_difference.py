"""The least that must be done for an app to be as described."""

from __future__ import annotations

from typing import Any

from ansible_collections.gpt_agent.runbook.plugins.module_utils.pm2.instance import App, Instance
from ansible_collections.gpt_agent.runbook.plugins.module_utils.pm2.process.difference import (
    compare,
)
from ansible_collections.gpt_agent.runbook.plugins.module_utils.pm2.process.settings import (
    Settings,
)
from tests.support.pm2_snapshots import instance

CLUSTER = Settings({"exec_mode": "cluster_mode", "pm_cwd": "/a"}, {})
FORK = Settings({"exec_mode": "fork_mode", "pm_cwd": "/a"}, {})


def plan(
    *rows: Instance, now: Settings = CLUSTER, wanted: Settings = CLUSTER, **options: Any
) -> list[str]:
    app = App("web", "default", rows)
    given = {"instances": None, "everything": False, **options}
    difference = compare(app, [(row, now, wanted) for row in rows], **given)
    return [action.name.partition(".")[2] for action in difference.actions]


def test_nothing_differs() -> None:
    assert plan(instance(0), instance(1)) == []
    assert plan(instance(0), instance(1), instances=2) == []


def test_a_setting_is_reloaded_and_tried_out_in_a_cluster() -> None:
    warmer = CLUSTER.with_env({"A": "1"})
    assert plan(instance(0), instance(1), wanted=warmer) == ["trial", "reload", "reload"]
    assert plan(instance(0), now=FORK, wanted=FORK.with_env({"A": "1"})) == ["reload"]


def test_another_mode_is_created_again() -> None:
    assert plan(instance(0), instance(1), wanted=FORK) == ["recreate"]


def test_a_number_is_scaled() -> None:
    assert plan(instance(0), instances=3) == ["scale"]
    assert plan(instance(0), instance(1), instances=1) == ["scale"]
    assert plan(instance(0), instances=2, wanted=CLUSTER.with_fields(x=1)) == [
        *("trial", "reload", "scale")
    ]


def test_what_is_down_is_started() -> None:
    assert plan(instance(0), instance(1, "errored")) == ["trial", "reload"]
    assert plan(instance(0, "stopped")) == ["reload"], "with none that serves, nothing is tried"


def test_everything_is_reloaded_on_request() -> None:
    assert plan(instance(0), everything=True) == ["trial", "reload"]
