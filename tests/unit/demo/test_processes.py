"""The demo's processes: none is mistaken for another, or signalled by its number alone."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from demo.processes import Identity, Process, StackError, end, processes_of, read_pid, wait_until

Child = subprocess.Popen[bytes]


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Child]:
    """A long-lived program called nginx in a folder of the stack (a copy of sh)."""
    program = tmp_path / "nginx"
    shutil.copy(shutil.which("sh") or "", program)
    (tmp_path / "stack" / "logs").mkdir(parents=True)
    with subprocess.Popen(
        [program, "-c", "read -r line"], stdin=subprocess.PIPE, cwd=tmp_path / "stack" / "logs"
    ) as child:
        wait_until(lambda: Process.look(child.pid), 5)
        yield child
        child.kill()


def test_a_server_is_known_by_the_folder_it_works_in(server: Child, tmp_path: Path) -> None:
    assert list(processes_of(tmp_path / "stack", "none")) == [server.pid]
    assert processes_of(tmp_path / "sta", "none") == {}
    shutil.rmtree(tmp_path / "stack")
    assert list(processes_of(tmp_path / "stack", "none")) == [server.pid]


def test_a_zombie_is_no_process(server: Child, tmp_path: Path) -> None:
    found = processes_of(tmp_path / "stack", "none")[server.pid]
    os.kill(server.pid, signal.SIGKILL)
    assert wait_until(lambda: not found.alive(), 5)
    assert processes_of(tmp_path / "stack", "none") == {}


def test_a_process_that_only_has_the_number_is_not_signalled(server: Child, tmp_path: Path) -> None:
    real = processes_of(tmp_path / "stack", "none")[server.pid]
    Process(real.pid, real.program, real.started - 1).signal(signal.SIGKILL)
    assert not wait_until(lambda: server.poll() is not None, 0.3)
    real.signal(signal.SIGKILL)
    assert server.wait(5) == -signal.SIGKILL


def test_a_frozen_process_is_ended_in_order(server: Child, tmp_path: Path) -> None:
    os.kill(server.pid, signal.SIGSTOP)
    end(
        lambda: processes_of(tmp_path / "stack", "none").values(),
        (signal.SIGTERM, 5),
        (signal.SIGKILL, 5),
    )
    assert server.wait(5) == -signal.SIGTERM


def test_what_cannot_be_ended_is_named(server: Child, tmp_path: Path) -> None:
    with pytest.raises(StackError, match=rf"could not end nginx \({server.pid}\)"):
        end(lambda: processes_of(tmp_path / "stack", "none").values(), (0, 0.1))


@pytest.mark.parametrize("content", ["", "\n", "no number\n"])
def test_a_pid_file_that_was_not_finished_holds_no_number(tmp_path: Path, content: str) -> None:
    (tmp_path / "pid").write_text(content)
    assert read_pid(tmp_path / "pid") is None
    assert read_pid(tmp_path / "missing") is None


def test_a_failed_program_is_reported_with_what_it_said() -> None:
    with pytest.raises(StackError, match=r"sh -c failed with exit code 3: out of luck"):
        Identity().run(["sh", "-c", "echo out of luck >&2; exit 3"], env={"PATH": os.defpath})
    with pytest.raises(StackError, match="sleep did not end within 0 seconds"):
        Identity().run(["sleep", "5"], env={"PATH": os.defpath}, timeout=0.1)


def test_programs_never_run_as_root() -> None:
    seen = Identity.choose().run(["id", "-u"], env={"PATH": os.defpath}).stdout.strip()
    assert int(seen) > 0
