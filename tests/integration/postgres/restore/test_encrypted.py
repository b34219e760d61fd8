"""Encrypted backups: decrypted as a stream, and refused with the wrong key."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest

from demo.age import install
from tests.conftest import RunModule, by_name
from tests.support.postgres import Server
from tests.support.restores import Restore, address, content, run_sql


@pytest.fixture(scope="module")
def programs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with age and age-keygen."""
    folder = tmp_path_factory.mktemp("bin")
    install(folder)
    return folder


def new_key(programs: Path, path: Path) -> tuple[str, str]:
    """The file of a new key, and its public part."""
    subprocess.run([programs / "age-keygen", "-o", path], check=True, capture_output=True)
    keygen = [programs / "age-keygen", "-y", path]
    public = subprocess.run(keygen, check=True, capture_output=True, text=True).stdout.strip()
    return str(path), public


def test_an_encrypted_backup_is_proven_restored_and_followed_by_one(
    server: Server,
    run_module: RunModule,
    restore: Restore,
    client: Path,
    programs: Path,
    tmp_path: Path,
) -> None:
    key, public = new_key(programs, tmp_path / "key")
    other, _public = new_key(programs, tmp_path / "other")
    server.admin("CREATE DATABASE live OWNER app")
    url = address(server, "live")
    run_sql(url, "CREATE TABLE t AS SELECT g, md5(g::text) FROM generate_series(1, 5000) g")
    before = content(url)
    age: dict[str, Any] = {"age_program": str(programs / "age"), "age_identity": key}
    folder = tmp_path / "backups"
    given = {"database_url": url, "backup_dir": str(folder), "bin_dir": str(client)}
    answer = run_module("pg_backup", {**given, **age, "age_recipients": [public], "globals": False})
    assert not answer.get("failed"), answer
    answer = restore(**age)
    assert by_name(answer, "backup.restorable")["evidence"][0]["level"] == 6
    run_sql(url, "DELETE FROM t")
    for wrong in ({**age, "age_identity": other}, {**age, "age_identity": None}):
        answer = restore(state="restored", confirm="live", **wrong)
        assert answer.get("failed"), answer
        assert "age_identity" in answer["msg"]
        assert by_name(restore(**wrong), "backup.restorable")["status"] == "unknown"
    answer = restore(state="restored", confirm="live", **{**age, "safety_backup": True})
    assert not answer.get("failed"), answer
    assert content(url) == before
    files = sorted(path.name for path in (folder / "live").iterdir())
    assert [name.endswith((".age", ".json")) for name in files] == [True] * 4, files
    assert Path(key).read_text().split("AGE-SECRET-KEY-")[1].strip() not in str(answer)
