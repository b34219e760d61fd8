"""Whether an online instance has a process of its own, as the kernel sees it."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Iterator

import pytest

from ansible_collections.gpt_agent.runbook.plugins.module_utils.linux.proc import stat_fields
from ansible_collections.gpt_agent.runbook.plugins.module_utils.pm2.evidence import with_evidence
from tests.support.pm2_snapshots import instance


@pytest.fixture
def child() -> Iterator[int]:
    process = subprocess.Popen(["sleep", "60"])
    yield process.pid
    os.kill(process.pid, signal.SIGKILL)
    process.wait()


def absence(pid: int, daemon: int | None = None, status: str = "online") -> str:
    (row,) = with_evidence([instance(0, status, pid=pid)], daemon or os.getpid())
    return row.absent


def wait_for_state(pid: int, states: str) -> None:
    until = time.monotonic() + 10
    while stat_fields(pid)[0] not in states:
        assert time.monotonic() < until
        time.sleep(0.01)


def test_a_process_of_the_daemon_is_evidence(child: int) -> None:
    assert absence(child) == ""
    assert absence(0, status="stopped") == ""


def test_what_is_no_evidence(child: int) -> None:
    assert absence(0) == "has no process"
    assert "another one has that number now" in absence(os.getppid())
    os.kill(child, signal.SIGSTOP)
    wait_for_state(child, "T")
    (row,) = with_evidence([instance(0, pid=child)], os.getpid())
    assert (row.absent, row.suspended) == (f"its process {child} is suspended by a signal", True)
    os.kill(child, signal.SIGKILL)
    wait_for_state(child, "Z")
    assert absence(child) == f"its process {child} has exited and is a zombie"
    gone = subprocess.Popen(["true"])
    gone.wait()
    assert absence(gone.pid) == f"its process {gone.pid} is gone"


def test_one_process_is_evidence_for_the_latest_instance_only(child: int) -> None:
    rows = [instance(0, pid=child, age=900), instance(1, pid=child, age=60)]
    assert [bool(row.absent) for row in with_evidence(rows, os.getpid())] == [True, False]


def test_a_daemon_that_is_not_visible_leaves_pm2s_word() -> None:
    assert absence(0, daemon=1 << 30) == ""
