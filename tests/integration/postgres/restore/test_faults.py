"""pg_restore when something fails: the live database is whole, and the next run succeeds."""

from __future__ import annotations

import json
import os
import random
import signal
import threading
import time
from pathlib import Path
from typing import Any

import psycopg2
import pytest

from ansible_collections.gpt_agent.runbook.plugins.module_utils.postgres.restore.names import (
    Mark,
    format_time,
)
from demo.stack import Stack
from tests.conftest import RunModule, by_name, start_module
from tests.support.backup_runs import program
from tests.support.mounts import mounted, mounts_of_its_own, needs_mount
from tests.support.postgres import Server, Throwaway, eventually, throwaway
from tests.support.restores import Restore, address, flip, run_sql

#: Moments at which a restore is killed.
KILLS = 20


@pytest.fixture
def backup(server: Server, run_module: RunModule, client: Path, tmp_path: Path) -> Path:
    return made_backup(server, run_module, client, tmp_path)


def made_backup(
    server: Server, run_module: RunModule, client: Path, folder: Path, more: str = ""
) -> Path:
    """The backup of a small database ``live``, whose rows have changed since."""
    server.admin("CREATE DATABASE live OWNER app")
    url = address(server, "live")
    run_sql(
        url,
        f"CREATE TABLE t (id int PRIMARY KEY, word text) {more}",
        "INSERT INTO t SELECT g, md5(g::text) FROM generate_series(1, 20000) g",
    )
    backups = folder / "backups"
    options = {"database_url": url, "backup_dir": str(backups), "bin_dir": str(client)}
    answer = run_module("pg_backup", {**options, "globals": False})
    assert not answer.get("failed"), answer
    run_sql(url, "DELETE FROM t WHERE id > 5")
    return next((backups / "live").glob("*.dir"))


def rows(server: Server) -> int:
    return int(run_sql(address(server, "live"), "SELECT count(*) FROM t")[0][0])


def others(server: Server) -> list[str]:
    """Databases that a restore has made."""
    found = server.admin("SELECT datname FROM pg_database WHERE datname LIKE 'live!_%' ESCAPE '!'")
    return [name for (name,) in found]


def unfinished(server: Server) -> list[str]:
    """New databases that are not in use yet."""
    return [name for name in others(server) if "_restore_" in name]


def refused(answer: dict[str, Any], server: Server, words: str) -> None:
    """The run has failed with these words, and the live database is as it was."""
    assert answer.get("failed"), answer
    assert words in answer["msg"], answer["msg"]
    assert (rows(server), others(server)) == (5, [])


def arguments(server: Server, backup: Path, client: Path) -> dict[str, Any]:
    return {
        "database_url": address(server, "live"),
        "backup_dir": str(backup.parent.parent),
        "bin_dir": str(client),
        "safety_backup": False,
        "state": "restored",
        "confirm": "live",
    }


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


def test_the_server_restarts_meanwhile(
    server: Server, own: Throwaway, backup: Path, client: Path, restore: Restore
) -> None:
    run_sql(address(server, "live"), "SELECT 1")
    given = arguments(server, backup, client)
    with start_module("pg_restore", given) as module:
        eventually(lambda: others(server))
        own.stop()
        own.start()
        output, _errors = module.communicate(timeout=60)
    assert "The live database was not touched" in json.loads(output)["msg"]
    assert rows(server) == 5
    assert not restore(state="restored", confirm="live").get("failed")
    assert rows(server) == 20000


def test_a_kill_at_any_moment_leaves_the_old_or_the_new(
    server: Server, backup: Path, client: Path, restore: Restore
) -> None:
    """The next run drops what the killed one has left, so kills can follow each other."""
    chosen = random.Random(11)
    for _kill in range(KILLS):
        swapped = rows(server) == 20000
        with start_module("pg_restore", arguments(server, backup, client)) as module:
            time.sleep(chosen.uniform(0.2, 2.0))
            module.send_signal(signal.SIGKILL)
            module.communicate()
        eventually(lambda: not server.admin(SESSIONS))
        assert rows(server) in ((20000,) if swapped else (5, 20000))
        assert len(unfinished(server)) <= 1, others(server)
    answer = restore(state="restored", confirm="live")
    assert not answer.get("failed"), answer
    assert rows(server) == 20000
    assert all("_before_" in name for name in others(server)), others(server)


def test_a_kill_before_a_database_was_marked(
    server: Server, restore: Restore, backup: Path
) -> None:
    """What no one ever could connect to is dropped; what someone made by hand is not."""
    by_hand, filled, left = (f"live_restore_20260101_00000{number}" for number in range(3))
    server.admin(f"CREATE DATABASE {by_hand}", f"CREATE DATABASE {filled}")
    run_sql(address(server, filled), "CREATE TABLE t AS SELECT generate_series(1, 20000) g")
    closed = "ALLOW_CONNECTIONS false"
    server.admin(f"ALTER DATABASE {filled} {closed}", f"CREATE DATABASE {left} {closed}")
    plan = restore(state="restored", check=True)["actions"]
    assert [each["subject"] for each in plan if each["name"] == "restore.drop"] == [left]
    assert not restore(state="restored", confirm="live").get("failed")
    assert sorted(unfinished(server)) == [by_hand, filled]


SESSIONS = "SELECT 1 FROM pg_stat_activity WHERE application_name LIKE 'gpt_agent.runbook/pg_rest%'"


def test_a_kill_between_the_renames_changes_nothing(
    server: Server, backup: Path, client: Path
) -> None:
    """The new database is in use, so the second rename waits; the first one is never seen."""
    with start_module("pg_restore", arguments(server, backup, client)) as module:
        eventually(lambda: others(server))
        new = others(server)[0]
        stopped = threading.Event()

        def keep_in_use() -> None:
            """New sessions again and again, which cannot be ended: prepared transactions."""
            while not stopped.is_set():
                try:
                    with server.session(address(server, new)) as session:
                        session.tpc_begin("kept")
                        session.cursor().execute("SELECT 1")
                        session.tpc_prepare()
                    return
                except psycopg2.Error:  # noqa: PERF203 - it is tried until it works
                    time.sleep(0.01)

        thread = threading.Thread(target=keep_in_use)
        thread.start()
        held = "SELECT 1 FROM pg_stat_activity WHERE query LIKE 'ALTER DATABASE \"live!_res%'"
        eventually(lambda: server.admin(f"{held} ESCAPE '!'"))
        module.send_signal(signal.SIGKILL)
        module.communicate()
        stopped.set()
        thread.join()
    eventually(lambda: not server.admin(SESSIONS))
    assert rows(server) == 5
    assert others(server) == [new]
    run_sql(address(server, new), "ROLLBACK PREPARED 'kept'")
