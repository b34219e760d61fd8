"""When pg_maintenance does nothing because of earlier results."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.gpt_agent.runbook.plugins.action.pg_maintenance import ActionModule
from tests.support.actions import Action

ANSWERED = {"__postgres_review": {"answered": True}}
SILENT = {"__postgres_review": {"answered": False}}
FAILED = {"__postgres_review": {"failed": True, "msg": "no database"}}
LOST = {"__postgres_review": {"unreachable": True}}
NOT_ANSWERED = "postgres_review was not answered on db1"


def maintain(check_mode: bool) -> Action:
    return Action(ActionModule, {"requires": ["postgres_review.answered"]}, check_mode)


@pytest.mark.parametrize("check_mode", [False, True])
@pytest.mark.parametrize(
    ("review", "reason"),
    [
        (SILENT, NOT_ANSWERED),
        (FAILED, NOT_ANSWERED),
        (LOST, NOT_ANSWERED),
        ({}, "there is no result of postgres_review"),
    ],
)
def test_a_server_whose_review_did_not_answer_is_left_alone(
    review: dict[str, Any], reason: str, check_mode: bool
) -> None:
    action = maintain(check_mode)
    result = action.run({"db1": review, "db2": ANSWERED}, "db1")
    (skipped,) = result["actions"]
    assert (skipped["name"], skipped["status"]) == ("postgres.maintenance", "skipped")
    assert skipped["reason"] == reason
    assert (result["changed"], action.times) == (False, 0)


@pytest.mark.parametrize("check_mode", [False, True])
@pytest.mark.parametrize("other", [SILENT, FAILED, LOST, {}])
def test_only_the_review_of_the_same_host_counts(other: dict[str, Any], check_mode: bool) -> None:
    action = maintain(check_mode)
    assert "actions" not in action.run({"db1": ANSWERED, "db2": other}, "db1")
    assert action.times == 1
