"""What lies in the folder of the backups."""

from dataclasses import replace
from pathlib import Path

import pytest

from ansible_collections.gpt_agent.runbook.plugins.module_utils.core.errors import NotCollected
from ansible_collections.gpt_agent.runbook.plugins.module_utils.postgres.backup.manifest import (
    Manifest,
    Proof,
    write_manifest,
)
from ansible_collections.gpt_agent.runbook.plugins.module_utils.postgres.backup.repository import (
    list_backups,
    list_databases,
)


def backup(folder: Path, time: str, form: str = "dir", **changes: object) -> Path:
    """A backup, its content aside."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{time}.{form}"
    if form == "dir":
        path.mkdir()
    else:
        path.touch()
    plain = Manifest(
        name=path.name,
        database=folder.name,
        started=0.0,
        finished=0.0,
        bytes=0,
        files=(),
        compression="none",
        client_version="18.6",
        server_version=180006,
        system_identifier="",
        database_bytes=0,
        proofs=(Proof(3, 1.0, 0.1, 3),),
    )
    write_manifest(str(folder / f"{time}.manifest.json"), replace(plain, **changes))
    return path


def test_backups_come_oldest_first(tmp_path: Path) -> None:
    newest = backup(tmp_path / "shop", "20261128T030000Z", "dump.zst")
    oldest = backup(tmp_path / "shop", "20261127T030000Z")
    listing = list_backups(str(tmp_path), "shop")
    assert [one.path for one in listing.backups] == [str(oldest), str(newest)]
    assert (listing.partial, listing.foreign) == ([], [])
    assert listing.newest_verified() == listing.backups[1]
    (tmp_path / "lost+found").mkdir()
    assert list_databases(str(tmp_path)) == ["shop"]


def test_only_a_verified_one_is_the_newest_verified(tmp_path: Path) -> None:
    good = backup(tmp_path / "shop", "20261127T030000Z")
    backup(tmp_path / "shop", "20261128T030000Z", proofs=())
    found = list_backups(str(tmp_path), "shop").newest_verified()
    assert found is not None
    assert found.path == str(good)


def test_what_is_no_backup_is_named_with_its_reason(tmp_path: Path) -> None:
    folder = tmp_path / "shop"
    backup(folder, "20261128T030000Z", database="forum")
    (folder / "20261127T030000Z.dir").mkdir()
    backup(folder, "20261126T030000Z").rmdir()
    (folder / ".partial-1-20261125T030000Z.dir").mkdir()
    (folder / "notes.txt").touch()
    listing = list_backups(str(tmp_path), "shop")
    assert {Path(one.path).name: one.reason for one in listing.foreign} == {
        "20261128T030000Z.dir": "it is a backup of database 'forum'",
        "20261127T030000Z.dir": "its manifest cannot be read (No such file or directory)",
        "20261126T030000Z.manifest.json": "the backup of this manifest is missing",
        "notes.txt": "not written by this collection",
    }
    assert [Path(path).name for path in listing.partial] == [".partial-1-20261125T030000Z.dir"]
    assert listing.newest_verified() is None


def test_no_folder_is_no_backup(tmp_path: Path) -> None:
    assert list_backups(str(tmp_path), "shop").backups == []


def test_a_folder_that_cannot_be_read_is_not_an_empty_one(tmp_path: Path) -> None:
    with pytest.raises(NotCollected, match="does not exist") as missing:
        list_databases(str(tmp_path / "missing"))
    assert "playbooks/backup.yml" in missing.value.remedy
    (tmp_path / "shop").touch()
    with pytest.raises(NotCollected, match="Not a directory"):
        list_backups(str(tmp_path), "shop")
