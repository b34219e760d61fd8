"""The lock on a file: one run at a time, and its holder is named."""

import os
import re
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from ansible_collections.gpt_agent.runbook.plugins.module_utils.core import lock
from ansible_collections.gpt_agent.runbook.plugins.module_utils.core.lock import (
    Locked,
    exclusive_lock,
)


def test_the_second_run_is_told_who_holds_it(tmp_path: Path) -> None:
    path = str(tmp_path / ".lock")
    with exclusive_lock(path, "the backups in /b"):
        with pytest.raises(Locked) as raised, exclusive_lock(path, "the backups in /b"):
            pass
        assert re.fullmatch(
            rf"Another run \(process {os.getpid()}, for \S+ s\) is working on the backups in /b",
            str(raised.value),
        )
    with exclusive_lock(path, "the backups in /b"):
        pass


def test_the_owner_is_named(tmp_path: Path) -> None:
    path = str(tmp_path / ".lock")
    with (
        exclusive_lock(path, "the app", owner="ada"),
        pytest.raises(Locked, match="of 'ada', for "),
        exclusive_lock(path, "the app"),
    ):
        pass
    with exclusive_lock(path, "the app"):
        with pytest.raises(Locked) as raised, exclusive_lock(path, "the app"):
            pass
        assert "ada" not in str(raised.value)


def test_a_lock_that_is_taken_is_waited_for(tmp_path: Path) -> None:
    path = str(tmp_path / ".lock")
    held, release = threading.Event(), threading.Event()

    def hold() -> None:
        with exclusive_lock(path, "it"):
            held.set()
            release.wait(60)

    other = threading.Thread(target=hold)
    other.start()
    held.wait(60)
    with pytest.raises(Locked, match="is working on it"), exclusive_lock(path, "it", wait=0.1):
        pass
    threading.Timer(0.1, release.set).start()
    with exclusive_lock(path, "it", wait=60):
        assert release.is_set()
    other.join()


def test_the_lock_ends_with_its_process(tmp_path: Path) -> None:
    path = str(tmp_path / ".lock")
    code = (
        f"import os, sys; sys.path[:0] = {sys.path!r}\n"
        f"from {lock.__name__} import exclusive_lock\n"
        f"with exclusive_lock({path!r}, 'it'): os.kill(os.getpid(), 9)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == -9
    with exclusive_lock(path, "it"):
        pass


def test_who_holds_it_is_known_without_taking_it(tmp_path: Path) -> None:
    path = str(tmp_path / ".lock")
    assert lock.held_by(path) == ""
    with exclusive_lock(path, "the app", owner="ada"):
        assert re.fullmatch(r"another run \(process \d+, of 'ada', for .+\)", lock.held_by(path))
    assert lock.held_by(path) == ""
