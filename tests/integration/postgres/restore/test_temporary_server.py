"""Backups proven on a server that the run starts itself: without a login, and nothing is left."""

from __future__ import annotations

import json
import os
import shutil
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.gpt_agent.runbook.plugins.module_utils.postgres.restore.temporary import (
    PREFIX,
)
from tests.conftest import RunModule, by_name, start_module
from tests.support.postgres import Server, eventually
from tests.support.restores import EVERYTHING, address, flip, run_sql

Prove = Callable[..., dict[str, Any]]


@pytest.fixture
def backup(server: Server, run_module: RunModule, client: Path, tmp_path: Path) -> Path:
    """The backup of a database whose role and owner exist on its own server alone."""
    server.admin("CREATE DATABASE live OWNER app")
    url = address(server, "live")
    run_sql(url, *EVERYTHING)
    options = {"database_url": url, "backup_dir": str(tmp_path / "backups")}
    answer = run_module("pg_backup", {**options, "bin_dir": str(client), "globals": False})
    assert not answer.get("failed"), answer
    return next((tmp_path / "backups" / "live").glob("*.dir"))


@pytest.fixture
def given(backup: Path, client: Path, short_folder: Path) -> dict[str, Any]:
    return {
        "backup_dir": str(backup.parent.parent),
        "bin_dir": str(client),
        "temporary_server": True,
        "temporary_dir": str(short_folder),
    }


@pytest.fixture
def short_folder(own: Any) -> Path:
    """A folder whose path leaves room for that of a socket, and that another user can enter."""
    folder = Path(own.home.parent, f"temporary-{time.monotonic_ns() % 10**9}")
    folder.mkdir()
    folder.chmod(0o1777)
    yield folder
    shutil.rmtree(folder)


@pytest.fixture
def prove(run_module: RunModule, given: dict[str, Any]) -> Prove:
    def run(*, check: bool = False, **more: Any) -> dict[str, Any]:
        return run_module("pg_restore", {**given, **more}, check=check)

    return run


def left(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir()]


def processes(folder: Path) -> list[str]:
    """The programs that work in a folder."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = path.read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue
        if f"{folder}/" in words and "postgres" in words.split(" ")[0]:
            found.append(words)
    return found


def test_everything_is_proven_without_a_login(
    prove: Prove, backup: Path, short_folder: Path
) -> None:
    answer = prove()
    assert not answer.get("failed"), answer
    check = by_name(answer, "backup.restorable", "live")
    assert check["status"] == "ok", check
    assert check["evidence"][0]["level"] == 6
    load = next(each for each in answer["actions"] if each["name"] == "restore.load")
    assert "without" not in load["reason"], load
    proof = json.loads(next(backup.parent.glob("*.json")).read_text())["proofs"][-1]
    assert (proof["level"], proof["where"]) == (6, "a temporary server")
    assert (left(short_folder), processes(short_folder)) == ([], [])


def test_check_mode_starts_nothing(prove: Prove, short_folder: Path) -> None:
    plan = prove(check=True)
    assert [each["name"] for each in plan["actions"]] == ["backup.verify"]
    assert left(short_folder) == []
    both = prove(verify_url="postgresql://verify@staging-db.example.com/postgres")
    assert both["msg"].startswith("temporary_server: is another server"), both


def test_a_bad_backup_is_found(prove: Prove, backup: Path, short_folder: Path) -> None:
    flip(backup)
    answer = prove()
    assert by_name(answer, "backup.restorable", "live")["status"] == "critical"
    assert left(short_folder) == []


def test_without_a_server_s_programs_nothing_is_known(
    prove: Prove, client: Path, tmp_path: Path, backup: Path
) -> None:
    programs = tmp_path / "bin"
    programs.mkdir()
    for name in ("pg_dump", "pg_restore", "pg_amcheck"):
        (programs / name).symlink_to(client / name)
    answer = prove(bin_dir=str(programs))
    assert "has no initdb" in answer["msg"]
    proofs = json.loads(next(backup.parent.glob("*.json")).read_text())["proofs"]
    assert len(proofs) == 1


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_a_killed_run_leaves_no_server(
    given: dict[str, Any], prove: Prove, short_folder: Path, number: int
) -> None:
    with start_module("pg_restore", given) as module:
        eventually(lambda: any("postgres" in words for words in processes(short_folder)))
        module.send_signal(number)
        module.communicate()
    eventually(lambda: not processes(short_folder))
    if number == signal.SIGKILL:
        (name,) = left(short_folder)
        assert name.startswith(PREFIX)
        plan = prove(check=True)["actions"]
        assert [each["subject"] for each in plan if each["name"] == "restore.drop"] == [
            str(short_folder / name)
        ]
    answer = prove(level=4)
    assert not answer.get("failed"), answer
    assert left(short_folder) == []


def test_two_runs_do_not_meet(given: dict[str, Any], prove: Prove, short_folder: Path) -> None:
    """The second does not take the first one's folder for one that was left."""
    with start_module("pg_restore", given) as module:
        eventually(lambda: any("postgres" in words for words in processes(short_folder)))
        os.kill(module.pid, signal.SIGSTOP)
        answer = prove(level=4)
        os.kill(module.pid, signal.SIGCONT)
        output, errors = module.communicate(timeout=60)
    assert not answer.get("failed"), answer
    first = json.loads(output)
    assert not first.get("failed"), errors
    assert by_name(first, "backup.restorable", "live")["evidence"][0]["level"] == 6
    assert left(short_folder) == []
