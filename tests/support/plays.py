"""Runs small playbooks on made-up hosts, and reads the reports they leave."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from tests.conftest import ROOT
from tests.support import report_samples as samples
from tests.support.playbook_server import PROGRAM, run_playbook_command

#: An action for tests that returns what its task says, and when.
ANSWER = """
import time

from ansible.plugins.action import ActionBase


class ActionModule(ActionBase):
    _requires_connection = False

    def run(self, tmp=None, task_vars=None):
        result = super().run(tmp, task_vars)
        return {**result, "finished_at": time.time(), **self._task.args["answer"]}
"""

LOST = {"ansible_connection": "ssh", "ansible_host": "127.0.0.1", "ansible_port": 1}
PING: dict[str, Any] = {"name": "Log in", "ansible.builtin.ping": {}, "register": "__host_contact"}
REPORT = {
    "hosts": "all",
    "gather_facts": False,
    "run_once": True,
    "roles": ["gpt_agent.runbook.report"],
}


def checks_of(result: dict[str, Any], *names: str) -> dict[str, Any]:
    """A result with only these checks."""
    return {"checks": [check for check in result["checks"] if check["name"] in names]}


FINE = checks_of(samples.host_health(), "host.cpu", "host.swap")
POOR = checks_of(samples.host_health(disk=84), "host.disk_used")
BLIND = checks_of(samples.postgres_health(), "postgres.query_time_mean")


def probe(name: str, *answers: dict[str, Any], **keywords: Any) -> dict[str, Any]:
    """A task that registers these checks as ``__<name>``."""
    merged: dict[str, Any] = {"checks": [check for answer in answers for check in answer["checks"]]}
    return answer(name, merged, **keywords)


def answer(name: str, result: dict[str, Any], **keywords: Any) -> dict[str, Any]:
    return {"name": name, "answer": {"answer": result}, "register": f"__{name}", **keywords}


def play(*tasks: dict[str, Any], **keywords: Any) -> dict[str, Any]:
    """A play of probes as the runbook's playbooks have it."""
    return {
        "hosts": "all",
        "gather_facts": False,
        "ignore_errors": True,
        "ignore_unreachable": True,
        "tasks": list(tasks),
        **keywords,
    }


@dataclass
class Run:
    code: int
    output: str
    folder: Path
    """Where its reports are."""

    @property
    def report(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads((self.folder / "latest.json").read_text())
        assert samples.problems(found) == []
        return found

    @property
    def table(self) -> str:
        """What the callback printed after everything else."""
        recap = self.output.partition("PLAY RECAP")[2]
        return recap[recap.index("── ") :] if "── " in recap else ""

    def checks(self) -> list[tuple[str, str, str]]:
        return [(check["host"], check["name"], check["status"]) for check in self.report["checks"]]


#: Runs plays on hosts: ``playbook([play(...), REPORT], {"app1": {}}, "--check", env={...})``.
Playbook = Callable[..., Run]


def playbooks_in(folder: Path) -> Playbook:
    """A function that runs plays in this folder."""
    (folder / "action_plugins").mkdir()
    (folder / "action_plugins" / "answer.py").write_text(ANSWER)

    def run(
        plays: list[dict[str, Any]],
        hosts: dict[str, dict[str, Any]],
        *arguments: str,
        env: dict[str, str] | None = None,
        name: str = "morning_round.yml",
    ) -> Run:
        common = {"ansible_connection": "local", "ansible_python_interpreter": sys.executable}
        inventory = {"all": {"vars": common, "hosts": hosts}}
        (folder / "hosts.yml").write_text(yaml.safe_dump(inventory))
        (folder / name).write_text(yaml.safe_dump(plays, sort_keys=False))
        given = ["-i", "hosts.yml", name, *arguments]
        done = run_playbook_command(given, cwd=folder, env=environment(env or {}), timeout=120)
        reports = folder / "reports" / Path(name).stem
        return Run(done.returncode, done.stdout + done.stderr, reports)

    return run


def command(name: str, *arguments: str) -> list[str]:
    return [PROGRAM, "-i", "hosts.yml", name, *arguments]


def environment(changes: dict[str, str]) -> dict[str, str]:
    """The environment of a run, without that of the tests; an empty value unsets a variable."""
    inherited = {
        key: value
        for key, value in os.environ.items()
        if not key.startswith(("ANSIBLE_", "COLUMNS", "NO_COLOR"))
    }
    defaults = {
        "ANSIBLE_COLLECTIONS_PATH": str(ROOT / "collections"),
        "ANSIBLE_CALLBACKS_ENABLED": "gpt_agent.runbook.summary",
        "ANSIBLE_SHOW_CUSTOM_STATS": "true",
        "ANSIBLE_NOCOLOR": "1",
        "COLUMNS": "120",
    }
    return {key: value for key, value in {**inherited, **defaults, **changes}.items() if value}
