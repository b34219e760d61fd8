"""Who has a file open, seen on this process and on one that it starts."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from ansible_collections.gpt_agent.runbook.plugins.module_utils.linux.open_files import (
    deleted_files,
    is_written,
    writers_of,
)


def test_whether_anyone_writes(tmp_path: Path) -> None:
    path = tmp_path / "app.log"
    path.write_text("x")
    if is_written(str(path)) is None:
        return  # this file system does not say
    assert is_written(str(path)) is False
    with path.open():
        assert is_written(str(path)) is False, "a reader is no writer"
    with path.open("a"):
        assert is_written(str(path)) is True
    assert is_written(str(path)) is False


def test_the_writers_are_named_and_deleted_files_are_found(tmp_path: Path) -> None:
    path = tmp_path / "app log"
    with path.open("w") as stream, subprocess.Popen(["sleep", "60"], stdout=stream) as process:
        try:
            status = os.stat(path)
            (writer,) = writers_of(frozenset({(status.st_dev, status.st_ino)}))
            assert (writer.pid, writer.path) == (process.pid, str(path))
            assert writer.described.startswith(f"process {process.pid} (")
            path.unlink()
            found, _unseen = deleted_files(frozenset({status.st_dev}))
            mine = [each for each in found if each.identity == writer.identity]
            assert [(each.path, each.deleted) for each in mine] == [(str(path), True)]
        finally:
            process.kill()
