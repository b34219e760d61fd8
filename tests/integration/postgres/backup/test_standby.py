"""Backups that are taken from a hot standby, while the primary is written to."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg2
import pytest

from tests.conftest import RunModule, by_name
from tests.support.backup_runs import EVERYTHING, Take, listing
from tests.support.postgres import Server, Throwaway, eventually
from tests.support.throwaway import unused_port


@pytest.fixture
def standby(own: Throwaway, server: Server) -> Iterator[str]:
    """A standby of the server, whose database 'shop' has one of everything; yields its URL."""
    server.admin(*EVERYTHING, database="shop")
    data, port, access = own.home / "standby", unused_port(), server.own
    address = ["-h", access["host"], "-p", str(access["port"]), "-U", access["admin_user"]]
    copy = ["-D", str(data), "-R", "--checkpoint=fast", "--no-sync"]
    options = {**own.options, "env": {**own.options["env"], "PGPASSWORD": access["admin_password"]}}
    own.identity.run([own.programs / "pg_basebackup", *address, *copy], **options)
    start = [own.programs / "pg_ctl", "-D", data, "-w"]
    settings = f"{own.arguments} -c port={port} -c unix_socket_directories="
    own.identity.run([*start, "start", "-l", own.home / "log-2", "-o", settings], **own.options)
    url = server.url(access["admin_user"], access["admin_password"], "shop")
    try:
        yield url.replace(f":{access['port']}/", f":{port}/")
    finally:
        own.identity.run([*start, "stop", "-m", "immediate"], **own.options)


def test_a_standby_is_backed_up_and_its_backup_restored(
    server: Server,
    standby: str,
    take: Take,
    folder: Path,
    run_module: RunModule,
    options: dict[str, Any],
) -> None:
    server.admin("INSERT INTO secret SELECT generate_series(3, 1000)", database="shop")

    def replayed() -> bool:
        with psycopg2.connect(standby) as session, session.cursor() as cursor:
            cursor.execute("SELECT count(*) FROM secret")
            return bool(cursor.fetchone() == (1000,))

    eventually(replayed)
    answer = take(database_url=standby)
    assert answer["complete"], answer["msg"]
    (backup,) = listing(folder).backups
    assert backup.manifest is not None
    rows = {table.name: table.rows for table in backup.manifest.tables}
    assert rows["secret"] == 1000
    assert "cache" not in rows, "a standby has no rows of unlogged tables"
    given = {name: options[name] for name in ("backup_dir", "bin_dir")}
    answer = run_module("pg_restore", {**given, "database_url": options["database_url"]})
    assert not answer.get("failed"), answer
    assert by_name(answer, "backup.restorable", "shop")["evidence"][0]["level"] >= 5
    # There nothing can be restored, which says nothing about the backup.
    for more in ({}, {"state": "restored", "confirm": "shop"}):
        answer = run_module("pg_restore", {**given, **more, "database_url": standby})
        assert "The server is a standby" in answer["msg"]
    (backup,) = listing(folder).backups
    assert backup.verified
