"""A process that has Ansible loaded plays what the command itself would play."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.playbook_server import run_playbook_command
from tests.support.plays import environment

PLAY = """
- hosts: localhost
  gather_facts: false
  tasks:
    - name: Say what is around
      ansible.builtin.debug:
        msg: "{{ lookup('env', 'AROUND') }} {{ lookup('pipe', 'pwd') }} {{ around }}"
    - name: Run a module
      ansible.builtin.command:
        argv: [sh, -c, "echo $AROUND; exit {{ code }}"]
"""
ON_THIS_MACHINE = ["-i", "localhost,", "-c", "local", "-e", "around=z"]
ON_THIS_MACHINE += ["-e", f"ansible_python_interpreter={sys.executable}"]


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["play.yml", "-e", "code=0"], 0),
        (["play.yml", "-e", "code=3"], 2),
        (["play.yml", "-e", "code=0", "--limit", "typo"], 1),
        (["nothing.yml"], 1),
        (["--nonsense"], 2),
    ],
    ids=["it succeeds", "a task fails", "no such host", "no such playbook", "no such option"],
)
def test_it_ends_as_the_command_does(tmp_path: Path, arguments: list[str], code: int) -> None:
    (tmp_path / "play.yml").write_text(PLAY)
    env = environment({"AROUND": "x y", "COLUMNS": "100"})
    given = [*ON_THIS_MACHINE, *arguments]
    own, forked = (
        run_playbook_command(given, cwd=tmp_path, env=env, timeout=60, fresh=fresh)
        for fresh in (True, False)
    )
    assert (own.returncode, forked.returncode) == (code, code), own.stdout + own.stderr
    assert without_times(own.stdout) == without_times(forked.stdout)
    assert own.stderr == forked.stderr


def without_times(output: str) -> str:
    return re.sub(r'"(delta|end|start)": "[^"]*"', "", output)


def test_a_run_that_takes_too_long_is_killed(tmp_path: Path) -> None:
    (tmp_path / "play.yml").write_text(PLAY.replace("exit {{ code }}", "sleep 60"))
    given = [*ON_THIS_MACHINE, "play.yml"]
    with pytest.raises(subprocess.TimeoutExpired):
        run_playbook_command(given, cwd=tmp_path, env=environment({}), timeout=0.1)
