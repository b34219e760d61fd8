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

    def check(self, name: str, subject: str = "") -> dict[str, Any]:
        (found,) = [
            check
            for check in self.report["checks"]
            if (check["name"], check["subject"]) == (name, subject)
        ]
        return dict(found)


#: A playbook: takes arguments for the command line, and variables.
Playbook = Callable[..., Run]


def arguments_of(name: str, variables: dict[str, Any]) -> list[str]:
    """What ansible-playbook is given for a playbook on the demo."""
    inventory = str(ROOT / "inventories" / "demo")
    return ["-i", inventory, f"playbooks/{name}.yml", "-e", json.dumps(variables)]


def environment_of(stack: Stack) -> dict[str, str]:
    return {
        **os.environ,
        "RUNBOOK_DEMO_DIR": str(stack.directory),
        "ANSIBLE_NOCOLOR": "1",
        "COLUMNS": "160",
    }


def run_playbook(stack: Stack, folder: Path, name: str, *arguments: str, **variables: Any) -> Run:
    """Run it to its end; no password of PostgreSQL may be in its output or its report."""
    reports = folder / f"reports-{time.monotonic_ns()}"
    given = [*arguments_of(name, {**variables, "runbook_report_dir": str(reports)}), *arguments]
    done = run_playbook_command(given, cwd=ROOT, env=environment_of(stack), timeout=180)
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
