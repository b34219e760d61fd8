"""What lies in the folder of the backups, seen without reading their content."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from ansible_collections.gpt_agent.runbook.plugins.module_utils.core.errors import NotCollected
from ansible_collections.gpt_agent.runbook.plugins.module_utils.core.lock import exclusive_lock
from ansible_collections.gpt_agent.runbook.plugins.module_utils.postgres.backup.check import (
    folder as folders,
)
from ansible_collections.gpt_agent.runbook.plugins.module_utils.postgres.backup.manifest import (
    Proof,
)
from tests.support.backups import Series, Stray, put_backup


def strays(backup_dir: Path) -> dict[str, Stray]:
    folder, _ = folders.read_folder(str(backup_dir))
    return {os.path.relpath(each.path, backup_dir): each for each in folder.strays}


def series(backup_dir: Path, database: str = "shop") -> Series:
    return folders.series_of(folders.read_folder(str(backup_dir))[1][database])


def test_a_folder_with_backups_and_nothing_else(tmp_path: Path) -> None:
    for hours, form in ((30, "dump"), (6, "dir")):
        put_backup(tmp_path, "shop", hours, form)
    put_backup(tmp_path, "", 6, "sql")
    (tmp_path / ".lock").touch()
    (tmp_path / "lost+found").mkdir()
    folder, listings = folders.read_folder(str(tmp_path))
    assert (folder.strays, sorted(listings), folder.running) == ((), ["", "shop"], 0)
    assert folder.free > 0
    assert folders.read_folder(str(tmp_path), 1 << 60)[0].free == 0
    assert series(tmp_path).next_bytes == 2400, "the last one and a fifth"
    found = series(tmp_path)
    assert [copy.problem for copy in found.copies] == ["", ""]
    assert len(found.verified) == 2
    assert found.copies[0].rows == {"public.orders": 1000}
    assert series(tmp_path, "").globals


def test_a_file_that_is_missing_or_cut_makes_a_backup_bad(tmp_path: Path) -> None:
    cut, gone, whole = (put_backup(tmp_path, "shop", hours, "dir") for hours in (54, 30, 6))
    (cut / "1.dat").write_bytes(b"x" * 999)
    (gone / "toc.dat").unlink()
    found = series(tmp_path)
    assert [copy.label for copy in found.verified] == [whole.name]
    assert [copy.problem for copy in found.copies[:2]] == [
        "1.dat has 999 bytes instead of 1,000",
        "toc.dat is missing",
    ]
    assert {name for name, each in strays(tmp_path).items() if each.broken} == {
        f"shop/{cut.name}",
        f"shop/{gone.name}",
    }


def test_a_backup_that_failed_its_verification_is_bad(tmp_path: Path) -> None:
    proofs = (Proof(5, 1.0, 9.0, 5), Proof(0, 2.0, 0.1, 3, problem="its checksum is wrong"))
    put_backup(tmp_path, "shop", proofs=proofs)
    found = series(tmp_path)
    assert found.verified == []
    assert found.copies[0].problem == "its verification failed: its checksum is wrong"


def test_the_last_test_restore_is_found(tmp_path: Path) -> None:
    proofs = (Proof(3, 1.0, 0.1, 3), Proof(5, 2.0, 9.0, 5, "staging"), Proof(3, 3.0, 0.1, 3))
    put_backup(tmp_path, "shop", proofs=proofs)
    restored = series(tmp_path).copies[0].restored
    assert restored is not None
    assert (restored.at, restored.level, restored.where) == (2.0, 5, "staging")


def test_an_edited_manifest_is_a_broken_backup(tmp_path: Path) -> None:
    path = put_backup(tmp_path, "shop")
    manifest = next(path.parent.glob("*.manifest.json"))
    manifest.write_text(manifest.read_text().replace('"rows": 1000', '"rows": 9'))
    assert series(tmp_path).copies == ()
    assert "edited" in strays(tmp_path)[f"shop/{path.name}"].reason


def test_what_a_killed_run_left_is_no_broken_backup(tmp_path: Path) -> None:
    path = put_backup(tmp_path, "shop")
    manifest = next(path.parent.glob("*.manifest.json"))
    between = manifest.rename(manifest.with_name(f".partial-9-{manifest.name}"))
    assert strays(tmp_path) == {}, "it may be a run whose lock is not visible here"
    os.utime(between, (0, 0))
    found = strays(tmp_path)
    assert list(found) == [f"shop/{between.name}"]
    assert not found[f"shop/{between.name}"].broken
    with exclusive_lock(str(tmp_path / ".lock"), "the backups"):
        folder, listings = folders.read_folder(str(tmp_path))
        assert (folder.running, folder.strays) == (os.getpid(), ())
        assert folders.series_of(listings["shop"], folder.running).busy


def test_what_is_not_ours_is_named(tmp_path: Path) -> None:
    put_backup(tmp_path, "shop")
    for name in ("backup-20260101.sql.gz", "notes"):
        (tmp_path / name).touch()
    (tmp_path / ".x").mkdir()
    found = strays(tmp_path)
    assert sorted(found) == [".x", "backup-20260101.sql.gz", "notes"]
    assert "gzip -t" in found["backup-20260101.sql.gz"].reason


def test_a_backup_that_others_can_read_is_named(tmp_path: Path) -> None:
    path = put_backup(tmp_path, "shop")
    path.chmod(0o644)
    assert strays(tmp_path) == {}, "its folder is closed"
    path.parent.chmod(0o755)
    assert "mode 0644" in strays(tmp_path)[f"shop/{path.name}"].reason


def test_a_missing_folder_is_an_empty_one_and_a_closed_one_is_not(tmp_path: Path) -> None:
    folder, listings = folders.read_folder(str(tmp_path / "none"))
    assert (folder.exists, listings) == (False, {})
    (tmp_path / "file").touch()
    with pytest.raises(NotCollected, match="Not a directory") as caught:
        folders.read_folder(str(tmp_path / "file"))
    assert "backup_user" in caught.value.remedy
