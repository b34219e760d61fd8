"""How much of a sequence is used up."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.gpt_agent.runbook.plugins.module_utils.postgres.review.sequences import (
    used_percent,
    values_left,
)
from ansible_collections.gpt_agent.runbook.plugins.module_utils.postgres.review.tables import tables
from tests.support.postgres_review import LIMITS, by_name, contents


@pytest.mark.parametrize(
    ("row", "used_up"),
    [
        ({"last": 95, "least": 1, "most": 101, "step": 1, "type": None}, 94.0),
        ({"last": 2**30, "least": 1, "most": 2**63 - 1, "step": 1, "type": "integer"}, 50.0),
        ({"last": 16384, "least": 1, "most": 2**31 - 1, "step": 1, "type": "smallint"}, 50.0),
        ({"last": -50, "least": -101, "most": -1, "step": -1, "type": "bigint"}, 49.0),
        ({"last": 40000, "least": 1, "most": 2**31 - 1, "step": 1, "type": "smallint"}, 100.0),
        ({"last": None, "least": 1, "most": 9, "step": 1, "type": None}, None),
    ],
)
def test_how_much_of_a_sequence_is_used_up(row: dict[str, Any], used_up: float | None) -> None:
    assert used_percent(row) == (None if used_up is None else pytest.approx(used_up, abs=0.1))


@pytest.mark.parametrize(
    ("last", "step", "percent", "left"),
    [(2147483000, 1, 99.9, 647), (2147483647, 1, 100.0, 0), (2147483000, 100, 99.9, 6)],
)
def test_it_is_used_up_only_if_no_value_is_left(
    last: int, step: int, percent: float, left: int
) -> None:
    row = {"last": last, "least": 1, "most": 2**63 - 1, "step": step, "type": "integer"}
    assert (used_percent(row), values_left(row)) == (percent, left)


def test_a_sequence_that_may_not_be_read_is_not_called_fine() -> None:
    row = {
        "name": "public.s",
        "readable": False,
        "last": None,
        "least": 1,
        "most": 9,
        "step": 1,
        "type": None,
        "column": None,
    }
    check = by_name(tables(contents(sequences=[row]), "d", LIMITS))["sequences"]
    assert check.status == "unknown"
    assert "GRANT pg_read_all_data" in check.remedy


def test_a_sequence_that_is_altered_right_now_is_not_called_fine() -> None:
    row = {
        "name": "public.s",
        "readable": True,
        "held": True,
        "last": None,
        "least": 1,
        "most": 9,
        "step": 1,
        "type": None,
        "column": None,
    }
    check = by_name(tables(contents(sequences=[row]), "d", LIMITS))["sequences"]
    assert check.status == "unknown"
    assert "1 sequence cannot be read right now, such as public.s" in check.summary
