"""pg_restore when something ends in the middle of it: the module, its programs, the server."""

from __future__ import annotations

import json
import random
import signal
import time
from pathlib import Path

from tests.conftest import by_name, finish, start_module
from tests.support.backup_runs import program
from tests.support.holding import Gate, gated_programs
from tests.support.mounts import mounted, mounts_of_its_own, needs_mount
from tests.support.postgres import Server, Throwaway, eventually
from tests.support.restores import (
    Restore,
    address,
    arguments,
    others,
    proofs,
    rows,
    run_sql,
    unfinished,
)

#: Moments at which a restore is killed.
KILLS = 20
SESSIONS = "SELECT 1 FROM pg_stat_activity WHERE application_name LIKE 'gpt_agent.runbook/pg_rest%'"


def gated(client: Path, folder: Path) -> tuple[Path, Gate]:
    """Programs with which a restore waits at a gate once its new database is there."""
    gate = Gate(folder / "gate")
    return gated_programs(client, folder / "bin", "pg_restore", gate, "*dbname=*"), gate


def test_the_server_restarts_meanwhile(
    server: Server, own: Throwaway, backup: Path, client: Path, restore: Restore, tmp_path: Path
) -> None:
    programs, gate = gated(client, tmp_path)
    with start_module("pg_restore", arguments(server, backup, programs)) as module:
        with gate.reached():
            assert others(server)
            own.stop()
            own.start()
        output, _errors = module.communicate(timeout=60)
    assert "The live database was not touched" in json.loads(output)["msg"]
    assert rows(server) == 5
    assert not restore(state="restored", confirm="live").get("failed")
    assert rows(server) == 20000


def test_a_proof_that_the_server_ends_says_nothing_about_the_backup(
    server: Server, own: Throwaway, backup: Path, client: Path, restore: Restore
) -> None:
    given = {**arguments(server, backup, client), "state": "verified", "confirm": ""}
    with start_module("pg_restore", given) as module:
        eventually(lambda: others(server))
        module.send_signal(signal.SIGSTOP)
        own.stop()
        own.start()
        module.send_signal(signal.SIGCONT)
        output, _errors = module.communicate(timeout=60)
    check = by_name(json.loads(output), "backup.restorable", "live")
    assert check["status"] == "unknown", check
    assert proofs(backup) == [(3, "")]
    assert not restore(level=4).get("failed")
    assert others(server) == []


def test_a_program_that_is_killed_says_nothing_about_the_backup(
    server: Server, backup: Path, client: Path, restore: Restore, tmp_path: Path
) -> None:
    """Such as by the kernel, for want of memory: while it decodes, and while it loads."""
    (tmp_path / "bin").mkdir()
    for name in ("pg_dump", "psql", "vacuumdb"):
        (tmp_path / "bin" / name).symlink_to(client / name)
    for when, level in (("--file=/dev/null", 3), ("--no-subscriptions", 4)):
        script = f'case "$*" in *{when}*) kill -KILL $$;; esac; exec {client}/pg_restore "$@"'
        program(tmp_path / "bin" / "pg_restore", script)
        answer = restore(level=level, bin_dir=str(tmp_path / "bin"))
        check = by_name(answer, "backup.restorable", "live")
        assert (check["status"], "killed by SIGKILL" in check["summary"]) == ("unknown", True), (
            check
        )
        assert proofs(backup) == [(3, "")]


@needs_mount
def test_a_proof_without_room_says_nothing_about_the_backup(
    server: Server, backup: Path, client: Path, own: Throwaway
) -> None:
    """On a temporary server whose disk is full; nothing of it is left."""
    point = own.home.parent / "full"
    point.mkdir()
    given = {
        "backup_dir": str(backup.parent.parent),
        "bin_dir": str(client),
        "temporary_server": True,
        "temporary_dir": str(point),
    }
    with mounts_of_its_own(), mounted(point, "tmpfs", options="size=16m,mode=1777"):
        answer = json.loads(finish(start_module("pg_restore", given), 60)[0])
        assert "No space left" in answer["msg"], answer
        assert list(point.iterdir()) == []
    point.rmdir()
    assert proofs(backup) == [(3, "")]


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


def test_a_kill_between_the_renames_changes_nothing(
    server: Server, backup: Path, client: Path, tmp_path: Path
) -> None:
    """The new database is in use, so the second rename waits; the first one is never seen."""
    programs, gate = gated(client, tmp_path)
    with start_module("pg_restore", arguments(server, backup, programs)) as module:
        with gate.reached():
            (new,) = others(server)
            # It cannot be ended, other than a session.
            with server.session(address(server, new)) as session:
                session.tpc_begin("kept")
                session.cursor().execute("SELECT 1")
                session.tpc_prepare()
        held = "SELECT 1 FROM pg_stat_activity WHERE query LIKE 'ALTER DATABASE \"live!_res%'"
        eventually(lambda: server.admin(f"{held} ESCAPE '!'"))
        module.send_signal(signal.SIGKILL)
        module.communicate()
    eventually(lambda: not server.admin(SESSIONS))
    assert rows(server) == 5
    assert others(server) == [new]
    run_sql(address(server, new), "ROLLBACK PREPARED 'kept'")
