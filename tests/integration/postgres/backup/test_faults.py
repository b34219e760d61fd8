"""What goes wrong: old backups stay, the report says what happened, the next run is clean."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.gpt_agent.runbook.plugins.module_utils.postgres.backup.naming import (
    format_time,
)
from demo.processes import wait_until
from tests.conftest import finish, start_module
from tests.support.backup_runs import Take, actions, listing, names, program, reason
from tests.support.mounts import mounted
from tests.support.postgres import Server

#: Moments at which a run is killed.
KILLS = 20


@pytest.fixture
def filled(server: Server) -> Server:
    """A database whose dump fills every pipe."""
    server.admin(
        "CREATE TABLE t AS SELECT g AS a, md5(g::text) FROM generate_series(1, 30000) g",
        database="shop",
    )
    return server


def descendants(pid: int) -> dict[str, tuple[int, str]]:
    """The programs that a process has started, with their pids and command lines."""
    found: dict[str, tuple[int, str]] = {}
    for path in Path("/proc").glob("[0-9]*"):
        try:
            parent = int((path / "stat").read_text().rpartition(")")[2].split()[1])
            words = (path / "cmdline").read_bytes().replace(b"\0", b" ").decode()
        except (OSError, IndexError):
            continue
        if parent == pid and words:
            found[os.path.basename(words.split()[0])] = (int(path.name), words)
    return found


@contextmanager
def stuck(options: dict[str, Any], tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """A run in the middle of a table: what encrypts takes a little, and then waits for a file."""
    wait = f"head -c 1000; while [ ! -e {tmp_path}/go ]; do sleep 0.05; done; exec cat"
    slow = program(tmp_path / "age", wait)
    given = {**options, "age_recipients": ["age1x"], "age_program": slow, "compression": "none"}
    process = start_module("pg_backup", {**given, "form": "custom"})
    try:
        assert wait_until(lambda: (tmp_path / "age").exists() and writing(options), 20, 0.02)
        yield process
    finally:
        process.kill()
        process.communicate()


def writing(options: dict[str, Any]) -> bool:
    """Whether the beginning of a backup is on disk."""
    folder = Path(options["backup_dir"], "shop")
    return any(path.stat().st_size for path in folder.glob(".partial-*.age"))


def answer_of(process: subprocess.Popen[str]) -> dict[str, Any]:
    output, errors = finish(process, 60)
    assert output.strip(), errors
    answer: dict[str, Any] = json.loads(output.strip().splitlines()[-1])
    return answer


@pytest.mark.every_version
def test_pg_dump_is_killed_in_the_middle_of_a_table(
    filled: Server, take: Take, options: dict[str, Any], folder: Path, tmp_path: Path
) -> None:
    take()
    with stuck(options, tmp_path) as process:
        os.kill(descendants(process.pid)["pg_dump"][0], signal.SIGKILL)
        (tmp_path / "go").touch()
        answer = answer_of(process)
    assert reason(answer) == "pg_dump failed (killed by SIGKILL)"
    assert len(names(folder)) == 1
    assert take()["complete"]


def test_no_secret_is_in_a_command_line(
    filled: Server, options: dict[str, Any], tmp_path: Path
) -> None:
    with stuck(options, tmp_path) as process:
        lines = {name: words for name, (_pid, words) in descendants(process.pid).items()}
        (tmp_path / "go").touch()
        answer = answer_of(process)
    assert {"pg_dump", "tee", "pg_restore"} <= set(lines)
    password = filled.own["admin_password"]
    assert not [words for words in lines.values() if password in words]
    assert password not in str(answer)


def test_the_server_is_restarted_in_the_middle(
    filled: Server, take: Take, options: dict[str, Any], folder: Path, tmp_path: Path
) -> None:
    take()
    with stuck(options, tmp_path) as process:
        filled.stack.stop()
        filled.stack.start()
        (tmp_path / "go").touch()
        answer = answer_of(process)
    assert answer["failed"]
    assert actions(answer, "failed") == [("backup.dump", "shop")]
    assert len(names(folder)) == 1
    assert take()["complete"]


def test_two_runs_at_once(
    filled: Server, take: Take, options: dict[str, Any], folder: Path, tmp_path: Path
) -> None:
    with stuck(options, tmp_path) as process:
        second = take()
        assert f"Another run (process {process.pid}, for " in second["msg"]
        (tmp_path / "go").touch()
        assert answer_of(process)["complete"]
    assert len(names(folder)) == 1


def test_a_run_is_ended_by_a_signal(
    filled: Server, options: dict[str, Any], folder: Path, tmp_path: Path
) -> None:
    with stuck(options, tmp_path) as process:
        process.terminate()
        finish(process, 30)
    assert names(folder) == []


@pytest.mark.every_version
def test_a_table_is_locked(filled: Server, take: Take, folder: Path) -> None:
    own = filled.own
    url = filled.url(own["admin_user"], own["admin_password"], "shop")
    with filled.session(url) as other:
        other.cursor().execute("LOCK TABLE t IN ACCESS EXCLUSIVE MODE")
        answer = take(lock_wait=0.2)
    assert "another session has locked a table" in reason(answer)
    assert names(folder) == []
    assert take()["complete"]


def test_the_time_limit_ends_it(
    filled: Server, take: Take, options: dict[str, Any], folder: Path, tmp_path: Path
) -> None:
    slow = program(tmp_path / "age", "exec sleep 60")
    answer = take(age_recipients=["age1x"], age_program=slow, compression="none", time_limit=1.5)
    assert "it was ended after 1.5 s" in reason(answer)
    assert names(folder) == []


def test_the_disk_is_full(filled: Server, take: Take, folder: Path) -> None:
    folder.mkdir(mode=0o700)
    before = take(keep_free="1000T")
    assert "must stay free" in reason(before)
    assert not list(folder.glob("shop/*"))
    # What is compressed in the table is not in the dump, so it is larger than expected.
    filled.admin(
        "CREATE TABLE u AS SELECT repeat('x', 1000000) AS a FROM generate_series(1, 30)",
        database="shop",
    )
    with mounted(folder, "tmpfs", options="size=12m,mode=700"):
        answer = take(keep_free="0", compression="none")
        assert "No space left on device" in reason(answer)
        assert names(folder) == []


def test_room_that_vanishes_ends_it(filled: Server, take: Take, folder: Path) -> None:
    folder.mkdir(mode=0o700)
    with mounted(folder, "tmpfs", options="size=4m,mode=700"):
        answer = take(keep_free="3500K", form="custom", compression="none")
        assert "must stay free" in reason(answer)
        assert names(folder) == []


def test_a_clock_that_was_wrong_removes_nothing(filled: Server, take: Take, folder: Path) -> None:
    take()
    take()
    (_first, newest) = listing(folder).backups
    future = format_time(time.time() + 86400)
    rename(newest.path, newest.manifest_path, future)
    answer = take(keep={"daily": 0, "weekly": 0, "monthly": 0, "at_least": 1})
    assert answer["complete"]
    assert actions(answer) == [("backup.dump", "shop")]


def rename(path: str, manifest: str, time_: str) -> None:
    """Give a backup another time."""
    folder = Path(path).parent
    Path(path).rename(folder / f"{time_}.dir")
    Path(manifest).rename(folder / f"{time_}.manifest.json")


def test_a_client_that_is_too_old(server: Server, take: Take, tmp_path: Path) -> None:
    program(tmp_path / "pg_dump", "echo 'pg_dump (PostgreSQL) 12.1'")
    answer = take(bin_dir=str(tmp_path))
    assert "pg_dump 12.1 is older than the server" in answer["msg"]
    assert not answer["actions"]


def test_killed_between_the_two_renames(filled: Server, take: Take, folder: Path) -> None:
    take()
    (backup,) = listing(folder).backups
    partial = Path(backup.folder, f".partial-0a1b2c3d-{backup.name.manifest}")
    Path(backup.manifest_path).rename(partial)
    (Path(backup.folder) / ".partial-0a1b2c3d-20260101T000000Z.dir").mkdir()
    plan = take(check=True)
    assert len(actions(plan, "planned")) == 3
    assert partial.exists()
    answer = take()
    swept = [each["reason"] for each in answer["actions"] if each["name"] == "backup.sweep"]
    assert swept == [
        f"completed {backup.name}, whose run was killed at its very end",
        "removed what a killed run left behind",
    ]
    assert len(names(folder)) == 2


def test_killed_at_any_moment(
    filled: Server, take: Take, options: dict[str, Any], folder: Path
) -> None:
    """Whatever has a final name is good, and the next run is clean."""
    take()
    numbers = random.Random(11)
    keep = {"daily": 0, "weekly": 0, "monthly": 0, "at_least": 1}
    for _kill in range(KILLS):
        process = start_module("pg_backup", {**options, "keep": keep})
        time.sleep(numbers.uniform(0.25, 1.3))
        process.kill()
        process.communicate()
        found = listing(folder)
        good = [backup for backup in found.backups if backup.verified]
        assert good, "the last good backup is gone"
    answer = take(keep=keep)
    assert answer["complete"], answer
    assert len(names(folder)) == 1
