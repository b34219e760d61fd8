"""Causes that need systemd, another host or the past; the others are tried on real servers."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ansible_collections.gpt_agent.runbook.plugins.module_utils.core.files import Room
from ansible_collections.gpt_agent.runbook.plugins.module_utils.linux.programs import Program
from ansible_collections.gpt_agent.runbook.plugins.module_utils.linux.units import Unit
from ansible_collections.gpt_agent.runbook.plugins.module_utils.postgres.errors import NoConnection
from ansible_collections.gpt_agent.runbook.plugins.module_utils.postgres.recovery.judge import (
    evidence,
    judge,
)
from ansible_collections.gpt_agent.runbook.plugins.module_utils.postgres.recovery.snapshot import (
    Postmaster,
    Snapshot,
)


def error(state: str = "", *, listens: bool = True, frozen: bool = False) -> NoConnection:
    made = NoConnection("PostgreSQL refuses the connection")
    made.state, made.nothing_listens, made.frozen = state, not listens, frozen
    return made


DOWN = Snapshot("127.0.0.1:5432", 5432, local=True, error=error(listens=False))
FAILED = Unit("postgresql@15-main.service", active="failed", sub="failed", result="exit-code")
NEVER = replace(FAILED, never_ready=True)
MAIN = Program(5, "postgres", "S", "")
FULL = ("LOG:  starting PostgreSQL 15", "PANIC:  could not write: No space left on device")
OLD = (
    "LOG:  starting PostgreSQL 15",
    "LOG:  database system is ready to accept connections",
    "LOG:  received fast shutdown request",
)
PORT = (
    "LOG:  starting PostgreSQL 15",
    'LOG:  could not bind IPv4 address "127.0.0.1": Address already in use',
    'LOG:  could not bind IPv6 address "::1": Cannot assign requested address',
    "FATAL:  could not create any TCP/IP sockets",
)
NO_MORE = ("Error: pg_ctl start exited with status 1:", "pg_ctl: could not start server")
ABSENT = (
    'LOG:  could not bind IPv4 address "192.0.2.9": Cannot assign requested address',
    "FATAL:  could not create any TCP/IP sockets",
)
DISABLED = ("Error: Cluster is disabled",)
NO_FOLDER = ("Error: /srv/data is not accessible or does not exist",)
READ_ONLY = ('FATAL:  could not create lock file "postmaster.pid": Read-only file system',)
QUOTA = ("PANIC:  could not write to file: Disk quota exceeded",)
REDO = ("LOG:  redo in progress, elapsed time: 10.01 s, current LSN: 0/5000028",)


@pytest.mark.parametrize(
    ("seen", "cure", "text"),
    [
        (replace(DOWN, error=error("57P03"), log=REDO), "wait", "redo in progress"),
        (replace(DOWN, error=error("53300")), "other", "refuses"),
        (replace(DOWN, error=error("28P01")), "other", "refuses"),
        (replace(DOWN, unit=FAILED), "restart", "postgresql@15-main.service is failed"),
        (
            replace(DOWN, unit=FAILED, managers=[Program(6, "patroni", "S", "")]),
            "other",
            "patroni decides which server runs",
        ),
        (replace(DOWN, unit=replace(FAILED, load="masked")), "other", "masked"),
        (replace(DOWN, unit=replace(FAILED, active="activating")), "wait", "systemd is working"),
        (replace(DOWN, log=FULL), "other", "its disk was full"),
        (replace(DOWN, log=FULL, room=Room(1 << 30)), "restart", "has 1 GiB free now"),
        (replace(DOWN, room=Room(0), data="/data"), "other", "is full"),
        (replace(DOWN, room=Room(1 << 30, 9, True), data="/data"), "other", "is read-only"),
        (replace(DOWN, error=None, room=Room(0), data="/data"), "other", "answers, and the disk"),
        (replace(DOWN, error=None, room=Room(1 << 30)), "nothing", "answers"),
        (replace(DOWN, unit=FAILED, log=OLD), "restart", "it was stopped"),
        (replace(DOWN, unit=NEVER, log=OLD), "other", "does not start"),
        (replace(DOWN, unit=NEVER, log=OLD, corrected=True), "restart", "is down"),
        (replace(DOWN, unit=replace(NEVER, result="oom-kill")), "other", "while it starts"),
        (replace(DOWN, unit=replace(FAILED, unmet=True)), "other", "a condition of"),
        (replace(DOWN, unit=FAILED, log=DISABLED, corrected=True), "restart", "were changed since"),
        (replace(DOWN, unit=FAILED, log=OLD, said=NO_FOLDER), "other", "lacks permission"),
        (replace(DOWN, log=PORT, listener="process 9 (nc)"), "other", "process 9 (nc)"),
        (replace(DOWN, log=PORT), "restart", "which is free now"),
        (replace(DOWN, unit=FAILED, said=NO_MORE, log=PORT), "restart", "which is free now"),
        (replace(DOWN, unit=FAILED, said=NO_MORE, log=OLD), "other", "only its log names"),
        (replace(DOWN, log=ABSENT, absent="192.0.2.9"), "other", ": 192.0.2.9"),
        (replace(DOWN, log=ABSENT), "restart", "and has now"),
        (replace(DOWN, log=READ_ONLY, room=Room(1 << 30)), "restart", "can be written now"),
        (replace(DOWN, log=QUOTA, room=Room(1 << 30)), "other", "disk quota"),
        (replace(DOWN, unit=NEVER), "other", "does not start"),
        (replace(DOWN, programs=[MAIN], orphans=[MAIN], data="/data"), "wait", "still ending"),
        (replace(DOWN, programs=[MAIN]), "other", "1 other PostgreSQL runs"),
        (
            replace(DOWN, program=MAIN, postmaster=Postmaster(5, 5432, "starting")),
            "wait",
            "PostgreSQL is starting",
        ),
        (
            replace(DOWN, program=MAIN, postmaster=Postmaster(5, 5433, "ready")),
            "other",
            "listens on port 5433",
        ),
        (
            replace(DOWN, program=MAIN, postmaster=Postmaster(5, 5432, "ready")),
            "other",
            "nothing listens",
        ),
        (
            replace(
                DOWN,
                error=error(frozen=True),
                program=replace(MAIN, state="D"),
                postmaster=Postmaster(5, 5432, "ready"),
            ),
            "other",
            "waiting for a disk",
        ),
        (replace(DOWN, local=False), "other", "refuses"),
    ],
)
def test_the_cure(seen: Snapshot, cure: str, text: str) -> None:
    cause = judge(seen)
    assert cause.cure == cure
    assert text in cause.text


def test_the_evidence_shows_nothing_of_sessions() -> None:
    log = (
        "\t\tWHERE token = 'Zq7tOp'",
        "2026-11-28 03:00:00 UTC [7] LOG:  statement: ALTER USER app PASSWORD 'Zq7tOp'",
        "\t-- Zq7tOp",
        '2026-11-28 03:00:01 UTC [7] ERROR:  duplicate key value violates "users_email_key"',
        "2026-11-28 03:00:01 UTC [7] DETAIL:  Key (email)=(Zq7tOp@example.com) already exists.",
        "2026-11-28 03:00:01 UTC [7] STATEMENT:  INSERT INTO users VALUES ('Zq7tOp')",
        "2026-11-28 03:00:02 UTC [9] LOG:  execute <unnamed>: SELECT $1",
        "2026-11-28 03:00:02 UTC [9] DETAIL:  parameters: $1 = 'Zq7tOp'",
        "2026-11-28 03:00:03 UTC [1] FATAL:  database files are incompatible with server",
        "2026-11-28 03:00:03 UTC [1] DETAIL:  initialized by PostgreSQL version 14",
        "pg_ctl: could not start server",
    )
    shown = [row["found"] for row in evidence(replace(DOWN, log=log))]
    assert shown == [" ".join(line.split()) for line in log[-3:]]
    assert "Zq7tOp" not in str(shown)
