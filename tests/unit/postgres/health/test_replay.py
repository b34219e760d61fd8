"""A standby about itself, judged."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.postgres_health import REPLAY, WAL, one

ARCHIVE = {"receiving": False, "visible": None, "streams": False, "restores": True}


@pytest.mark.parametrize(
    ("replay", "status", "value", "words"),
    [
        ({}, "ok", 0.0, "has replayed all that it received"),
        ({"caught_up": False, "replayed_seconds": 60.0}, "warning", 60.0, "is 1 min behind"),
        (
            {"caught_up": False, "replayed_seconds": None},
            "ok",
            None,
            "replayed no transaction yet; not judged: its delay is not known yet",
        ),
        (
            {"receiving": False},
            "critical",
            None,
            "does not receive from its primary; it last replayed a transaction 24 h ago",
        ),
        (
            {"receiving": False, "replayed_seconds": None},
            "critical",
            None,
            "it has replayed no transaction yet",
        ),
        ({"paused": True}, "warning", None, "Replay is paused"),
        ({"visible": False}, "unknown", None, "lacks permission to see what it receives"),
        ({"message_seconds": 39.0}, "ok", 0.0, "has replayed all that it received"),
        ({"message_seconds": 80.0}, "warning", 80.0, "has heard nothing from its primary"),
        ({"message_seconds": 301.0}, "critical", 301.0, "has heard nothing from its primary"),
        (
            {"message_seconds": 80.0, "receiver_timeout": 0.0, "sender_timeout": 0.0},
            "ok",
            0.0,
            "has replayed all that it received",
        ),
        (
            {"caught_up": False, "replayed_seconds": 3605.0, "delay": 3600.0},
            "ok",
            5.0,
            "of which 1 h are meant",
        ),
        ({**ARCHIVE, "replayed_seconds": 600.0}, "ok", 600.0, "fed from the archive"),
        ({**ARCHIVE, "replayed_seconds": 7200.0}, "warning", 7200.0, "looks the same"),
        ({**ARCHIVE, "replayed_seconds": 90000.0}, "critical", 90000.0, "looks the same"),
        ({**ARCHIVE, "replayed_seconds": None}, "ok", None, "nothing says how old its data is"),
        ({**ARCHIVE, "streams": None}, "critical", None, "does not receive"),
    ],
)
def test_a_standby_about_itself(
    replay: dict[str, Any], status: str, value: float | None, words: str
) -> None:
    check = one(
        "replication",
        wal=WAL._replace(replay={**REPLAY, **replay}),
        facts={"standby": True},
        replicas=3,
    )
    assert (check.status, check.value) == (status, value)
    assert words in check.summary
