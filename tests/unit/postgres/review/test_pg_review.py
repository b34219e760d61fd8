"""The module: whether the server answered, as a condition for the next step."""

from __future__ import annotations

import json

import pytest
from ansible.module_utils.testing import patch_module_args

from ansible_collections.gpt_agent.runbook.plugins.module_utils.core.thresholds import Thresholds
from ansible_collections.gpt_agent.runbook.plugins.module_utils.postgres.checks import CHECKS
from ansible_collections.gpt_agent.runbook.plugins.modules import pg_review


def test_a_server_that_cannot_be_reached_did_not_answer(capsys: pytest.CaptureFixture[str]) -> None:
    arguments = {"database_url": "postgresql://u:hunter2@127.0.0.1:1/d", "areas": ["locks"]}
    with patch_module_args(arguments), pytest.raises(SystemExit):
        pg_review.main()
    answer = json.loads(capsys.readouterr().out)
    assert [check["name"] for check in answer["checks"]] == ["postgres.reachable"]
    assert answer["answered"] is False


@pytest.mark.parametrize(
    ("given", "answered"),
    [
        ([], False),
        ([("postgres.reachable", "critical")], False),
        ([("postgres.inspection", "ok")], False),
        ([("postgres.reachable", "ok")], True),
        ([("postgres.reachable", "ok"), ("postgres.inspection", "unknown")], True),
    ],
)
def test_it_answered_if_it_was_reached(given: list[tuple[str, str]], answered: bool) -> None:
    thresholds = Thresholds(CHECKS)
    checks = [thresholds.verdict(name, status, "x") for name, status in given]
    assert pg_review.answered(checks) is answered
