"""A database of 2 GB, backed up while it is written to, proven and restored; takes minutes.

Only `RUNBOOK_LARGE=1 make databases` runs it, once: on the newest server in POSTGRES_PROGRAMS.
"""

from __future__ import annotations

import os
import threading
import time
from pathlib import Path

import psycopg2
import pytest

from tests.conftest import RunModule, by_name
from tests.support.postgres import FOLDERS, Server
from tests.support.restores import address, run_sql

SIZE = 2_000_000_000
#: Rows of about 1,000 bytes that hardly compress, in three tables of different kinds.
FILL = [
    "CREATE TABLE wide (id bigint PRIMARY KEY, body text)",
    "ALTER TABLE wide ALTER body SET STORAGE external",
    "INSERT INTO wide SELECT g, (SELECT string_agg(md5((g * 31 + h)::text), '')"
    " FROM generate_series(1, 30) h) FROM generate_series(1, 900000) g",
    "CREATE TABLE parts (id bigint, at date, word text) PARTITION BY HASH (id)",
    *[
        f"CREATE TABLE parts_{n} PARTITION OF parts FOR VALUES WITH (MODULUS 4, REMAINDER {n})"
        for n in range(4)
    ],
    "INSERT INTO parts SELECT g, '2026-01-01'::date + (g % 900)::int, md5(g::text)"
    " FROM generate_series(1, 9000000) g",
    "CREATE INDEX ON parts (id); CREATE INDEX ON parts (at, word)",
    "SELECT lo_from_bytea(0, decode(repeat(md5(g::text), 20000), 'hex'))"
    " FROM generate_series(1, 300) g",
    "CREATE TABLE written (id bigint GENERATED ALWAYS AS IDENTITY, word text)",
]
HASHES = [
    "SELECT count(*), sum(hashtextextended(t::text, 0)) FROM wide t",
    "SELECT count(*), sum(hashtextextended(t::text, 0)) FROM parts t",
    "SELECT count(*), sum(hashtextextended(t::text, 0)) FROM written t",
    "SELECT count(*), sum(hashtextextended(encode(data, 'hex'), 0)) FROM pg_largeobject",
]


def hashes(url: str, upto: int) -> list[object]:
    """Rows and a hash of the content of every table; of the one that is written to, up to an ID."""
    limit = f" WHERE id <= {upto}"
    return [run_sql(url, query + limit * ("written" in query)) for query in HASHES]


@pytest.mark.skipif(not FOLDERS, reason="needs a server of POSTGRES_PROGRAMS")
@pytest.mark.skipif(
    "RUNBOOK_LARGE" not in os.environ, reason="takes minutes: RUNBOOK_LARGE=1 runs it"
)
@pytest.mark.parametrize("own", FOLDERS[-1:] or [""], ids=["native-large"], indirect=True)
def test_two_gigabytes_come_back(
    server: Server, run_module: RunModule, client: Path, tmp_path: Path
) -> None:
    server.admin("CREATE DATABASE live OWNER app")
    url = address(server, "live")
    run_sql(url, *FILL)
    assert run_sql(url, "SELECT pg_database_size('live')")[0][0] > SIZE
    stopped = threading.Event()

    def write() -> None:
        with psycopg2.connect(url) as session:
            while not stopped.is_set():
                session.cursor().execute("INSERT INTO written (word) VALUES ('x')")
                session.commit()
                time.sleep(0.01)

    writer = threading.Thread(target=write)
    writer.start()
    given = {
        "database_url": url,
        "backup_dir": str(tmp_path / "backups"),
        "bin_dir": str(client),
    }
    try:
        answer = run_module("pg_backup", {**given, "globals": False}, timeout=900)
    finally:
        stopped.set()
        writer.join()
    assert answer.get("complete"), answer
    print(answer["actions"][0])
    proven = by_name(run_module("pg_restore", given, timeout=900), "backup.restorable", "live")
    assert proven["evidence"][0]["level"] == 6, proven
    print(proven["summary"])
    given = {**given, "state": "restored", "database": "copy", "source": "live"}
    copy = run_module("pg_restore", given, timeout=900)
    assert not copy.get("failed"), copy
    print(by_name(copy, "backup.restored")["summary"])
    ((last,),) = run_sql(address(server, "copy"), "SELECT max(id) FROM written")
    assert 0 < last < run_sql(url, "SELECT max(id) FROM written")[0][0]
    assert hashes(address(server, "copy"), last) == hashes(url, last)
