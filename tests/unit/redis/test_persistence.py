"""The verdict on persistence, from plain data."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from tests.support.redis_samples import verdicts, with_info


@pytest.mark.parametrize(
    ("info", "save", "purpose", "status", "said"),
    [
        ({"rdb_last_bgsave_status": "err"}, "", "cache", "critical", "The last snapshot failed"),
        (
            {"aof_enabled": 1, "aof_last_write_status": "err"},
            "",
            "cache",
            "critical",
            "write to the append-only file failed",
        ),
        (
            {"aof_enabled": 0, "aof_last_write_status": "err"},
            "60 1",
            "cache",
            "ok",
            "Last snapshot",
        ),
        (
            {"aof_enabled": 1, "aof_last_bgrewrite_status": "err"},
            "",
            "cache",
            "warning",
            "rewrite of the append-only file failed",
        ),
        (
            {"aof_enabled": 1},
            "3600 1",
            "queue",
            "ok",
            "Append-only file on, last snapshot 10 min ago",
        ),
        ({"rdb_saves": 0}, "3600 1", "queue", "ok", "Snapshots on, none written since the start"),
        ({}, "", "cache", "ok", "empty after a restart"),
        ({}, "", "session", "warning", "empty after a restart"),
        ({}, None, "session", "unknown", "CONFIG GET is refused"),
        ({}, None, "cache", "ok", "CONFIG GET is refused"),
        ({"aof_enabled": 1}, None, "session", "ok", "Append-only file on"),
        (
            {"rdb_changes_since_last_save": 5},
            "100 5",
            "queue",
            "warning",
            "A snapshot is overdue by 6 min",
        ),
        ({"rdb_changes_since_last_save": 4}, "100 5", "queue", "ok", "Last snapshot"),
        (
            {"rdb_changes_since_last_save": 5, "rdb_bgsave_in_progress": 1},
            "100 5",
            "queue",
            "ok",
            "Last snapshot",
        ),
        ({"rdb_changes_since_last_save": 5}, "3600 1 300 100", "queue", "ok", "Last snapshot"),
    ],
)
def test_persistence(
    info: dict[str, Any], save: str | None, purpose: str, status: str, said: str
) -> None:
    check = verdicts(replace(with_info(**info), save=save), purpose)["redis.persistence"]
    assert check.status == status
    assert said in check.summary
    assert bool(check.remedy) == (status != "ok")
