"""Runs the daily checklist on the tests' demo stack as operators do."""

from __future__ import annotations

import json
import os
import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from demo.stack import Stack
from tests.conftest import ROOT
from tests.support.playbook_server import run_playbook_command

AREAS = {"host", "app", "web", "postgres", "redis", "certificate", "backup"}


@dataclass
class Run:
    """What one run of the checklist left behind."""

    code: int
    output: str
    report: dict[str, Any]

    def check(self, name: str, subject: str = "") -> dict[str, Any]:
        """The worst check of that name whose subject matches the pattern."""
        found = [
            check
            for check in self.report["checks"]
            if check["name"] == name and re.search(subject, check["subject"])
        ]
        seen = [(check["name"], check["subject"]) for check in self.report["checks"]]
        assert found, f"no check {name} {subject} in {seen}"
        return max(
            found, key=lambda check: ("ok", "unknown", "warning", "critical").index(check["status"])
        )

    @property
    def bad(self) -> list[str]:
        return [
            f"{c['name']} {c['subject']}: {c['summary']}"
            for c in self.report["checks"]
            if c["status"] in ("warning", "critical")
        ]


Checklist = Callable[..., Run]

#: The machine that runs the tests may be short of anything; the faults tested here are put in.
NOT_JUDGED = (
    "host.cpu",
    "host.memory",
    "host.disk_used",
    "host.inodes_used",
    "host.load",
    "host.swap",
    "host.oom_kills",
    "host.failed_units",
)
THRESHOLDS = {
    **{name: {"warning": None, "critical": None} for name in NOT_JUDGED},
    **{
        name: {"warning": 1.2, "critical": 1.4}
        for name in ("web.response_time_p95", "web.page_load_time")
    },
}


def run_checklist(
    stack: Stack,
    folder: Path,
    *arguments: str,
    inventory: Path | None = None,
    cwd: Path = ROOT,
    env: dict[str, str] | None = None,
    playbook: str = "playbooks/daily_checklist.yml",
    fresh: bool = False,
) -> Run:
    """Run the shipped playbook on the tests' stack; its reports go below the folder.

    With ``fresh``, by the command itself and not by a process that has Ansible loaded.
    """
    reports = folder / f"reports-{time.monotonic_ns()}"
    environment = {
        **os.environ,
        "RUNBOOK_DEMO_DIR": str(stack.directory),
        "ANSIBLE_NOCOLOR": "1",
        "COLUMNS": "160",
        **(env or {}),
    }
    variables = {"runbook_thresholds": THRESHOLDS, "runbook_report_dir": str(reports)}
    given = ["-i", str(inventory or ROOT / "inventories" / "demo"), playbook]
    given += ["-e", json.dumps(variables), *arguments]
    done = run_playbook_command(given, cwd=cwd, env=environment, timeout=300, fresh=fresh)
    latest = reports / "daily_checklist" / "latest.json"
    assert latest.exists(), f"no report:\n{done.stdout}\n{done.stderr}"
    return Run(done.returncode, done.stdout + done.stderr, json.loads(latest.read_text()))


def quiet(stack: Stack) -> None:
    """A healthy stack with an empty error log: no errors of an earlier fault."""
    stack.up()
    Path(stack.settings["app"]["error_log"]).write_text("")
