"""backup_check beside real backups of a real server."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from tests.support.backups import Module, put_backup
from tests.support.postgres import Server, run_sql
from tests.support.throwaway import unused_port


def bad(checks: dict[str, Any]) -> dict[str, str]:
    return {name: check["status"] for name, check in checks.items() if check["status"] != "ok"}


def test_a_new_server_may_be_without_a_backup_for_a_day(look: Module) -> None:
    checks = look()
    assert (list(checks), bad(checks)) == (["age"], {})
    assert "the first is due when it is 26 h" in checks["age"]["not_judged"]


def test_a_backup_makes_every_check_a_verdict(take: Module, look: Module) -> None:
    assert take()["complete"]
    checks = look()
    assert sorted(checks) == ["age", "foreign", "proof", "schedule", "size", "space"]
    assert bad(checks) == {}
    assert "1,000 rows in 1 table" in checks["size"]["summary"]
    assert not checks["age"]["not_judged"]


def test_backups_are_closed_to_others_and_hold_no_password(
    server: Server, take: Module, tmp_path: Path
) -> None:
    take()
    for path in (tmp_path / "backups", *(tmp_path / "backups").rglob("*")):
        assert path.stat().st_mode & 0o077 == 0, path
        if path.is_file():
            content = path.read_bytes()
            assert server.own["password"].encode() not in content, path
            assert server.own["admin_password"].encode() not in content, path


def test_the_next_backup_without_rows_is_noticed(shop: str, take: Module, look: Module) -> None:
    take()
    run_sql(shop, "TRUNCATE orders")
    assert take()["complete"], "there is nothing wrong with the backup itself"
    assert look()["size"]["status"] == "critical"


def test_a_server_that_is_down_hides_no_backup(take: Module, look: Module) -> None:
    name = take()["backups"][0]["database"]
    down = f"postgresql://x@127.0.0.1:{unused_port()}/{name}"
    assert bad(look(down)) == {}
    assert bad(look(None)) == {}
    assert bad(look("http://x")) == {}, "pg_health says what is wrong with it"
    empty = look(down, backup_dir="/nonexistent")
    assert bad(empty) == {"age": "critical"}, "nothing shows that the server is new"
    assert "None can be taken while PostgreSQL gives no answer" in empty["age"]["remedy"]
    for more in ({"databases": ["*"]}, {"url": None}):
        nothing = look(**{"url": down, "backup_dir": "/nonexistent", **more})
        assert bad(nothing) == {"age": "critical"}, "nothing tells which databases there are"


def test_every_database_of_the_server_is_looked_at(
    server: Server, shop: str, take: Module, look: Module
) -> None:
    backups = take(server.admin_url, databases=["*"])
    assert backups["complete"]
    checks = look(databases=["*"], exclude=["db_*"])
    assert bad(checks) == {}
    assert checks["space"]["value"] == 1000


def test_without_a_folder_nobody_knows(look: Module) -> None:
    checks = look(backup_dir=None)
    assert bad(checks) == {"age": "unknown"}
    assert "Set backup_dir" in checks["age"]["remedy"]


def test_damage_shows_without_reading_the_backup(
    take: Module, look: Module, tmp_path: Path
) -> None:
    take()
    path = Path(take(form="directory")["backups"][0]["path"])
    os.truncate(path / "toc.dat", 100)
    checks = look()
    assert bad(checks) == {"proof": "critical", "foreign": "critical"}, "one good one is left"
    assert "toc.dat has 100 bytes" in checks["proof"]["summary"]


def test_programs_that_cannot_read_the_backup_are_found(look: Module, tmp_path: Path) -> None:
    name = look()["age"]["subject"]
    put_backup(tmp_path / "backups", name, client_version="99.1")
    checks = look()
    assert bad(checks) == {"proof": "warning"}
    assert "PostgreSQL 99" in checks["proof"]["remedy"]
