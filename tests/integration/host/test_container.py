"""host_health in a container with limits of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import ROOT, by_name
from tests.support.mounts import MEBIBYTE, needs_mount


@contextmanager
def cgroup(**thresholds: str) -> Iterator[list[Path]]:
    """A cgroup of each controller that this system has, with limits such as ``memory__max="64m"``.

    Yields their folders.
    """
    top, name = Path("/sys/fs/cgroup"), f"runbook-test-{os.getpid()}"
    unified = (top / "cgroup.controllers").exists()
    folders = (
        [top / name]
        if unified
        else [top / controller / name for controller in ("memory", "cpu", "cpuacct")]
    )
    made: list[Path] = []
    try:
        for folder in folders:
            folder.mkdir()
            made.append(folder)
        for file, value in thresholds.items():
            found = [
                folder / file.replace("__", ".")
                for folder in folders
                if (folder / file.replace("__", ".")).exists()
            ]
            for path in found:
                path.write_text(value)
    except OSError as error:
        for folder in made:
            folder.rmdir()
        pytest.skip(f"no cgroup of the test's own here: {error}")
    try:
        yield folders
    finally:
        for folder in folders:
            for _ in range(50):
                with suppress(OSError):
                    folder.rmdir()
                    break
                time.sleep(0.1)


def inside(folders: list[Path], command: list[str], **options: Any) -> subprocess.Popen[str]:
    """Run a command as process 1 of a pid namespace in these cgroups, as container engines do."""
    join = "".join(f"echo $$ > {folder}/cgroup.procs; " for folder in folders)
    return subprocess.Popen(
        ["sh", "-c", f'{join}exec unshare --pid --fork --mount-proc "$@"', "sh", *command],
        text=True,
        **options,
    )


def ask_inside(folders: list[Path], **options: Any) -> dict[str, Any]:
    module = "ansible_collections.gpt_agent.runbook.plugins.modules.host_health"
    code = f"import runpy; runpy.run_module('{module}', run_name='__main__')"
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "collections")}
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with inside(folders, [sys.executable, "-c", code], env=environment, **pipes) as child:
        output, errors = child.communicate(json.dumps({"ANSIBLE_MODULE_ARGS": options}), timeout=60)
    assert output, errors
    answer: dict[str, Any] = json.loads(output)
    return answer


@needs_mount
def test_the_memory_limit_of_a_container(tmp_path: Path) -> None:
    limit = str(256 * MEBIBYTE)
    with cgroup(memory__limit_in_bytes=limit, memory__max=limit) as folders:
        cache = tmp_path / "cached"
        with inside(
            folders,
            ["dd", "if=/dev/zero", f"of={cache}", "bs=1M", "count=200"],
            stderr=subprocess.DEVNULL,
        ) as writer:
            assert writer.wait() == 0
        answer = ask_inside(folders, state_dir=str(tmp_path / "state"), cpu_interval=0.1)
        check = by_name(answer, "host.memory")
        assert check["status"] == "ok", "file cache is not use"
        assert "of this container's limit of 256 MiB" in check["summary"]
        assert by_name(answer, "host.oom_kills")["value"] == 0

        hold = "data = bytearray(220 << 20); print('held', flush=True); import time; time.sleep(60)"
        with inside(folders, [sys.executable, "-c", hold], stdout=subprocess.PIPE) as holder:
            assert holder.stdout
            assert holder.stdout.readline() == "held\n"
            check = by_name(
                ask_inside(folders, state_dir=str(tmp_path / "other"), cpu_interval=0.1),
                "host.memory",
            )
            _kill(folders)
        assert check["status"] in ("warning", "critical")

        with inside(
            folders, [sys.executable, "-c", "bytearray(400 << 20)"], stderr=subprocess.DEVNULL
        ) as greedy:
            greedy.wait()
        check = by_name(
            ask_inside(folders, state_dir=str(tmp_path / "state"), cpu_interval=0.1),
            "host.oom_kills",
        )
        assert check["value"] >= 1
        assert check["status"] in ("warning", "critical")
        assert "the container started" in check["window"]


@needs_mount
def test_the_processor_limit_of_a_container(tmp_path: Path) -> None:
    with cgroup(cpu__cfs_quota_us="20000", cpu__max="20000 100000") as folders:
        with inside(folders, [sys.executable, "-c", "while True: pass"]):
            try:
                worst = {
                    "host.cpu": {"warning": 0, "critical": 0}
                }  # or a machine busy with other things would be reported
                check = by_name(
                    ask_inside(folders, state_dir=str(tmp_path), cpu_interval=1, thresholds=worst),
                    "host.cpu",
                )
            finally:
                _kill(folders)
        assert check["value"] > 60
        assert "of this container's limit of 0.2 processors" in check["summary"]


def _kill(folders: list[Path]) -> None:
    for pid in (folders[0] / "cgroup.procs").read_text().split():
        with suppress(ProcessLookupError):
            os.kill(int(pid), 9)
