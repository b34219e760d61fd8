"""When app_release leaves a host alone because of what happened on another one."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.gpt_agent.runbook.plugins.action.app_release import earlier_problem

GOOD = {"proven": True}
FAILED = {"failed": True, "proven": False}


@pytest.mark.parametrize(
    ("found", "reason"),
    [
        ({}, ""),
        ({"app1": [GOOD]}, ""),
        ({"app1": [FAILED], "app2": [GOOD]}, "left unchanged: it failed on app1"),
        ({"app1": [{"unreachable": True}]}, "left unchanged: it failed on app1"),
    ],
)
def test_a_host_after_others(found: dict[str, list[dict[str, Any]]], reason: str) -> None:
    assert earlier_problem(found) == reason
