"""The role rollback in a play of two hosts, as operators run it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.plays import REPORT, Playbook, playbooks_in
from tests.support.vercel import TOKEN, VALUE, Vercel
from tests.support.vercel_answers import NAME, SLUG


@pytest.fixture
def playbook(tmp_path: Path) -> Playbook:
    return playbooks_in(tmp_path)


def test_one_rollback_for_all_hosts(vercel: Vercel, playbook: Playbook, tmp_path: Path) -> None:
    options = {
        "project": NAME,
        "team": SLUG,
        "api_url": vercel.address,
        "bake": 0,
        "health_urls": [vercel.health_url()],
        "record_dir": str(tmp_path / "record"),
    }
    role = {"role": "gpt_agent.runbook.rollback", "rollback_backend": "vercel"}
    play = {
        "hosts": "all",
        "gather_facts": False,
        "serial": 1,
        "module_defaults": {"gpt_agent.runbook.vercel_deployment": options},
        "roles": [{**role, "rollback_confirm": NAME}],
    }
    hosts = {"app1": {}, "app2": {}}
    run = playbook([play, REPORT], hosts, "-vvvv", env={"VERCEL_TOKEN": TOKEN})
    assert (run.code, vercel.live, len(vercel.posts())) == (0, "dpl_2second", 1), run.output
    assert [(each["host"], each["status"]) for each in run.report["actions"]] == [
        ("app1", "done"),
        ("app2", "skipped"),
    ]
    everything = run.output + "".join(file.read_text() for file in run.folder.glob("*.*"))
    assert TOKEN not in everything
    assert VALUE not in everything


def test_nothing_is_promoted_without_a_go(
    vercel: Vercel, playbook: Playbook, tmp_path: Path
) -> None:
    options = {
        "project": NAME,
        "team": SLUG,
        "api_url": vercel.address,
        "record_dir": str(tmp_path / "record"),
    }
    role = {
        "name": "gpt_agent.runbook.app",
        "tasks_from": "deploy",
        "rolespec_validate": False,
    }
    variables = {
        "app_deploy_backend": "vercel",
        "app_deploy_version": "dpl_2second",
        "app_deploy_requires": ["deployment_gate.go"],
    }
    play = {
        "hosts": "all",
        "gather_facts": False,
        "module_defaults": {"gpt_agent.runbook.vercel_deployment": options},
        "tasks": [{"ansible.builtin.import_role": role, "vars": variables}],
    }
    before = vercel.live
    run = playbook([play, REPORT], {"app1": {}}, env={"VERCEL_TOKEN": TOKEN})
    (action,) = run.report["actions"]
    assert (action["status"], action["reason"]) == (
        "skipped",
        "there is no result of deployment_gate",
    )
    assert (vercel.live, vercel.posts()) == (before, [])
