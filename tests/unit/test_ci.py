"""What CI says and leaves when a stage fails, or when it is stopped; 'make' is a script here."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
from pathlib import Path

import pytest

from demo.processes import wait_until
from tests.conftest import ROOT

pytestmark = pytest.mark.checkout

MAKE = """#!/bin/bash
echo "output of $1"
case $1 in
  lint) exit "${LINT:-0}" ;;
  tests)
    until compgen -G "$TMPDIR/*/lint.end"; do sleep 0.05; done
    echo $$ $RUNBOOK_RUN_PID >began
    [[ -z ${HANGS:-} ]] || sleep 600
    exit "${TESTS:-0}" ;;
esac
"""


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """The script, in a folder with a 'make' of the tests."""
    for folder in (".ci", "bin", "tmp"):
        (tmp_path / folder).mkdir()
    shutil.copy(ROOT / ".ci" / "run", tmp_path / ".ci" / "run")
    (tmp_path / "bin" / "make").write_text(MAKE)
    (tmp_path / "bin" / "make").chmod(0o755)
    return tmp_path


def start(checkout: Path, **env: str) -> subprocess.Popen[str]:
    path = f"{checkout / 'bin'}:{os.environ['PATH']}"
    return subprocess.Popen(
        [checkout / ".ci" / "run"],
        env={**os.environ, "PATH": path, "TMPDIR": str(checkout / "tmp"), **env},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


@pytest.mark.parametrize(
    ("env", "failed"),
    [
        ({}, {}),
        ({"TESTS": "2"}, {"tests": "2", "total": "2"}),
        ({"LINT": "3"}, {"lint (beside)": "3", "total": "3"}),
        ({"LINT": "3", "TESTS": "2"}, {"tests": "2", "lint (beside)": "3", "total": "2"}),
    ],
    ids=["nothing fails", "a stage", "what goes on beside", "both"],
)
def test_what_fails_is_said(checkout: Path, env: dict[str, str], failed: dict[str, str]) -> None:
    with start(checkout, **env) as run:
        output, _ = run.communicate(timeout=60)
    assert run.returncode == int(failed.get("total", "0")), output
    assert "output of lint" in output
    found = dict(re.findall(r"^(\S.*?) +\d+:\d\d(?:  failed \((\d+)\))?$", output, re.MULTILINE))
    assert {name: code for name, code in found.items() if code} == failed
    assert {"tests", "lint (beside)", "total"} <= set(found)
    assert ("molecule" in found) == (not failed)


def test_what_is_stopped_leaves_nothing_behind(checkout: Path) -> None:
    with start(checkout, HANGS="yes") as run:
        began = checkout / "began"
        assert wait_until(lambda: began.exists() and began.read_text().endswith("\n"), 60)
        run.send_signal(signal.SIGTERM)
        output, _ = run.communicate(timeout=60)
    pid, *whole = map(int, began.read_text().split())
    assert run.returncode == 130
    assert "tests was stopped" in output
    assert "output of lint" in output
    assert not Path(f"/proc/{pid}").exists()
    assert whole == [run.pid], "the tests would outlive a killed script"
    assert [*(checkout / "tmp").iterdir()] == []
