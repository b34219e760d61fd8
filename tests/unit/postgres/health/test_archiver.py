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
        (ON, {"archived_seconds": 180.0}, None, "ok", "works"),
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
