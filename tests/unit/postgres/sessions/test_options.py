"""What pg_sessions accepts."""

from __future__ import annotations

import json
from typing import Any

import pytest
from ansible.module_utils.testing import patch_module_args

from ansible_collections.gpt_agent.runbook.plugins.module_utils.core.errors import UsageError
from ansible_collections.gpt_agent.runbook.plugins.modules import pg_sessions
from tests.support.session_rows import (
    options,
)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"usage": 0}, "usage: 0 is not a percentage above 0 and up to 100"),
        ({"usage": 101}, "usage: 101 is not a percentage"),
        ({"usage": "nan"}, "usage: nan is not a percentage"),
        ({"idle_age": -1}, "idle_age: -1 is not a number of 0 or more"),
        ({"idle_age": "inf"}, "idle_age: inf is not a number of 0 or more"),
        ({"max_ended": -1}, "max_ended: -1 is not"),
        ({"wait": 61}, "wait: 61 is not a number of seconds from 0 to 60"),
        ({"timeout": 0}, "timeout: 0 is not a number of seconds above 0"),
        (
            {"protect_addresses": ["10.0.0.300"]},
            "protect_addresses: '10.0.0.300' is neither an address, nor a network, nor 'local'",
        ),
        (
            {"thresholds": {"postgres.relief": {"warning": 1}}},
            "postgres.relief has no thresholds to change",
        ),
        ({"database_url": ""}, "database_url: missing"),
        ({"database_url": "mysql://u:hunter2@h/d"}, "must start with 'postgresql://'"),
    ],
)
def test_misuse(
    options: dict[str, Any],
    words: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("DATABASE_URL", raising=False)
    given = {"database_url": "postgresql://u:hunter2@127.0.0.1:1/d", **options}
    with patch_module_args(given), pytest.raises(SystemExit):
        pg_sessions.main()
    answer = json.loads(capsys.readouterr().out)
    assert answer["failed"] is True
    assert words in answer["msg"]
    assert "hunter2" not in json.dumps(
        {key: value for key, value in answer.items() if key != "invocation"}
    )


def test_an_unusable_rule_is_misuse() -> None:
    with pytest.raises(UsageError):
        options(usage=-5)
