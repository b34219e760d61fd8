"""Who else is working, by real locks and a stand-in for who."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

import pytest

from ansible_collections.gpt_agent.runbook.plugins.module_utils.core.lock import exclusive_lock
from ansible_collections.gpt_agent.runbook.plugins.module_utils.linux.proc import current_user
from ansible_collections.gpt_agent.runbook.plugins.module_utils.maintenance.others import others


def test_a_lock_that_is_held_is_found_and_its_holder_named(tmp_path: Path) -> None:
    path = str(tmp_path / "lock")
    with exclusive_lock(path, "the releases", "dora"):
        (row,) = others([path], ()).work
    assert row["lock"] == path
    assert f"process {os.getpid()}, of 'dora'" in row["held by"]
    assert others([path], ()).work == ()


def test_a_lock_in_a_folder_of_someone_else_is_not_free(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(path: str) -> os.stat_result:
        raise PermissionError(13, "Permission denied", path)

    monkeypatch.setattr(os, "stat", refuse)
    assert others(["/backups/.lock"], ()).unseen == ("/backups/.lock",)


def test_the_lock_of_the_package_manager_is_found(tmp_path: Path) -> None:
    """It is of another kind, and no process sees its own by trying."""
    path = tmp_path / "lock-frontend"
    with path.open("w") as stream:
        fcntl.lockf(stream, fcntl.LOCK_EX)
        (row,) = others((), [str(path)]).work
        assert row["held by"].startswith(f"process {os.getpid()} (")
    assert others((), [str(path), str(tmp_path / "missing")]).work == ()


def test_other_users_are_named_and_our_own_login_is_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = tmp_path / "who"
    program.write_text(
        "#!/bin/sh\n"
        f"echo '{current_user()} pts/0 2026-11-28 01:00 (10.0.0.6)'\n"
        "echo 'bob      pts/1 2026-11-28 01:00 (10.0.0.7)'\n"
    )
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    (row,) = others((), ()).people
    assert row == {"user": "bob", "terminal": "pts/1", "since": "2026-11-28 01:00 (10.0.0.7)"}
    program.unlink()
    assert others((), ()).people == ()
