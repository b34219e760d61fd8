"""The room that a Redis needs on its disk."""

from __future__ import annotations

from pathlib import Path

import pytest

from ansible_collections.gpt_agent.runbook.plugins.module_utils.redis.recovery.data import (
    keeps_data,
    room_needed,
)

MIB = 1024**2


@pytest.mark.parametrize(
    ("settings", "keeps"),
    [
        ({}, True),
        ({"save": ""}, False),
        ({"save": '""'}, False),
        ({"save": "", "appendonly": "yes"}, True),
        ({"save": "3600 1", "appendonly": "no"}, True),
    ],
)
def test_who_keeps_data(settings: dict[str, str], keeps: bool) -> None:
    assert keeps_data(settings) == keeps


def test_as_much_again_as_is_there(tmp_path: Path) -> None:
    assert room_needed(str(tmp_path), {}) == MIB
    with (tmp_path / "dump.rdb").open("wb") as snapshot:
        snapshot.truncate(3 * MIB)
    assert room_needed(str(tmp_path), {}) == 3 * MIB
    assert room_needed(str(tmp_path), {"dbfilename": "other.rdb"}) == MIB
    (tmp_path / "appendonlydir").mkdir()
    with (tmp_path / "appendonlydir" / "appendonly.aof.1.base.rdb").open("wb") as base:
        base.truncate(9000 * MIB)
    assert room_needed(str(tmp_path), {}) == 16 * MIB, "what counts as full for every service"
