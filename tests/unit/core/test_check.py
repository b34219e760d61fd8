"""Checks and actions."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.gpt_agent.runbook.plugins.module_utils.core.check import (
    EVIDENCE_ROWS,
    STATUSES,
    Action,
    Check,
    as_dicts,
    worst,
)


def test_a_check_takes_no_status_or_unit_of_its_own() -> None:
    with pytest.raises(ValueError, match="'fine' is not a status"):
        Check("host.cpu", "fine", "x")
    with pytest.raises(ValueError, match="'ms' is not a unit"):
        Check("host.cpu", "ok", "x", unit="ms")
    with pytest.raises(ValueError, match="'sideways' is not a direction"):
        Check("host.cpu", "ok", "x", direction="sideways")


def test_an_action_takes_no_status_of_its_own() -> None:
    with pytest.raises(ValueError, match="'ok' is not the status of an action"):
        Action("vacuum", "ok")


def test_summaries_are_one_line_and_evidence_is_bounded() -> None:
    check = Check(
        "host.cpu", "ok", "a\n b", evidence=tuple({"row": n} for n in range(EVIDENCE_ROWS + 5))
    )
    assert check.summary == "a b"
    assert len(check.evidence) == EVIDENCE_ROWS


def test_checks_travel_as_json() -> None:
    check = Check("host.cpu", "ok", "x", evidence=({"pid": 1},))
    assert json.loads(json.dumps(as_dicts([check, Action("vacuum", "planned")])))[0][
        "evidence"
    ] == [{"pid": 1}]


@given(st.lists(st.sampled_from(STATUSES)))
def test_the_verdict_is_the_worst_status(statuses: list[str]) -> None:
    verdict = worst(statuses)
    assert verdict == "ok" if not statuses else verdict in statuses
    assert all(STATUSES.index(status) <= STATUSES.index(verdict) for status in statuses)


def test_unknown_never_hides_a_warning() -> None:
    assert worst(["unknown", "warning"]) == "warning"
    assert worst(["ok", "unknown"]) == "unknown"
