"""The last error in a log."""

from __future__ import annotations

import pytest

from ansible_collections.gpt_agent.runbook.plugins.module_utils.logs.last_error import last_error

TRACE = "Error: out of luck\n    at main (server.js:1:1)\n"
LEVELS = '{"level": 50, "msg": "cannot read"}\n{"level": 30, "msg": "listening"}\n'


@pytest.mark.parametrize(
    ("text", "plain", "found"),
    [
        ("", True, ""),
        ("\n\n", True, ""),
        (f"one\n{TRACE}", True, "Error: out of luck"),
        ("password=hunter2-4711", True, "password=***"),
        (LEVELS, True, "cannot read"),
        (LEVELS, False, "cannot read"),
        ("it listens\n", False, ""),
    ],
)
def test_it_is_the_last_one_and_holds_no_secret(text: str, plain: bool, found: str) -> None:
    assert last_error(text, plain=plain) == found
