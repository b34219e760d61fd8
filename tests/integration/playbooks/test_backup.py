"""The playbook for backups on the demo: the plan, the backup, and what the report says."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import pytest

from demo.stack import Stack
from tests.support.backup_runs import for_the_owner_alone, names
from tests.support.playbooks import Playbook, run_playbook


@pytest.fixture
def playbook(stack: Stack, tmp_path: Path) -> Playbook:
    return partial(run_playbook, stack, tmp_path, "backup")


def test_from_the_plan_to_the_backup(playbook: Playbook, stack: Stack, tmp_path: Path) -> None:
    folder = tmp_path / "backups"
    database = stack.settings["postgres"]["database"]
    plan = playbook("--check", backup_dir=str(folder))
    assert [(each["name"], each["subject"]) for each in plan.report["actions"]] == [
        ("backup.dump", database),
        ("backup.dump", "globals"),
    ]
    assert not folder.exists()
    done = playbook(backup_dir=str(folder))
    assert done.check("backup.run")["status"] == "ok"
    assert f"✔ done backup.dump {database}" in done.table
    assert len(names(folder, database)) == len(names(folder, "")) == 1
    assert for_the_owner_alone(folder)
    assert stack.settings["postgres"]["admin_password"] not in done.output
