"""The playbooks for releases, on an app under Docker Compose."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.conftest import ROOT
from tests.support.compose_app import ComposeApp


def test_a_deployment_and_a_rollback(app: ComposeApp, tmp_path: Path) -> None:
    before = app.state()
    planned = play(app, tmp_path, "deploy", "--check", deploy_version="v1.1.0")
    assert actions(planned) == ["planned", "planned", "planned"]
    assert app.state() == before
    assert actions(play(app, tmp_path, "deploy", deploy_version="v1.1.0")) == ["done"] * 3
    assert app.serving() == "1.1.0"
    assert actions(play(app, tmp_path, "emergency_rollback")) == ["planned", "planned"]
    assert app.serving() == "1.1.0"
    play(app, tmp_path, "emergency_rollback", runbook_confirm="app")
    assert app.serving() == "1.0.0"


def test_a_deployment_that_needs_a_go(app: ComposeApp, tmp_path: Path) -> None:
    questions = {"review": "Code review completed", "file": "There is a compose file"}
    given = {"version": "v1.1.0", "questions": questions}
    open_one = app.gate(**given, commands={"file": "test -f compose.yaml"})
    assert not open_one["go"], open_one
    gate = app.gate(**given, answers={"review": "Bob"})
    assert (gate["go"], gate["release"][:7]) == (True, "v1.1.0-"), gate
    variables = {"require_gate": True, "deployment_questions": questions}
    done = play(app, tmp_path, "deploy", deploy_version="v1.1.0", **variables)
    assert actions(done) == ["done"] * 3
    assert app.serving() == "1.1.0"


def play(app: ComposeApp, folder: Path, name: str, *more: str, **variables: Any) -> dict[str, Any]:
    """Its report; no secret of the app is in what it prints."""
    inventory, reports = folder / "hosts.yml", folder / "reports"
    host = {"ansible_connection": "local", "ansible_python_interpreter": sys.executable}
    inventory.write_text(json.dumps({"app_servers": {"hosts": {"app": host}}}))
    given = {f"app_release_{key}": value for key, value in app.options.items() if key != "name"}
    given |= {"app_name": "app", "runbook_report_dir": str(reports), **variables}
    program = Path(sys.executable).parent / "ansible-playbook"
    words = [str(program), "-vv", "-i", str(inventory), f"playbooks/{name}.yml", *more]
    done = subprocess.run(
        [*words, "-e", json.dumps(given)],
        cwd=ROOT,
        env={**os.environ, "ANSIBLE_NOCOLOR": "1"},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert "swordfish" not in done.stdout + done.stderr
    assert done.returncode == 0, done.stdout + done.stderr
    report: dict[str, Any] = json.loads((reports / name / "latest.json").read_text())
    return report


def actions(report: dict[str, Any]) -> list[str]:
    return [one["status"] for one in report["actions"]]
