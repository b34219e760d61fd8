"""Spans of the day, and how much of them is left."""

from __future__ import annotations

from datetime import datetime, time

import pytest

from ansible_collections.gpt_agent.runbook.plugins.module_utils.core.errors import UsageError
from ansible_collections.gpt_agent.runbook.plugins.module_utils.core.hours import Hours


def at(hour: int, minute: int = 0) -> float:
    return datetime(2026, 11, 28, hour, minute).timestamp()


@pytest.mark.parametrize(
    ("span", "now", "left"),
    [
        ("01:00-05:00", at(1), 4 * 3600),
        ("01:00-05:00", at(4, 59), 60),
        ("01:00-05:00", at(5), 0),
        ("01:00-05:00", at(0, 59), 0),
        ("22:00-06:00", at(23), 7 * 3600),
        ("22:00-06:00", at(5), 3600),
        ("22:00-06:00", at(12), 0),
        ("20:00-24:00", at(23), 3600),
        ("00:00-24:00", at(0), 24 * 3600),
    ],
)
def test_what_is_left_of_a_span(span: str, now: float, left: float) -> None:
    assert Hours.parse("window", span).seconds_left(now) == left


def test_the_end_is_not_in_it() -> None:
    hours = Hours.parse("hours", "1:30-2:00")
    assert hours.has(time(1, 30))
    assert not hours.has(time(2))


@pytest.mark.parametrize("text", ["", "1-5", "25:00-26:00", "01:00", "01:60-02:00", "night"])
def test_what_is_no_span_names_the_option(text: str) -> None:
    with pytest.raises(UsageError, match=r"^window: '.*' is not a span such as 22:00-06:00$"):
        Hours.parse("window", text)
