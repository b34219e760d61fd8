"""pg_restore when something fails: the live database is whole, and the next run succeeds."""

from __future__ import annotations

import json
import os
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.gpt_agent.runbook.plugins.module_utils.postgres.restore.names import (
    Mark,
    format_time,
)
from demo.stack import Stack
from tests.conftest import RunModule, by_name
from tests.support.backup_runs import program
from tests.support.mounts import mounted, mounts_of_its_own, needs_mount
from tests.support.postgres import Server, throwaway
from tests.support.restores import (
    Restore,
    address,
    arguments,
    flip,
    made_backup,
    others,
    rows,
    run_sql,
)


def refused(answer: dict[str, Any], server: Server, words: str) -> None:
    """The run has failed with these words, and the live database is as it was."""
    assert answer.get("failed"), answer
    assert words in answer["msg"], answer["msg"]
    assert (rows(server), others(server)) == (5, [])


def test_damage_is_found_before_anything_is_made(
    server: Server, restore: Restore, backup: Path
) -> None:
    flip(backup)
    refused(restore(state="restored", confirm="live"), server, "its checksum is wrong")
    answer = restore()
    assert by_name(answer, "backup.restorable", "live")["status"] == "critical"
    manifest = json.loads(next(backup.parent.glob("*.json")).read_text())
    assert "checksum is wrong" in manifest["proofs"][-1]["problem"]
    # It no longer counts as verified, so it is not the newest one that can be restored.
    refused(restore(state="restored", confirm="live"), server, "no verified backup")


def test_a_missing_file_and_an_edited_manifest_are_refused(
    server: Server, restore: Restore, backup: Path
) -> None:
    data = next(backup.glob("*.dat*"))
    kept = data.read_bytes()
    data.unlink()
    refused(restore(state="restored", confirm="live"), server, "missing")
    data.write_bytes(kept)
    manifest = next(backup.parent.glob("*.json"))
    manifest.write_text(manifest.read_text().replace("20000", "20001"))
    refused(restore(state="restored", confirm="live", backup=str(backup)), server, "was edited")


@pytest.mark.every_version
def test_rows_that_are_not_those_of_the_snapshot_stop_it(
    server: Server, restore: Restore, backup: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A manifest with a right checksum of its own, but of other rows."""
    from ansible_collections.gpt_agent.runbook.plugins.module_utils.postgres.backup import (
        manifest as manifests,
    )

    path = str(next(backup.parent.glob("*.json")))
    known = manifests.read_manifest(path)
    table = manifests.Table("public", "t", "r", 19999)
    manifests.write_manifest(path, manifests.replace(known, tables=(table,)))
    answer = restore(state="restored", confirm="live")
    refused(answer, server, "public.t has 20,000 rows, not 19,999")
    assert "The live database was not touched" in answer["msg"]


def test_what_must_be_right_is_asked_first(server: Server, restore: Restore, backup: Path) -> None:
    for confirm in ("", "shop"):
        answer = restore(state="restored", confirm=confirm)
        assert answer["msg"].startswith("confirm: "), answer
    for state in ("restored", "reverted", "cleaned"):
        answer = restore(state=state, confirm="shop", check=state == "restored")
        said = "confirm: it is 'shop', but the database is live; nothing was changed"
        assert answer["msg"] == said, "whatever it would have done"
    assert restore(state="restored", backup="20200101T000000Z")["msg"].startswith("backup: ")
    refused(restore(state="restored", source="shop"), server, "no verified backup")
    refused(restore(state="reverted", confirm="live"), server, "Nothing can be brought back")
    with server.session(address(server, "live")) as session:
        session.tpc_begin("one")
        session.cursor().execute("SELECT 1")
        session.tpc_prepare()
        refused(restore(state="restored", confirm="live"), server, "1 prepared transaction")
        session.tpc_rollback()
    with server.role("weak") as url:
        answer = restore(state="restored", confirm="live", database="live", database_url=url)
        refused(answer, server, "lacks permission to create databases")


def test_a_role_that_is_missing_is_named(server: Server, restore: Restore, backup: Path) -> None:
    url = address(server, "live")
    run_sql(url, "CREATE TABLE owned (id int)", "ALTER TABLE owned OWNER TO passing")
    assert not restore(state="restored", confirm="live", safety_backup=True).get("failed")
    newest = sorted(backup.parent.glob("*.dir"))[-1]
    assert newest != backup
    for name in ["live", *others(server)]:
        server.admin(f"DROP DATABASE {name} WITH (FORCE)")
    server.admin("DROP ROLE passing")
    try:
        answer = restore(state="restored")
        assert "1 role of the backup" in answer["msg"], answer
        assert "passing" in answer["msg"]
        # As a proof it is good: the data is whole, and the report names what has no owner.
        answer = restore(level=5)
        assert not answer.get("failed"), answer
        load = next(a for a in answer["actions"] if a["name"] == "restore.load")
        assert any("OWNER TO passing" in text for text in load["after"]), load
    finally:
        server.admin("CREATE ROLE passing")


def test_the_backup_of_another_database_replaces_nothing(
    server: Server, run_module: RunModule, restore: Restore, backup: Path, client: Path
) -> None:
    """Its path alone is no sign that it is meant: ``source`` has to name it, too."""
    server.admin("CREATE DATABASE other OWNER app")
    url = address(server, "other")
    run_sql(url, "CREATE TABLE t AS SELECT 1 AS id")
    given = {"database_url": url, "backup_dir": str(backup.parent.parent), "globals": False}
    assert not run_module("pg_backup", {**given, "bin_dir": str(client)}).get("failed")
    path = str(next((backup.parent.parent / "other").glob("*.dir")))
    for more in ({}, {"source": "live"}, {"check": True}):
        answer = restore(state="restored", confirm="live", backup=path, **more)
        assert answer["msg"].startswith("source: the backup is of database 'other'"), answer
    assert (rows(server), others(server)) == (5, [])
    # In the folder of the other one it is not taken for one of its backups either.
    for left in (backup.parent.parent / "other").iterdir():
        left.rename(backup.parent / left.name.replace("20", "30", 1))
    assert not restore(state="restored", confirm="live").get("failed")
    assert rows(server) == 20000


def test_programs_older_than_those_that_wrote_it(
    server: Server, restore: Restore, backup: Path, tmp_path: Path
) -> None:
    (tmp_path / "bin").mkdir()
    program(tmp_path / "bin" / "pg_dump", "echo 'pg_dump (PostgreSQL) 12.1'")
    older = str(tmp_path / "bin")
    answer = restore(state="restored", confirm="live", bin_dir=older)
    refused(answer, server, "pg_dump 12.1 is older than")
    answer = restore(bin_dir=older)
    assert by_name(answer, "backup.restorable", "live")["status"] == "unknown"
    assert "12.1 is older" in by_name(answer, "backup.restorable", "live")["summary"]
    assert by_name(restore(level=3), "backup.restorable", "live")["status"] == "ok"


def test_a_database_without_tables(
    server: Server, run_module: RunModule, restore: Restore, client: Path, tmp_path: Path
) -> None:
    server.admin("CREATE DATABASE live OWNER app")
    given = {"database_url": address(server, "live"), "backup_dir": str(tmp_path / "backups")}
    for form in ("directory", "custom"):
        options = {**given, "bin_dir": str(client), "globals": False, "form": form}
        assert not run_module("pg_backup", options).get("failed")
        time.sleep(1)  # a backup is named after its second
        check = by_name(restore(), "backup.restorable", "live")
        assert (check["status"], check["evidence"][0]["level"]) == ("ok", 6), check
    run_sql(given["database_url"], "CREATE TABLE new AS SELECT 1 AS id")
    assert not restore(state="restored", confirm="live").get("failed")
    assert run_sql(given["database_url"], "SELECT to_regclass('new')") == [(None,)]


def test_rights_to_connect_alone_prove_and_restore_nothing(
    server: Server, restore: Restore, backup: Path
) -> None:
    """Nor do they make a good backup look bad."""
    with server.role("weak") as url:
        for more in ({"state": "restored", "confirm": "live", "database": "live"}, {}):
            answer = restore(database_url=url, **more)
            assert "permission" in str(answer["checks"]), answer
            assert (rows(server), others(server)) == (5, [])
    manifest = json.loads(next(backup.parent.glob("*.json")).read_text())
    assert [proof["problem"] for proof in manifest["proofs"]] == [""]


def test_two_runs_never_work_at_the_same_time(
    server: Server, restore: Restore, backup: Path
) -> None:
    key = "SELECT pg_advisory_lock(1735423090, 3)"
    with server.session(address(server, "postgres")) as holder:
        holder.cursor().execute(key)
        refused(restore(state="restored", confirm="live"), server, "Another run restores")


def test_a_lock_on_the_database_itself_is_waited_for_briefly(
    server: Server, restore: Restore, backup: Path
) -> None:
    with server.session(address(server, "postgres")) as holder:
        holder.cursor().execute("ALTER DATABASE live RENAME TO elsewhere")
        threading.Timer(1.0, holder.rollback).start()
        assert not restore(state="restored", confirm="live").get("failed")
    assert rows(server) == 20000


def test_the_clock_was_set_back(server: Server, restore: Restore, backup: Path) -> None:
    """What was replaced last comes back, and is not what has the latest time of the wrong clock."""
    assert not restore(state="restored", confirm="live").get("failed")
    (first,) = others(server)
    future = Mark("before", format_time(time.time() + 86400), "live")
    server.admin(
        f"ALTER DATABASE {first} RENAME TO {future.name}",
        f"COMMENT ON DATABASE {future.name} IS '{future}'",
    )
    run_sql(address(server, "live"), "DELETE FROM t WHERE id > 7")
    assert not restore(state="restored", confirm="live").get("failed")
    assert rows(server) == 20000
    answer = restore(state="cleaned", keep_days=0.5)
    assert (answer["actions"], len(others(server))) == ([], 2)
    assert not restore(state="reverted", confirm="live").get("failed")
    assert rows(server) == 7


@needs_mount
def test_the_disk_is_full(
    stack: Stack, run_module: RunModule, client: Path, tmp_path: Path
) -> None:
    programs = Path(stack.settings["bin"]["postgres"])
    with mounts_of_its_own(), throwaway(programs, autovacuum="off") as own:
        server = Server(own)
        with mounted(own.home / "small", "tmpfs", options="size=20m") as point:
            (point / "space").mkdir()
            own.identity.own(point, point / "space")
            server.admin(f"CREATE TABLESPACE small LOCATION '{point}/space'")
            taken = made_backup(server, run_module, client, tmp_path, "TABLESPACE small")
            (point / "filler").write_bytes(bytes(free_bytes(point) - 500_000))
            given = arguments(server, taken, client)
            answer = run_module("pg_restore", given)
            refused(answer, server, "No space left on device")
            assert "The live database was not touched" in answer["msg"]
            (point / "filler").unlink()
            assert not run_module("pg_restore", given).get("failed")
            assert rows(server) == 20000


def free_bytes(path: Path) -> int:
    found = os.statvfs(path)
    return found.f_bavail * found.f_frsize
