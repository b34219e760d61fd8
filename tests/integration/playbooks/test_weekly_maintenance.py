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

from ansible_collections.gpt_agent.runbook.plugins.module_utils.core.catalog import CATALOG
from benchmarks.traffic import watched
from demo.services import fetch
from demo.stack import Stack
from tests.conftest import ROOT
from tests.support.checklist import THRESHOLDS, quiet
from tests.support.npm_registry import registry
from tests.support.playbook_server import PROGRAM, run_playbook_command
from tests.support.playbooks import Run, arguments_of, environment_of, run_playbook

NAME = "weekly_maintenance"
#: A busy machine answers late, which would stop the maintenance.
TIMES = {
    name: {"warning": None, "critical": None}
    for name, definition in CATALOG.items()
    if definition.unit == "seconds" and definition.source and not name.startswith("backup.")
}
#: What the playbook sets for the modules that are run in short.
DEFAULTS = {
    "group/gpt_agent.runbook.stateful": {"state_dir": "{{ runbook_state_dir }}"},
    "group/gpt_agent.runbook.postgres": {"database_url": "{{ postgres_url }}"},
    "group/gpt_agent.runbook.redis": {"redis_url": "{{ redis_url }}"},
}


@contextmanager
def given() -> Iterator[dict[str, Any]]:
    """Variables for a run on a busy machine, with a registry on loopback."""
    with registry() as served:
        served.packages = {"pg": {"8.23.1": {}}, "ioredis": {"6.0.0": {}, "7.0.0": {}}}
        yield {
            "app_dependencies_registry": served.url,
            "runbook_thresholds": {**THRESHOLDS, **TIMES},
            "runbook_owner": "dora",
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
        declined = in_short(stack, tmp_path, variables, "maintenance/begin")
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
    assert done.check("maintenance.health")["value"] is not None, "it was compared"
    assert stream.requests
    assert stream.failed == 0


def in_short(
    stack: Stack, folder: Path, variables: dict[str, Any], *tasks: str, code: int = 2
) -> str:
    """Run these entry points of roles, and the report; returns what is printed.

    The playbook without most of its health checks, which take most of its time.
    """
    roles = [*(entry.split("/") for entry in tasks), ["report", "main"]]
    play = {
        "hosts": "all",
        "gather_facts": False,
        "ignore_errors": True,
        "module_defaults": DEFAULTS,
        "tasks": [
            {
                "ansible.builtin.import_role": {
                    "name": f"gpt_agent.runbook.{role}",
                    "tasks_from": entry_point,
                }
            }
            for role, entry_point in roles
        ],
    }
    path = folder / "in_short.yml"
    path.write_text(json.dumps([play]))
    arguments = arguments_of(NAME, {**variables, "runbook_report_dir": str(folder / "reports")})
    arguments[arguments.index(f"playbooks/{NAME}.yml")] = str(path)
    done = run_playbook_command(arguments, cwd=ROOT, env=environment_of(stack), timeout=180)
    assert done.returncode == code, done.stdout + done.stderr
    return " ".join(done.stdout.partition("PLAY RECAP")[2].split())


def start(stack: Stack, reports: Path, variables: dict[str, Any]) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [PROGRAM, *arguments_of(NAME, {**variables, "runbook_report_dir": str(reports)})],
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
    stack.up()
    stack.stop("redis")
    try:
        with given() as variables:
            table = in_short(
                stack,
                tmp_path,
                variables,
                *("redis/health", "maintenance/begin", "maintenance/parts", "maintenance/finish"),
            )
    finally:
        stack.start("redis")
    assert "critical maintenance.part database · demo Not begun: redis.reachable on demo: " in table
    assert "npm packages 5" in table
    assert "postgres" not in table.partition("Not begun")[0]


def test_a_part_that_fails_does_not_stop_the_next_one(stack: Stack, tmp_path: Path) -> None:
    stack.up()
    with given() as variables:
        table = in_short(
            stack,
            tmp_path,
            {**variables, "postgres_url": "postgresql://x:y@127.0.0.1:1/x"},
            *("maintenance/begin", "maintenance/parts", "maintenance/finish"),
        )
    assert "critical maintenance.part database · demo Failed in " in table
    assert "playbooks/database_maintenance.yml" in table
    assert "npm packages 5" in table


def test_a_part_that_does_not_exist_or_did_nothing_is_not_ok(stack: Stack, tmp_path: Path) -> None:
    stack.up()
    steps = ("maintenance/begin", "maintenance/parts", "maintenance/finish")
    with given() as variables:
        wrong = {**variables, "maintenance_parts": ["databaze", "logs"]}
        table = in_short(stack, tmp_path, wrong, *steps)
        assert "there is no part 'databaze'" in table
        assert "did you mean 'database'?" in table
        assert "maintenance.part" not in table, "nothing was begun"
        nowhere = {
            "maintenance_parts": ["dependencies"],
            "app_dependencies_path": str(tmp_path / "none"),
        }
        table = in_short(stack, tmp_path, {**variables, **nowhere}, *steps, code=0)
    assert "unknown maintenance.part dependencies · demo Not done in full after " in table
    assert "has no readable package.json" in table
