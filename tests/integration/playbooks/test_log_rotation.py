"""The rotation of the demo's logs as operators start it."""

from __future__ import annotations

from pathlib import Path

from demo.stack import Stack
from tests.support.playbooks import run_playbook
from tests.support.rotation import LOGROTATE, rotated_file


def test_the_logs_of_the_demo(stack: Stack, tmp_path: Path) -> None:
    """Without logrotate it says so; what is old is archived all the same."""
    stack.up()
    home = Path(stack.settings["directory"])
    old = rotated_file(home / "logs", "gpt-agent-out.log-20261001-1790812800", b"x\n", days=40)
    run = run_playbook(stack, tmp_path, "log_rotation", logs_force=True)
    assert run.code == 0, run.output
    assert run.check("logs.released")["status"] == "ok"
    assert run.check("logs.deleted_open")["status"] == "ok"
    moved = [each for each in run.report["actions"] if each["name"] == "logs.archive"]
    assert [(each["status"], each["subject"]) for each in moved] == [("done", str(old))]
    assert len(list((home / "log-archive").rglob("*.gz"))) == 1
    if not LOGROTATE:
        check = run.check("logs.configuration")
        assert check["status"] == "warning"
        assert "logrotate is not installed" in check["summary"]
