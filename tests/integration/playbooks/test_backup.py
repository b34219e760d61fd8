"""The playbooks for backups on the demo: the plan, the backup, its proof on another server."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path

import pytest

from demo.stack import Stack
from tests.support.backup_runs import for_the_owner_alone, names
from tests.support.playbooks import Playbook, run_playbook
from tests.support.postgres import Server, throwaway


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


def test_a_backup_is_proven_on_another_server(
    playbook: Playbook, stack: Stack, tmp_path: Path
) -> None:
    folder = tmp_path / "backups"
    database = stack.settings["postgres"]["database"]
    playbook(backup_dir=str(folder))
    programs = Path(stack.settings["bin"]["postgres"])
    with throwaway(programs, listen_addresses="127.0.0.1,127.0.0.2") as own:
        url = Server(own).admin_url.replace("@127.0.0.1", "@127.0.0.2")
        inventory = tmp_path / "hosts.json"
        host = {"staging-db": {"postgres_backup_url": url}}
        inventory.write_text(json.dumps({"elsewhere": {"hosts": host}}))
        verify = partial(run_playbook, stack, tmp_path, "verify_backups", "-i", str(inventory))
        run = verify(backup_dir=str(folder), backup_verify_hosts="elsewhere")
        assert run.code == 0, run.output
        assert own.settings["postgres"]["admin_password"] not in run.output
    manifest = json.loads(next((folder / database).glob("*.manifest.json")).read_text())
    proof = manifest["proofs"][-1]
    assert proof["level"] == 6
    assert proof["where"].startswith("127.0.0.2:")
    verify = partial(run_playbook, stack, tmp_path, "verify_backups", postgres_backup_url="")
    run = verify(backup_dir=str(folder), backup_verify_temporary_server=True)
    assert run.code == 0, run.output
    manifest = json.loads(next((folder / database).glob("*.manifest.json")).read_text())
    assert (manifest["proofs"][-1]["level"], manifest["proofs"][-1]["where"]) == (
        6,
        "a temporary server",
    )
