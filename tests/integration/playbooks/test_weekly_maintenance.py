"""The weekly maintenance: alone, killed and gone on with, while the app is used."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from benchmarks.traffic import watched
from demo.services import fetch
from demo.stack import Stack
from tests.conftest import ROOT
from tests.support.checklist import THRESHOLDS, quiet
from tests.support.npm_registry import registry
from tests.support.playbooks import Run, command_of, environment_of, run_playbook

NAME = "weekly_maintenance"


@contextmanager
def given() -> Iterator[dict[str, Any]]:
    """Variables for a run on a busy machine, with a registry on loopback."""
    with registry() as served:
        served.packages = {"pg": {"8.23.1": {}}, "ioredis": {"6.0.0": {}, "7.0.0": {}}}
        yield {
            "app_dependencies_registry": served.url,
            "runbook_thresholds": THRESHOLDS,
            "runbook_owner": "dora",
            "maintenance_parts": ["dependencies", "database"],
        }


def health_url(stack: Stack) -> str:
    return f"http://{stack.settings['app']['host']}:{stack.settings['app']['port']}/api/health"


def part_that_runs(stack: Stack) -> str:
    for path in (stack.directory / "state").glob("maintenance-*.json"):
        results = json.loads(path.read_text())["run"]["results"]
        return next((part for part, each in results.items() if each["status"] == "running"), "")
    return ""


def statuses(run: Run) -> dict[str, str]:
    return {
        check["subject"]: check["status"]
        for check in run.report["checks"]
        if check["name"] == "maintenance.part"
    }


def test_alone_killed_and_gone_on_with_under_requests(stack: Stack, tmp_path: Path) -> None:
    quiet(stack)
    url = health_url(stack)
    with given() as variables:
        first = start(stack, tmp_path / "killed", variables)
        wait_for(first, stack, "database")
        os.killpg(first.pid, signal.SIGSTOP)
        declined = begin_another(stack, tmp_path, variables)
        os.killpg(first.pid, signal.SIGKILL)
        first.communicate()
        assert fetch(url)[0] == 200
        runs: list[Run] = []
        stream = watched(url, lambda: runs.append(run_playbook(stack, tmp_path, NAME, **variables)))
    assert f"of 'dora' from {socket.gethostname()} (process {first.pid})" in declined
    assert "now at 'database'" in declined
    (done,) = runs
    assert done.code == 0, done.output
    check = done.check("maintenance.run")
    assert "was killed during 'database'" in check["summary"]
    assert check["summary"].endswith("does not repeat: dependencies")
    assert set(statuses(done).values()) == {"ok"}
    assert {"dependencies", "database"} <= set(statuses(done))
    assert done.check("maintenance.health")["status"] == "ok"
    assert stream.requests
    assert stream.failed == 0


def begin_another(stack: Stack, folder: Path, variables: dict[str, Any]) -> str:
    """Begin a second run, without the health checks before; returns what it prints."""
    defaults = {"group/gpt_agent.runbook.stateful": {"state_dir": str(stack.directory / "state")}}
    role = {"name": "gpt_agent.runbook.maintenance", "tasks_from": "begin"}
    play = {
        "hosts": "all",
        "gather_facts": False,
        "module_defaults": defaults,
        "tasks": [{"ansible.builtin.import_role": role}],
    }
    path = folder / "begin.yml"
    path.write_text(json.dumps([play]))
    command = [*command_of(NAME, variables)]
    command[command.index(f"playbooks/{NAME}.yml")] = str(path)
    done = subprocess.run(
        command, cwd=ROOT, env=environment_of(stack), capture_output=True, text=True, check=False
    )
    assert done.returncode == 2, done.stdout
    return " ".join(done.stdout.split())


def start(stack: Stack, reports: Path, variables: dict[str, Any]) -> subprocess.Popen[str]:
    return subprocess.Popen(
        command_of(NAME, {**variables, "runbook_report_dir": str(reports)}),
        cwd=ROOT,
        env=environment_of(stack),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )


def wait_for(run: subprocess.Popen[str], stack: Stack, part: str) -> None:
    give_up = time.monotonic() + 120
    while part_that_runs(stack) != part:
        assert run.poll() is None, run.communicate()[0]
        assert time.monotonic() < give_up
        time.sleep(0.02)


def test_nothing_is_changed_on_a_platform_that_is_ill(stack: Stack, tmp_path: Path) -> None:
    """The report on packages changes nothing, and is made all the same."""
    quiet(stack)
    stack.stop("redis")
    try:
        with given() as variables:
            run = run_playbook(stack, tmp_path, NAME, **variables)
    finally:
        stack.start("redis")
    assert run.code == 2
    found = statuses(run)
    assert found.pop("dependencies") == "ok"
    assert set(found.values()) == {"critical"}
    assert "redis.reachable" in run.check("maintenance.part", "database")["summary"]
    assert [action for action in run.report["actions"] if action["status"] == "done"] == []
