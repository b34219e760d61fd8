"""Files that are always complete."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from ansible_collections.gpt_agent.runbook.plugins.module_utils.core.files import (
    free_bytes,
    is_inside,
    sync_tree,
    write_atomically,
)


@pytest.mark.parametrize("durable", [True, False])
def test_the_new_content_replaces_the_old(tmp_path: Path, durable: bool) -> None:
    path = tmp_path / "file"
    path.write_text("old")
    write_atomically(str(path), "new é", durable=durable)
    assert path.read_text(encoding="utf-8") == "new é"
    assert path.stat().st_mode & 0o777 == 0o600
    assert [entry.name for entry in tmp_path.iterdir()] == ["file"]


def test_a_mode_is_set_whatever_the_umask(tmp_path: Path) -> None:
    before = os.umask(0o077)
    try:
        write_atomically(str(tmp_path / "file"), "x", mode=0o644)
    finally:
        os.umask(before)
    assert (tmp_path / "file").stat().st_mode & 0o777 == 0o644


def test_a_failure_leaves_the_old_content_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text("old")
    with pytest.raises(UnicodeEncodeError):
        write_atomically(str(path), "\ud800")
    assert path.read_text() == "old"
    assert [entry.name for entry in tmp_path.iterdir()] == ["file"]


def test_the_folder_must_exist(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        write_atomically(str(tmp_path / "none/file"), "x")


def test_the_space_for_a_file_is_that_of_the_folder_it_will_be_in(tmp_path: Path) -> None:
    found = os.statvfs(tmp_path)
    assert free_bytes(str(tmp_path / "not" / "yet" / "there")) == pytest.approx(
        found.f_bavail * found.f_frsize, rel=0.01
    )


def test_a_tree_is_flushed_with_its_folders(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "tree" / "below").mkdir(parents=True)
    (tmp_path / "tree" / "one").touch()
    (tmp_path / "tree" / "below" / "two").touch()
    flushed: list[str] = []
    monkeypatch.setattr(
        os, "fsync", lambda handle: flushed.append(os.readlink(f"/proc/self/fd/{handle}"))
    )
    sync_tree(str(tmp_path / "tree"))
    assert sorted(path.rpartition("/")[2] for path in flushed) == ["below", "one", "tree", "two"]
    flushed.clear()
    sync_tree(str(tmp_path / "tree" / "one"))
    assert flushed == [str(tmp_path / "tree" / "one")]
    with pytest.raises(FileNotFoundError):
        sync_tree(str(tmp_path / "none"))


@pytest.mark.parametrize(
    ("path", "inside"),
    [("/srv/v1", True), ("/srv/v1/src", True), ("/srv/v10", False), ("/srv", False), ("", False)],
)
def test_what_is_in_a_folder(path: str, inside: bool) -> None:
    assert is_inside(path, "/srv/v1") is inside
