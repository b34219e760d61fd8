"""A database with everything in it, backed up, replaced by its backup, and brought back."""

from __future__ import annotations

import json
import threading
import time
from pathlib import Path

import psycopg2
import pytest

from tests.conftest import RunModule, by_name
from tests.support.postgres import Server
from tests.support.restores import (
    EVERYTHING,
    Restore,
    address,
    content,
    properties,
    run_sql,
    schema,
)


@pytest.fixture
def backed_up(server: Server, run_module: RunModule, client: Path, tmp_path: Path) -> str:
    """The database ``live`` with everything in it, and one backup; yields its URL."""
    server.admin("CREATE DATABASE live OWNER app ENCODING 'UTF8'", *properties("live"))
    url = address(server, "live")
    run_sql(url, *EVERYTHING)
    answer = run_module(
        "pg_backup",
        {"database_url": url, "backup_dir": str(tmp_path / "backups"), "bin_dir": str(client)},
    )
    assert not answer.get("failed"), answer
    return url


def facts(server: Server, database: str) -> object:
    """What belongs to a database and is in no dump."""
    return server.admin(
        "SELECT pg_get_userbyid(datdba), datacl::text, datconnlimit, datcollate,"
        " pg_encoding_to_char(encoding), shobj_description(oid, 'pg_database'),"
        " (SELECT json_agg(json_build_object('r', setrole::regrole, 's', setconfig)"
        " ORDER BY setrole)"
        f"  FROM pg_db_role_setting WHERE setdatabase = d.oid) FROM pg_database d"
        f" WHERE datname = '{database}'"
    )


@pytest.mark.every_version
def test_everything_comes_back_and_can_be_undone(
    server: Server, restore: Restore, backed_up: str, client: Path
) -> None:
    before = (content(backed_up), schema(backed_up, client), facts(server, "live"))
    oid = server.admin("SELECT oid FROM pg_database WHERE datname = 'live'")
    run_sql(backed_up, "DELETE FROM parent", "DROP TABLE egg CASCADE")
    damaged = content(backed_up)
    answer = restore(state="restored", confirm="live")
    assert not answer.get("failed"), answer
    check = by_name(answer, "backup.restored")
    assert (check["status"], check["evidence"]) == (
        "ok",
        [{"note": "materialised view public.many was refreshed: 12 rows, not 11"}],
    )
    assert (content(backed_up), schema(backed_up, client), facts(server, "live")) == before
    assert server.admin("SELECT oid FROM pg_database WHERE datname = 'live'") != oid
    assert run_sql(backed_up, "SELECT count(*) FROM pg_stats WHERE tablename = 'parent'") != [(0,)]
    kept = server.admin("SELECT datname FROM pg_database WHERE datname LIKE 'live_before_%'")
    assert content(address(server, kept[0][0])) == damaged

    answer = restore(state="reverted", confirm="live")
    assert not answer.get("failed"), answer
    assert content(backed_up) == damaged
    assert server.admin("SELECT oid FROM pg_database WHERE datname = 'live'") == oid
    assert facts(server, "live") == before[2]

    assert [a["status"] for a in restore(state="cleaned", check=True)["actions"]] == []
    planned = restore(state="cleaned", keep_days=0, check=True)["actions"]
    assert [action["status"] for action in planned] == ["planned"]
    assert not restore(state="cleaned", keep_days=0).get("failed")
    assert server.admin("SELECT datname FROM pg_database WHERE datname LIKE 'live%'") == [("live",)]


@pytest.mark.every_version
def test_the_backup_is_proven_and_its_manifest_says_so(
    server: Server, restore: Restore, backed_up: str, tmp_path: Path
) -> None:
    answer = restore()
    assert not answer.get("failed"), answer
    assert by_name(answer, "backup.restorable", "live")["evidence"][0]["level"] == 6
    assert server.admin("SELECT datname FROM pg_database WHERE datname LIKE 'live%'") == [("live",)]
    manifest = json.loads(next((tmp_path / "backups/live").glob("*.manifest.json")).read_text())
    proof = manifest["proofs"][-1]
    assert (proof["level"], proof["wanted"], proof["problem"]) == (6, 6, "")
    assert proof["seconds"] > 0
    assert proof["where"].startswith("127.0.0.1:")


def test_an_app_is_held_off_for_less_than_a_second(
    server: Server, restore: Restore, backed_up: str
) -> None:
    """It reconnects as a pool does; every session that it gets is in one of the two databases."""
    stopped = threading.Event()
    gaps: list[float] = []
    refused: list[str] = []

    def work() -> None:
        last = time.monotonic()
        connection = None
        while not stopped.is_set():
            try:
                connection = connection or psycopg2.connect(backed_up)
                connection.cursor().execute("SELECT count(*) FROM parent")
                gaps.append(time.monotonic() - last)
                last = time.monotonic()
            except psycopg2.Error as error:
                refused.append(str(error))
                connection = None
            time.sleep(0.005)
        if connection:
            connection.close()

    threads = [threading.Thread(target=work) for _ in range(3)]
    for thread in threads:
        thread.start()
    answer = restore(state="restored", confirm="live")
    time.sleep(0.3)
    stopped.set()
    for thread in threads:
        thread.join()
    assert not answer.get("failed"), answer
    swap = next(a for a in answer["actions"] if a["name"] == "restore.swap")
    assert swap["after"]["ended"] == 3
    assert swap["after"]["held_seconds"] < 1
    assert max(gaps) < 1.5, (max(gaps), refused)
    assert "3 sessions ended" in by_name(answer, "backup.restored")["summary"]


def test_a_copy_beside_the_live_database_needs_no_confirmation(
    server: Server, restore: Restore, backed_up: str
) -> None:
    answer = restore(state="restored", database="copy of ü", source="live")
    assert not answer.get("failed"), answer
    assert content(address(server, "copy of ü")) == content(backed_up)
    assert facts(server, "copy of ü") == facts(server, "live")


@pytest.mark.every_version
def test_tables_are_restored_beside_the_live_ones(
    server: Server, restore: Restore, backed_up: str
) -> None:
    tables = ["Übung.Mixed Case", "events", "parent"]
    run_sql(backed_up, "DELETE FROM parent WHERE id > 3")
    before = content(backed_up)
    planned = restore(state="restored", tables=tables, check=True)["actions"]
    assert [action["name"] for action in planned] == ["restore.table"] * 3
    answer = restore(state="restored", tables=tables)
    assert not answer.get("failed"), answer
    after = content(backed_up)
    assert {name: after[name] for name in before} == before
    counts = {
        name.partition("_restored_")[0]: run_sql(backed_up, f"SELECT count(*) FROM {name}")[0][0]
        for name in after.keys() - before.keys()
    }
    assert counts == {'"Mixed Case': 3000, "events": 400, "parent": 11}
    assert server.admin("SELECT datname FROM pg_database WHERE datname LIKE 'live%'") == [("live",)]
    wrong = restore(state="restored", tables=["nothing"])
    assert wrong["msg"].startswith("tables: the backup has no table 'nothing'")
