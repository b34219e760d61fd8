"""Severities: at the start of a line, and as fields."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.gpt_agent.runbook.plugins.module_utils.logs.levels import (
    ERROR,
    INFO,
    WARNING,
    level_of_fields,
    split_level,
)


@pytest.mark.parametrize(
    ("text", "level"),
    [
        ("error: it broke", ERROR),
        ("[ERROR] it broke", ERROR),
        ("[main] ERROR it broke", ERROR),
        ("[05:00:00.123] ERROR (12): it broke", ERROR),
        ("FATAL it broke", ERROR),
        ("⨯ it broke", ERROR),
        ("level=error msg=x", ERROR),
        ("warn  - old option", WARNING),
        ("info: started", INFO),
        ("LOG started", INFO),
        ("Error: it broke", None),
        ("error handler installed", None),
        ("Data: it broke", None),
        ("http://localhost:3000 is ready", None),
        ("cannot read the log", None),
    ],
)
def test_the_level_at_the_start_of_a_line(text: str, level: int | None) -> None:
    assert split_level(text)[0] == level


@pytest.mark.parametrize(
    ("fields", "level"),
    [
        ({"level": 50}, ERROR),
        ({"level": 40}, WARNING),
        ({"level": 30}, INFO),
        ({"level": 3}, ERROR),
        ({"level": 6}, INFO),
        ({"level": "50"}, ERROR),
        ({"level": "fatal"}, ERROR),
        ({"severity": "WARNING"}, WARNING),
        ({"log.level": "error"}, ERROR),
        ({"log": {"level": "error"}}, ERROR),
        ({"log": "a text"}, None),
        ({"severityText": "WARN"}, WARNING),
        ({"level": {"level": 40000, "levelStr": "ERROR"}}, ERROR),
        ({"level": True}, None),
        ({"level": "mine"}, None),
        ({"level": None}, None),
        ({}, None),
    ],
)
def test_the_level_of_a_json_line(fields: dict[str, Any], level: int | None) -> None:
    assert level_of_fields(fields) == level
