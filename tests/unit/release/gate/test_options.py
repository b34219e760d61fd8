"""What deployment_gate is asked for."""

from __future__ import annotations

from datetime import time
from typing import Any

import pytest

from ansible_collections.gpt_agent.runbook.plugins.module_utils.core.errors import UsageError
from ansible_collections.gpt_agent.runbook.plugins.module_utils.release.gate.options import Options
from ansible_collections.gpt_agent.runbook.plugins.module_utils.release.gate.questions import (
    normalized,
)

GIVEN: dict[str, Any] = {
    "name": "app",
    "moment": "before",
    "version": "v2",
    "owner": "alice",
    "questions": {},
    "answers": {},
    "commands": {},
    "hours": [],
    "valid_for": 24.0,
    "command_timeout": 600.0,
}


def options(**changes: Any) -> Options:
    return Options.from_params({**GIVEN, **changes})


@pytest.mark.parametrize(
    ("answer", "text"),
    [
        (True, "yes"),
        ("Done", "yes"),
        (False, "no"),
        (" NO ", "no"),
        ("", ""),
        (None, ""),
        ("PR 812\nby Bob", "PR 812 by Bob"),
        ("token=abc123", "token=***"),
    ],
)
def test_answers(answer: Any, text: str) -> None:
    assert normalized(answer) == text


@pytest.mark.parametrize(
    ("hours", "within", "without"),
    [
        ("22:00-06:00", (time(23), time(5, 59), time(22)), (time(6), time(12))),
        ("01:00 - 02:30", (time(1), time(2, 29)), (time(2, 30), time(0))),
        ("00:00-24:00", (time(0), time(23, 59)), ()),
    ],
)
def test_hours(hours: str, within: tuple[time, ...], without: tuple[time, ...]) -> None:
    (span,) = options(hours=[hours]).hours
    assert all(map(span.has, within))
    assert not any(map(span.has, without))


def test_the_clock_answers_if_the_hours_are_known() -> None:
    assert "low_traffic" in options().asked
    assert "low_traffic" not in options(hours=["22:00-06:00"]).asked
    assert list(options(moment="after").asked) == ["acceptance", "documented"]
    assert options(questions={"legal": "Legal agrees"}).asked == {"legal": "Legal agrees"}


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        (
            {"answers": {"reviews": "yes"}},
            "answers: there is no question 'reviews', only code",
        ),
        ({"commands": {"x": "true"}}, "commands: there is no question 'x'"),
        ({"answers": {"tests": "yes"}, "owner": ""}, "owner: an answer is recorded with the name"),
        ({"hours": ["late"]}, "hours: 'late' is not a span such as 22:00-06:00"),
        ({"hours": ["25:00-26:00"]}, "hours: '25:00-26:00' is not a span"),
        ({"valid_for": 0.0}, "valid_for: must be a number of hours above 0"),
        ({"version": "-rf"}, "version: '-rf' is not the name of a version"),
    ],
)
def test_usage_errors(changes: dict[str, Any], said: str) -> None:
    with pytest.raises(UsageError) as error:
        options(**changes)
    assert str(error.value).startswith(said)


def test_empty_answers_of_a_survey_are_none() -> None:
    assert options(answers={"tests": "", "staging": "yes"}, owner="bob").answers == {
        "staging": "yes"
    }
    assert options(answers={"tests": ""}, owner="").answers == {}


def test_there_are_no_answers_on_vercel() -> None:
    with pytest.raises(UsageError, match=r"Vercel has none; deploy without require_gate"):
        options(backend="vercel")
    assert options(backend="docker").release.backend == "docker"
