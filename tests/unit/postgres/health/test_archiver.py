"""Whether WAL is archived, judged."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.postgres_health import NOTHING, REPLAY, WAL, one

ON = {"archive_mode": "on", "archive_command": "cp %p /a"}


@pytest.mark.parametrize(
    ("facts", "archiver", "waiting", "status", "words"),
    [
        ({}, {}, None, "ok", "WAL archiving is off"),
        (
            {**ON, "standby": True},
            {"failed_seconds": 1.0},
            None,
            "ok",
            "A standby archives nothing",
        ),
        ({**ON, "archive_command": ""}, {}, 0, "warning", "there is no archive_command"),
        (ON, {}, 0, "ok", "no segment has had to be archived yet"),
        (
            ON,
            {"archived_seconds": 180.0},
            0,
            "ok",
            "WAL archiving works, the last success was 3 min ago",
        ),
        (ON, {"archived_seconds": 180.0, "failed_seconds": 600.0}, 1, "ok", "1 WAL segment waits"),
        (ON, {"archived_seconds": 7200.0}, 11, "warning", "11 WAL segments wait"),
        (ON, {"archived_seconds": 7200.0}, 101, "critical", "101 WAL segments wait"),
        (
            ON,
            {"archived_seconds": 180.0, "last_archived_wal": "0000000100000009000000FF"},
            None,
            "ok",
            "works",
        ),
        (
            ON,
            {"archived_seconds": 180.0, "last_archived_wal": "0000000100000009000000E0.00A.backup"},
            None,
            "warning",
            "31 WAL segments wait",
        ),
        (ON, {"archived_seconds": 180.0, "last_archived_wal": "2.history"}, None, "unknown", ""),
        (ON, {}, None, "unknown", "lacks permission to see what waits"),
        (
            ON,
            {"archived_seconds": 7200.0, "failed_seconds": 60.0},
            3,
            "critical",
            "WAL 00A was refused 1 min ago, the last success was 2 h ago",
        ),
        (ON, {"failed_seconds": 60.0}, None, "critical", "none has ever been archived"),
    ],
)
def test_the_archiver(
    facts: dict[str, Any], archiver: dict[str, Any], waiting: int | None, status: str, words: str
) -> None:
    wal = WAL._replace(
        archiver={**NOTHING, "last_failed_wal": "00A", **archiver},
        waiting=waiting,
        replay=REPLAY if facts.get("standby") else None,
    )
    check = one("archiver", wal=wal, facts=facts)
    assert check.status == status
    assert words in check.summary


@pytest.mark.parametrize(
    ("archived", "oldest", "waiting", "status"),
    [
        (None, 300.0, 1, "ok"),
        (None, 700.0, 1, "warning"),
        (None, 4000.0, 1, "critical"),
        (30.0, 4000.0, 5, "ok"),  # a backlog that is being archived
        (4000.0, 700.0, 1, "warning"),
        (4000.0, 700.0, 200, "critical"),
    ],
)
def test_a_command_that_neither_succeeds_nor_fails(
    archived: float | None, oldest: float, waiting: int, status: str
) -> None:
    wal = WAL._replace(
        archiver={**NOTHING, "archived_seconds": archived, "failed_seconds": None},
        waiting=waiting,
        waiting_seconds=oldest,
    )
    assert one("archiver", wal=wal, facts=ON).status == status
