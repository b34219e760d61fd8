"""Thresholds: on which side of them values are bad."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.gpt_agent.runbook.plugins.module_utils.core.definition import (
    Threshold,
    above,
    below,
)


@given(st.floats(allow_nan=False, allow_infinity=False), st.booleans())
def test_judging_is_strict_and_critical_comes_first(value: float, below: bool) -> None:
    limit = Threshold(20, 10, True) if below else Threshold(10, 20)
    status = limit.status_of(value)
    beyond = (value < 10, value < 20) if below else (value > 20, value > 10)
    assert status == ("critical" if beyond[0] else "warning" if beyond[1] else "ok")


@pytest.mark.parametrize(
    ("threshold", "direction"),
    [
        (above(80, 95), "above"),
        (above(None, 95), "above"),
        (above(80, None), "above"),
        (below(20, 10), "below"),
        (Threshold(), ""),
        (Threshold(below=True), ""),
    ],
)
def test_a_direction_needs_a_level(threshold: Threshold, direction: str) -> None:
    assert threshold.direction == direction
