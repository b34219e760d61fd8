"""The runbook's own dumps, backup-*.sql.gz: the good ones restore, the others are refused."""

from __future__ import annotations

import gzip
import subprocess
from pathlib import Path

import pytest

from tests.conftest import by_name
from tests.support.postgres import Server
from tests.support.restores import Restore, address, run_sql


@pytest.fixture
def dump(server: Server, client: Path, tmp_path: Path) -> Path:
    """Made by the runbook's literal recipe; the rows have changed since."""
    server.admin("CREATE DATABASE live OWNER app")
    url = address(server, "live")
    run_sql(
        url,
        'CREATE SCHEMA "Übung"',
        'CREATE TABLE "Übung"."t ""1""" (id int PRIMARY KEY, word text)',
        'INSERT INTO "Übung"."t ""1""" SELECT g, E\'a\\n\\\\.\' || g'
        " FROM generate_series(1, 999) g",
        "CREATE TABLE empty (id int)",
    )
    path = tmp_path / "backup-20261128.sql.gz"
    recipe = f"'{client}/pg_dump' '{url}' | gzip > {path}"
    subprocess.run(recipe, shell=True, check=True)
    run_sql(url, 'DELETE FROM "Übung"."t ""1"""')
    return path


def count(server: Server) -> int:
    return int(run_sql(address(server, "live"), 'SELECT count(*) FROM "Übung"."t ""1"""')[0][0])


def rewrite(path: Path, change: bytes, to: bytes) -> None:
    text = gzip.decompress(path.read_bytes())
    assert change in text
    path.write_bytes(gzip.compress(text.replace(change, to, 1)))


@pytest.mark.every_version
def test_a_complete_one_is_restored_and_compared(
    server: Server, restore: Restore, dump: Path
) -> None:
    answer = restore(backup=str(dump))
    assert not answer.get("failed"), answer
    assert by_name(answer, "backup.restorable")["evidence"][0]["level"] == 6
    assert count(server) == 0
    answer = restore(state="restored", confirm="live", backup=str(dump))
    assert not answer.get("failed"), answer
    assert count(server) == 999
    assert "with 999 rows" in by_name(answer, "backup.restored")["summary"]


def test_what_the_recipe_calls_good_is_refused(
    server: Server, restore: Restore, dump: Path, tmp_path: Path
) -> None:
    """``gzip -t`` and ``psql`` succeed with both of them."""
    empty = tmp_path / "empty.sql.gz"
    subprocess.run(f"false | gzip > {empty}", shell=True, check=True)
    cut = tmp_path / "cut.sql.gz"
    text = gzip.decompress(dump.read_bytes())
    cut.write_bytes(gzip.compress(text[: text.index(b"500\t")]))
    for path in (empty, cut):
        subprocess.run(["gzip", "-t", path], check=True)
        answer = restore(state="restored", confirm="live", backup=str(path))
        assert "is not complete" in answer["msg"], answer
    damaged = tmp_path / "damaged.sql.gz"
    damaged.write_bytes(dump.read_bytes()[:-9])
    answer = restore(state="restored", confirm="live", backup=str(damaged))
    assert "is damaged" in answer["msg"], answer
    assert count(server) == 0


@pytest.mark.every_version
def test_an_error_in_it_stops_the_restore(server: Server, restore: Restore, dump: Path) -> None:
    rewrite(dump, b"CREATE TABLE public.empty", b"BUILD TABLE public.empty")
    answer = restore(state="restored", confirm="live", backup=str(dump))
    assert 'syntax error at or near "BUILD"' in answer["msg"], answer
    assert "The live database was not touched" in answer["msg"]
    assert count(server) == 0
    assert server.admin("SELECT datname FROM pg_database WHERE datname LIKE 'live%'") == [("live",)]
