"""A run that is killed leaves no server behind, whatever part of it was killed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from demo.processes import wait_until
from tests.conftest import ROOT, WORKER

#: A test that starts everything the tests start, tells where, and then takes very long.
ENDLESS = """
import json, os, time, tempfile
from pathlib import Path
from tests.support.pm2 import own_pm2
from tests.support.postgres import throwaway

def test_endless(stack, tmp_path):
    with throwaway(Path(stack.settings["bin"]["postgres"])) as server, own_pm2() as pm2:
        pm2.run({"name": "app"})
        pids = {name: state["pid"] for name, state in stack.status().items()}
        pids["throwaway"] = int((server.home / "data" / "postmaster.pid").read_text().split()[0])
        pids["pm2 of its own"] = pm2.daemon
        pids["worker"] = os.getpid()
        seen = Path(__file__).with_name("seen")
        seen.with_suffix(".new").write_text(json.dumps([pids, tempfile.gettempdir()]))
        seen.with_suffix(".new").rename(seen)
        time.sleep(3600)
"""


Endless = tuple[subprocess.Popen[bytes], dict[str, int], Path]


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


@contextmanager
def endless_run(
    folder: Path, **env: str
) -> Iterator[tuple[subprocess.Popen[bytes], dict[str, int], Path]]:
    """A run of pytest with one worker, in the middle of its test.

    Yields the run, the process ids of what it started, and its temporary folder.
    """
    (folder / "test_endless.py").write_text(ENDLESS)
    command = [sys.executable, "-m", "pytest", "-n", "1", "-p", "tests.conftest"]
    command += ["-c", str(ROOT / "pyproject.toml"), "--rootdir", str(ROOT), str(folder)]
    environment = {k: v for k, v in os.environ.items() if not k.startswith(WORKER)}
    environment["PYTHONPATH"] = str(ROOT)
    with (folder / "output").open("wb") as output:
        run = subprocess.Popen(
            command, cwd=ROOT, env={**environment, **env}, stdout=output, stderr=output
        )
    try:
        seen = folder / "seen"
        assert wait_until(lambda: seen.exists() or run.poll() is not None, 120)
        assert seen.exists(), (folder / "output").read_text()
        pids, temporary = json.loads(seen.read_text())
        assert all(map(alive, pids.values())), pids
        yield run, pids, Path(temporary)
    finally:
        run.kill()
        run.wait()


@pytest.mark.parametrize("killed", ["the run", "its worker", "the make that it is part of"])
def test_a_killed_run_leaves_nothing_behind(tmp_path: Path, killed: str) -> None:
    with (
        subprocess.Popen(["sleep", "3600"]) as make,
        endless_run(tmp_path, RUNBOOK_RUN_PID=str(make.pid)) as (run, pids, temporary),
    ):
        victims = {"the run": run.pid, "its worker": pids["worker"]}
        os.kill(victims.get(killed, make.pid), signal.SIGKILL)
        wait_until(lambda: not any(map(alive, pids.values())), 60)
        make.kill()
        assert [name for name, pid in pids.items() if alive(pid)] == []
        assert wait_until(lambda: not temporary.exists(), 30)
        assert run.wait(60) != 0
