"""Playbooks as AWX runs them: ansible-runner, the repository as project, the inventory as a script,
vars as files.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import ansible_runner
import pytest

from demo.stack import Stack
from tests.conftest import ROOT
from tests.support.postgres import CRAWL, Server, database, run_sql, slow_to_vacuum

GROUPS = ("app_servers", "web_servers", "database_servers", "redis_servers")


@dataclass
class Job:
    """What AWX keeps of a job."""

    status: str
    code: int
    events: list[dict[str, Any]]
    directory: Path

    @property
    def output(self) -> str:
        return "\n".join(event["stdout"] for event in self.events)

    @property
    def artifacts(self) -> dict[str, Any]:
        """What the job gives to the next node of a workflow."""
        [stats] = [
            event["event_data"] for event in self.events if event["event"] == "playbook_on_stats"
        ]
        data: dict[str, Any] = stats["artifact_data"]
        return data


def copy_project(target: Path) -> None:
    """The files that git would hand to AWX, changes that are not committed yet among them."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    for name in filter(None, listed.stdout.split("\0")):
        if (ROOT / name).exists():
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, target / name, follow_symlinks=False)


def inventory_script(stack: Stack, folder: Path) -> Path:
    """The inventory as AWX hands it over: a script that prints it."""
    settings = subprocess.run(
        [sys.executable, ROOT / "inventories/demo/settings.py"],
        env={**os.environ, "RUNBOOK_DEMO_DIR": str(stack.directory)},
        capture_output=True,
        text=True,
        check=True,
    )
    hostvars = {
        **json.loads(settings.stdout)["all"]["vars"],
        "ansible_connection": "local",
        "ansible_python_interpreter": sys.executable,
    }
    inventory = {
        "all": {"hosts": ["demo"]},
        **{group: {"hosts": ["demo"]} for group in GROUPS},
        "_meta": {"hostvars": {"demo": hostvars}},
    }
    script = folder / "hosts"
    script.write_text(
        f"#! /usr/bin/env python3\n# -*- coding: utf-8 -*-\nprint({json.dumps(inventory)!r})\n"
    )
    script.chmod(0o700)
    return script


def awx_environment(directory: Path) -> dict[str, str]:
    """What AWX sets. It puts its own folders before those of the project's ansible.cfg."""
    elsewhere = "/usr/share/ansible"
    collections = f"collections:~/.ansible/collections:{elsewhere}/collections"
    roles = f"~/.ansible/roles:{elsewhere}/roles:/etc/ansible/roles"
    return {
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "HOME": str(directory / "home"),
        "AWX_PRIVATE_DATA_DIR": str(directory),
        "JOB_ID": "7",
        "ANSIBLE_FORCE_COLOR": "True",
        "ANSIBLE_HOST_KEY_CHECKING": "False",
        "ANSIBLE_INVENTORY_UNPARSED_FAILED": "True",
        "ANSIBLE_RETRY_FILES_ENABLED": "False",
        "ANSIBLE_COLLECTIONS_PATH": f"{directory}/requirements_collections:{collections}",
        "ANSIBLE_ROLES_PATH": f"{directory}/requirements_roles:{roles}",
    }


@pytest.fixture
def launch(stack: Stack, tmp_path: Path) -> Callable[..., Job]:
    """Run a job template in a directory of its own: ``launch(runbook_fail_on="warning")``."""

    def run(name: str = "daily_checklist", **extra_vars: Any) -> Job:
        directory = tmp_path / f"awx_{len(list(tmp_path.iterdir()))}"
        for folder in ("project", "inventory", "env", "home"):
            (directory / folder).mkdir(parents=True)
        copy_project(directory / "project")
        variables = {"awx_job_id": 7, "awx_job_template_name": "A template", **extra_vars}
        (directory / "env" / "extravars").write_text(json.dumps(variables))
        done = ansible_runner.run(
            private_data_dir=str(directory),
            playbook=f"playbooks/{name}.yml",
            inventory=str(inventory_script(stack, directory / "inventory")),
            envvars=awx_environment(directory),
            ident="7",
            suppress_env_files=True,
            settings={"job_timeout": 300},
            quiet=True,
        )
        return Job(done.status, done.rc, list(done.events), directory)

    return run


@pytest.mark.versions
def test_a_job_is_green_and_hands_its_verdict_on(stack: Stack, launch: Callable[..., Job]) -> None:
    stack.up()
    # What the machine itself may be short of, and how slow that makes the services, is not what is
    # tested here.
    of_the_host = ("cpu", "load", "memory", "swap", "disk_used", "oom_kills")
    slow = ("web.response_time_p95", "web.page_load_time", "postgres.query_time_mean")
    slow += ("postgres.writable", "redis.reachable", "redis.slow_commands")
    names = [*(f"host.{name}" for name in of_the_host), *slow]
    job = launch(runbook_thresholds={name: {"warning": None, "critical": None} for name in names})
    assert (job.status, job.code) == ("successful", 0), job.output
    looked = {
        event["event_data"]["resolved_action"]
        for event in job.events
        if event["event"] == "runner_on_ok"
    }
    probes = ("host_health", "pm2_health", "http_check", "cert_check", "pg_health", "redis_health")
    assert looked >= {f"gpt_agent.runbook.{name}" for name in probes}
    assert not [
        event
        for event in job.events
        if event["event"] in ("runner_on_failed", "runner_on_unreachable")
    ]
    assert job.artifacts["runbook_verdict"] in ("ok", "unknown")
    assert sum(job.artifacts["runbook_counts"].values()) >= 30
    assert "Daily checklist" in job.output, "the closing table is in the job's output"
    latest = json.loads((job.directory / "project/reports/daily_checklist/latest.json").read_text())
    assert latest["verdict"] == job.artifacts["runbook_verdict"]


def test_a_fault_fails_the_job_names_itself_in_the_artifacts_and_no_event_has_a_password(
    stack: Stack, launch: Callable[..., Job]
) -> None:
    stack.up()
    stack.stop("redis")
    try:
        job = launch()
    finally:
        stack.start("redis")
    assert (job.status, job.code) == ("failed", 2), job.output
    assert job.artifacts["runbook_verdict"] == "critical"
    assert job.artifacts["runbook_counts"]["critical"] >= 1
    assert "redis.reachable" in job.output
    kept = json.dumps(job.events) + "".join(
        path.read_text(errors="replace")
        for path in (job.directory / "artifacts").rglob("*")
        if path.is_file()
    )
    for service in ("postgres", "redis"):
        assert stack.settings[service]["password"] not in kept, f"the password of {service}"


def test_work_that_takes_long_says_where_it_is(stack: Stack, launch: Callable[..., Job]) -> None:
    stack.up()
    with database(Server(stack), "awx_care") as url:
        run_sql(url, *slow_to_vacuum("t"))
        job = launch(
            "database_maintenance",
            postgres_maintenance_url=url,
            postgres_maintenance_only=["t"],
            **CRAWL,
        )
    lines = [line for line in job.output.splitlines() if "vacuum public.t for" in line]
    assert lines, job.output
    assert re.search(
        r"demo: 0 of \d done; vacuum public.t for \d+.* s: scanning heap, \d+ %", lines[0]
    )
