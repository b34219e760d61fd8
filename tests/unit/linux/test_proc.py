"""Users and processes, compared with what the system's own tools say."""

from __future__ import annotations

import os
import pwd
import subprocess
from pathlib import Path

import pytest

from ansible_collections.gpt_agent.runbook.plugins.module_utils.linux.proc import (
    current_user,
    owner_name,
    stat_fields,
    user_name,
)

#: A uid that no user database has a name for.
NAMELESS = 4_000_000_001


def test_a_user_has_its_name_or_else_its_number() -> None:
    with pytest.raises(KeyError):
        pwd.getpwuid(NAMELESS)
    assert user_name(0) == "root"
    assert user_name(NAMELESS) == str(NAMELESS)


def test_the_current_user_and_the_owner_of_a_file(tmp_path: Path) -> None:
    known = subprocess.run(["id", "-un"], capture_output=True, text=True, check=True).stdout.strip()
    assert current_user() == known
    (tmp_path / "file").touch()
    assert owner_name(str(tmp_path / "file")) == known
    assert owner_name(f"/proc/{os.getpid()}") == known
    assert owner_name(str(tmp_path / "none")) == ""


def test_the_fields_of_a_process_start_with_its_state() -> None:
    """The name may contain spaces and parentheses, so it must not be split."""
    code = (
        "import sys; open('/proc/self/comm', 'w').write('a) b (c'); "
        "print(flush=True); sys.stdin.read()"
    )
    with subprocess.Popen(
        ["python3", "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as child:
        assert child.stdout
        child.stdout.readline()
        fields = stat_fields(child.pid)
        child.communicate("")
    assert fields[0] in ("S", "R", "D")
    assert int(fields[1]) == os.getpid(), "the parent"


def test_a_process_that_does_not_exist_has_no_fields() -> None:
    assert stat_fields(NAMELESS) == []
