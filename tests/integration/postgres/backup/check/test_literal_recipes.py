"""The runbook's own recipes beside ours, on the same cases: what they call good and we call bad.

``pg_dump $DATABASE_URL | gzip > FILE``, then ``gzip -t FILE``; restored by
``gunzip -c FILE | psql $DATABASE_URL``.
"""

from __future__ import annotations

import os
import subprocess
import time
from pathlib import Path

import pytest

from ansible_collections.gpt_agent.runbook.plugins.module_utils.postgres.backup.archive import (
    Reader,
)
from ansible_collections.gpt_agent.runbook.plugins.module_utils.postgres.backup.manifest import (
    read_manifest,
)
from ansible_collections.gpt_agent.runbook.plugins.module_utils.postgres.backup.proof import prove
from ansible_collections.gpt_agent.runbook.plugins.module_utils.postgres.programs import (
    find_programs,
)
from tests.support.backups import Module, put_backup
from tests.support.postgres import Server, database, run_sql
from tests.support.throwaway import unused_port


class Literal:
    """The recipes, as a shell carries them out."""

    def __init__(self, programs: Path, folder: Path) -> None:
        self.programs, self.file = programs, folder / "backup-20261128-030000.sql.gz"

    def sh(self, script: str, **environment: str) -> int:
        path = f"{self.programs}:{os.environ['PATH']}"
        return subprocess.run(
            ["/bin/sh", "-c", script],
            env={**os.environ, "PATH": path, "FILE": str(self.file), **environment},
            capture_output=True,
            check=False,
        ).returncode

    def take(self, url: str) -> int:
        return self.sh('pg_dump "$DATABASE_URL" | gzip > "$FILE"', DATABASE_URL=url)

    def good(self) -> bool:
        return self.sh('gzip -t "$FILE"') == 0

    def restore(self, url: str) -> int:
        return self.sh('gunzip -c "$FILE" | psql "$DATABASE_URL"', DATABASE_URL=url)


@pytest.fixture
def literal(programs: Path, tmp_path: Path) -> Literal:
    return Literal(programs, tmp_path)


def test_a_dump_that_failed_is_good_for_them(
    shop: str, literal: Literal, take: Module, look: Module, tmp_path: Path
) -> None:
    """The server is down, or the password wrong: an empty file, and exit code 0."""
    nowhere = f"postgresql://x@127.0.0.1:{unused_port()}/shop"
    assert (literal.take(nowhere), literal.good()) == (0, True)
    assert literal.file.stat().st_size < 40
    ours = take(nowhere)
    assert {check["status"] for check in ours["checks"]} == {"critical"}
    assert not list(tmp_path.glob("backups/*/*"))


def test_a_dump_of_what_the_role_may_not_read_is_good_for_them(
    server: Server, shop: str, literal: Literal, take: Module, tmp_path: Path
) -> None:
    with server.role("reader") as login:
        theirs = login.rpartition("/")[0] + "/" + shop.rpartition("/")[2]
        assert (literal.take(theirs), literal.good()) == (0, True)
        ours = take(theirs)
    assert not ours["complete"]
    assert "permission denied" in ours["checks"][0]["summary"]
    assert not list(tmp_path.glob("backups/db_*/*"))


def test_a_dump_that_was_cut_off_is_good_for_them_and_restores_without_its_end(
    server: Server, shop: str, literal: Literal, take: Module, look: Module
) -> None:
    """pg_dump was killed in the middle of a table: gzip closes its file properly."""
    cut = 'pg_dump "$DATABASE_URL" | head -c 9000 | gzip > "$FILE"'
    assert literal.sh(cut, DATABASE_URL=shop) == 0
    assert literal.good()
    with database(server, "restored") as restored:
        assert literal.restore(restored) == 0
        (rows,) = run_sql(restored, "SELECT count(*) FROM orders")[0]
        assert rows < 1000, "rows are missing, and nothing said so"
        indexes = run_sql(restored, "SELECT 1 FROM pg_indexes WHERE tablename = 'orders'")
        assert indexes == [], "nor is there a primary key"
    path = Path(take()["backups"][0]["path"])
    os.truncate(path, path.stat().st_size // 2)
    assert {name: look()[name]["status"] for name in ("age", "proof", "foreign")} == {
        "age": "critical",
        "proof": "critical",
        "foreign": "critical",
    }


def test_a_restore_with_errors_is_good_for_them(
    server: Server, shop: str, literal: Literal
) -> None:
    """It writes over what is there: every statement fails, and the exit code is 0."""
    literal.take(shop)
    run_sql(shop, "UPDATE orders SET text = 'new' WHERE id = 1")
    assert literal.restore(shop) == 0
    assert run_sql(shop, "SELECT text FROM orders WHERE id = 1") == [("new",)], "not restored"


def test_an_old_dump_is_as_good_as_a_new_one_for_them(
    shop: str, literal: Literal, look: Module, tmp_path: Path
) -> None:
    literal.take(shop)
    week = time.time() - 7 * 86400
    os.utime(literal.file, (week, week))
    assert literal.good()
    put_backup(tmp_path / "backups", look()["age"]["subject"], hours=7 * 24)
    assert look()["age"]["status"] == "critical"


def test_a_flipped_byte_is_bad_for_both(
    shop: str, literal: Literal, take: Module, programs: Path
) -> None:
    """What gzip -t is good for; ours knows it by a checksum, whatever the compression."""
    literal.take(shop)
    path = Path(take(compression="none")["backups"][0]["path"])
    for file in (literal.file, path):
        content = bytearray(file.read_bytes())
        content[len(content) // 2] ^= 255
        file.write_bytes(content)
    assert not literal.good()
    manifest = read_manifest(str(next(path.parent.glob("*.manifest.json"))))
    found = prove(str(path), manifest, 3, Reader(find_programs(0, str(programs))))
    assert found.level == 0
    assert "checksum is wrong" in found.problem
