"""Sizes and checksums of a backup's files."""

import hashlib
import os
from pathlib import Path

import pytest

from ansible_collections.gpt_agent.runbook.plugins.module_utils.postgres.backup.checksums import (
    checksum_files,
)
from ansible_collections.gpt_agent.runbook.plugins.module_utils.postgres.backup.manifest import File


def never() -> None:
    pass


def test_a_folder_has_all_its_files(tmp_path: Path) -> None:
    (tmp_path / "b.dat").write_bytes(b"two")
    (tmp_path / "a.dat").write_bytes(b"")
    files = checksum_files(str(tmp_path), never)
    assert [(file.path, file.bytes) for file in files] == [("a.dat", 0), ("b.dat", 3)]
    assert files[1].sha256 == hashlib.sha256(b"two").hexdigest()


def test_one_file_has_no_path(tmp_path: Path) -> None:
    (tmp_path / "x.dump").write_bytes(b"two")
    assert checksum_files(str(tmp_path / "x.dump"), never) == (
        File("", 3, hashlib.sha256(b"two").hexdigest()),
    )


def test_a_link_or_a_pipe_is_no_part_of_a_backup(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("/etc")
    with pytest.raises(OSError, match="link"):
        checksum_files(str(tmp_path), never)
    (tmp_path / "link").unlink()
    (tmp_path / "folder").mkdir()
    (tmp_path / "link").symlink_to("/etc/passwd")
    with pytest.raises(OSError, match="link"):
        checksum_files(str(tmp_path), never)


def test_it_can_be_ended(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(os.urandom(10))

    def end() -> None:
        raise TimeoutError

    with pytest.raises(TimeoutError):
        checksum_files(str(tmp_path), end)
