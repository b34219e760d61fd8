"""Backups as they should be: every form, what the manifest says, retention, the plan."""

from __future__ import annotations

import json
import subprocess
import threading
from pathlib import Path
from typing import Any

import psycopg2
import pytest

from ansible_collections.gpt_agent.runbook.plugins.module_utils.postgres.backup.contents import (
    read_contents,
)
from ansible_collections.gpt_agent.runbook.plugins.module_utils.postgres.url import parse_url
from demo.age import install
from tests.conftest import by_name
from tests.support.backup_runs import (
    EVERYTHING,
    Take,
    actions,
    for_the_owner_alone,
    listing,
    names,
    program,
)
from tests.support.postgres import Server

ONE = {"daily": 0, "weekly": 0, "monthly": 0, "at_least": 1}


def restored(server: Server, clients: str, path: str) -> str:
    """Restore a backup into a database of its own; returns its URL."""
    own = server.own
    url = server.url(own["admin_user"], own["admin_password"], "restored")
    server.admin("DROP DATABASE IF EXISTS restored", "CREATE DATABASE restored TEMPLATE template0")
    # A newer pg_restore sets what servers before 17 do not know, and goes on after that error.
    subprocess.run([f"{clients}/pg_restore", f"--dbname={url}", path], check=False)
    return url


@pytest.mark.every_version
def test_everything_is_counted_as_it_is_restored(
    server: Server, take: Take, folder: Path, clients: str
) -> None:
    server.admin(*EVERYTHING, database="shop")
    answer = take(globals=True)
    assert answer.get("msg") is None
    assert (answer["changed"], answer["complete"]) == (True, True)
    assert by_name(answer, "backup.run")["status"] == "ok"
    assert for_the_owner_alone(folder)
    (backup,) = listing(folder).backups
    manifest = backup.manifest
    assert manifest is not None
    rows = {table.name: table.rows for table in manifest.tables}
    assert rows == {
        'Größe, "x"': 50,
        "cache": 1,
        "child": 2,
        "mother": 1,
        "parts": 20,
        "parts_1": 10,
        "parts_2": 10,
        "secret": 2,
        "totals": 1,
    }
    assert manifest.large_objects == 1
    assert {row[1]: row[2] for row in manifest.sequences}["unused"] is None
    assert {"app", server.own["admin_user"]} >= set(manifest.roles) >= {"app"}
    assert manifest.properties["owner"] == "app"
    url = restored(server, clients, backup.path)
    found = read_contents(parse_url(url), 10, 10)
    assert (found.tables, found.sequences, found.large_objects) == (
        manifest.tables,
        manifest.sequences,
        manifest.large_objects,
    )
    (globals_,) = listing(folder, "").backups
    assert globals_.manifest is not None
    assert "app" in globals_.manifest.roles


@pytest.mark.every_version
def test_writers_go_on_and_the_counts_are_those_of_the_dump(
    server: Server, take: Take, folder: Path, clients: str
) -> None:
    server.admin(
        "CREATE TABLE t AS SELECT g AS a, md5(g::text) FROM generate_series(1, 20000) g",
        "CREATE SEQUENCE numbers",
        database="shop",
    )
    own, ended = server.own, threading.Event()
    url = server.url(own["admin_user"], own["admin_password"], "shop")

    def write() -> None:
        with psycopg2.connect(url) as connection:
            while not ended.is_set():
                connection.cursor().execute(
                    "INSERT INTO t SELECT nextval('numbers'), 'x' FROM generate_series(1, 9)"
                )
                connection.commit()

    writer = threading.Thread(target=write)
    writer.start()
    try:
        answer = take()
    finally:
        ended.set()
        writer.join()
    assert answer["complete"]
    (backup,) = listing(folder).backups
    assert backup.manifest is not None
    (table,) = backup.manifest.tables
    assert 20000 < table.rows < server.admin("SELECT count(*) FROM t", database="shop")[0][0]
    found = read_contents(parse_url(restored(server, clients, backup.path)), 10, 10)
    assert found.tables == (table,)
    # It belongs to no snapshot. What is restored may be later than noted, and never earlier.
    ((_schema, _name, noted),) = backup.manifest.sequences
    ((_schema, _name, last),) = found.sequences
    assert noted is not None
    assert last is not None
    assert noted <= last


@pytest.mark.parametrize("identity", [False, True], ids=["without the key", "with the key"])
def test_an_encrypted_backup_is_never_plain_on_disk(
    server: Server, take: Take, folder: Path, tmp_path: Path, identity: bool
) -> None:
    server.admin("CREATE TABLE t AS SELECT 'plaintext-marker' AS a", database="shop")
    install(tmp_path / "bin")
    key = tmp_path / "key"
    subprocess.run([tmp_path / "bin/age-keygen", "-o", key], check=True, capture_output=True)
    recipient = key.read_text().split("public key: ")[1].split()[0]
    secret = key.read_text().split()[-1]
    answer = take(
        age_recipients=[recipient],
        age_program=str(tmp_path / "bin/age"),
        compression="none",
        globals=True,
        **({"age_identity": str(key)} if identity else {}),
    )
    assert answer["complete"], answer.get("msg")
    for database in ("shop", ""):
        (name,) = names(folder, database)
        assert name.endswith(".age")
    for path in folder.rglob("*"):
        if path.is_file():
            assert b"plaintext-marker" not in path.read_bytes()
    assert secret not in json.dumps(answer)


def test_another_key_cannot_prove_it_and_leaves_nothing(
    server: Server, take: Take, folder: Path, tmp_path: Path
) -> None:
    install(tmp_path / "bin")
    for name in ("one", "other"):
        subprocess.run(
            [tmp_path / "bin/age-keygen", "-o", tmp_path / name], check=True, capture_output=True
        )
    recipient = (tmp_path / "one").read_text().split("public key: ")[1].split()[0]
    answer = take(
        age_recipients=[recipient],
        age_program=str(tmp_path / "bin/age"),
        age_identity=str(tmp_path / "other"),
    )
    assert "age_identity is not the key of this backup" in answer["msg"]
    assert names(folder) == []


@pytest.mark.every_version
def test_one_file_by_pg_dump_and_by_zstd(server: Server, take: Take, folder: Path) -> None:
    assert take(form="custom", compression="gzip:6")["complete"]
    assert take(form="custom")["complete"]
    first, second = names(folder)
    assert first.endswith(".dump")
    assert second.endswith((".dump.zst", ".dump"))
    answer = take(compression="zstd:3")
    assert answer["complete"] or "cannot compress with zstd" in answer["msg"]


def test_all_databases_but_one(server: Server, take: Take, folder: Path) -> None:
    server.admin('CREATE DATABASE "Ä/b.c"')
    try:
        answer = take(databases=["*"], exclude=["post*", "restored"])
        assert sorted(actions(answer)) == [("backup.dump", "shop"), ("backup.dump", "Ä/b.c")]
        assert len(names(folder, "Ä/b.c")) == 1
    finally:
        server.admin('DROP DATABASE "Ä/b.c"')
    assert take(databases=["nope*"])["msg"].startswith("databases: there is no database 'nope*'")


@pytest.mark.every_version
def test_check_mode_foresees_what_a_run_does(server: Server, take: Take, folder: Path) -> None:
    plan = take(check=True, keep=ONE)
    assert actions(plan, "planned") == [("backup.dump", "shop")]
    assert not folder.exists()
    take()
    take()
    old = [str(folder / "shop" / name) for name in names(folder)]
    plan = take(check=True, keep=ONE)
    removals = [("backup.remove", path) for path in old]
    assert actions(plan, "planned") == [("backup.dump", "shop"), *removals]
    assert len(names(folder)) == 2
    done = take(keep=ONE)
    assert actions(done) == actions(plan, "planned")
    assert len(names(folder)) == 1


def test_a_plan_says_which_slot_each_one_fills(server: Server, take: Take, folder: Path) -> None:
    take()
    plan = take(check=True, keep={"at_least": 2})
    (kept,) = [each for each in plan["actions"] if each["name"] == "backup.keep"]
    assert kept["status"] == "skipped"
    assert kept["reason"] == "kept: newest 2 of 2"


def test_a_failed_run_removes_nothing(
    server: Server, take: Take, folder: Path, tmp_path: Path
) -> None:
    take()
    take()
    answer = take(
        databases=["shop", "postgres"],
        keep=ONE,
        age_recipients=["age1x"],
        age_program=program(tmp_path / "age", "exit 3"),
    )
    assert answer["failed"]
    assert "age failed (exit code 3)" in answer["msg"]
    assert len(names(folder)) == 2


@pytest.fixture
def connect_only(server: Server) -> Any:
    server.admin("CREATE TABLE t (a int)", database="shop")
    with server.role("guest") as url:
        yield url


@pytest.mark.every_version
def test_rights_to_connect_alone_are_too_few(take: Take, folder: Path, connect_only: str) -> None:
    answer = take(database_url=connect_only)
    assert "permission denied for table t" in answer["msg"]
    assert 'GRANT pg_read_all_data TO "guest"' in answer["msg"]
    assert by_name(answer, "backup.run")["status"] == "critical"
    assert names(folder) == []
