"""Starts playbooks on the tests' demo stack as operators do, and reads their reports."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from demo.stack import Stack
from tests.conftest import ROOT
from tests.support import report_samples as samples
from tests.support.playbook_server import run_playbook_command


@dataclass
class Run:
    code: int
    output: str
    report: dict[str, Any]

    @property
    def table(self) -> str:
        return " ".join(self.output.partition("PLAY RECAP")[2].split())

    def check(self, name: str) -> dict[str, Any]:
        (found,) = [
            check
            for check in self.report["checks"]
            if (check["name"], check["subject"]) == (name, "")
        ]
        return dict(found)


#: A playbook: takes arguments for the command line, and variables.
Playbook = Callable[..., Run]


def run_playbook(stack: Stack, folder: Path, name: str, *arguments: str, **variables: Any) -> Run:
    """Run it to its end; no password of PostgreSQL may be in its output or its report."""
    reports = folder / f"reports-{time.monotonic_ns()}"
    environment = {
        **os.environ,
        "RUNBOOK_DEMO_DIR": str(stack.directory),
        "ANSIBLE_NOCOLOR": "1",
        "COLUMNS": "160",
    }
    given = ["-i", str(ROOT / "inventories" / "demo"), f"playbooks/{name}.yml"]
    given += ["-e", json.dumps({**variables, "runbook_report_dir": str(reports)}), *arguments]
    done = run_playbook_command(given, cwd=ROOT, env=environment, timeout=180)
    report = json.loads((reports / name / "latest.json").read_text())
    assert samples.problems(report) == []
    everything = (
        done.stdout
        + done.stderr
        + "".join(file.read_text() for file in reports.rglob("*.*") if file.is_file())
    )
    for secret in (
        stack.settings["postgres"]["password"],
        stack.settings["postgres"]["admin_password"],
    ):
        assert secret not in everything
    assert "[WARNING]" not in done.stderr, done.stderr
    return Run(done.returncode, done.stdout + done.stderr, report)
