"""What pg_sessions returns if the server cannot be reached."""

from __future__ import annotations

import json
from typing import Any

import pytest
from ansible.module_utils.testing import patch_module_args

from ansible_collections.gpt_agent.runbook.plugins.modules import pg_sessions


@pytest.mark.parametrize("state", ["listed", "relieved"])
def test_a_server_that_is_not_there_fails_a_relief_but_not_a_count(
    state: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with (
        patch_module_args({"database_url": "postgresql://u:hunter2@127.0.0.1:1/d", "state": state}),
        pytest.raises(SystemExit),
    ):
        pg_sessions.main()
    answer = json.loads(capsys.readouterr().out)
    assert [(check["name"], check["status"]) for check in answer["checks"]] == [
        ("postgres.reachable", "critical")
    ]
    assert answer.get("failed", False) == (state == "relieved")
    assert answer["changed"] is False


@pytest.mark.parametrize(
    ("given", "check_mode", "confirmed"),
    [
        ({"confirm": "d"}, False, True),
        ({"confirm": "other"}, False, False),
        ({}, False, False),
        ({"confirm": "d"}, True, True),
        ({"confirm": "other"}, True, False),
        ({}, True, None),
        ({"confirm": "d", "usage": 0}, False, False),
    ],
)
def test_confirmed_says_whether_the_url_names_the_database(
    given: dict[str, Any],
    check_mode: bool,
    confirmed: bool | None,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """A restart of the app, the last resort when all slots are taken, depends on it."""
    url = "postgresql://u:hunter2@127.0.0.1:1/d"
    arguments = {"database_url": url, "state": "relieved", "_ansible_check_mode": check_mode}
    with patch_module_args({**arguments, **given}), pytest.raises(SystemExit):
        pg_sessions.main()
    answer = json.loads(capsys.readouterr().out)
    assert answer["failed"] is True
    assert answer["confirmed"] is confirmed
