"""What pg_maintenance accepts, and which relations it selects."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.gpt_agent.runbook.plugins.module_utils.core.errors import UsageError
from ansible_collections.gpt_agent.runbook.plugins.module_utils.postgres.maintenance.options import (  # noqa: E501
    Options,
)
from tests.support.relations import index, plan, seen, table


@pytest.mark.parametrize(
    "wrong",
    [
        {"time_budget": 0},
        {"jobs": 0},
        {"bloat_share": 0},
        {"cost_delay": 101},
        {"cost_limit": 0},
        {"max_wait": 0},
        {"operations": ()},
    ],
)
def test_a_value_that_makes_no_sense_is_a_usage_error(wrong: dict[str, Any]) -> None:
    with pytest.raises(UsageError, match=next(iter(wrong))):
        Options(**wrong)


def test_names_of_relations_limit_the_work() -> None:
    inventory = seen(table(dead=300_000), table(2, "other", dead=300_000), index())
    assert {step.quoted for step in plan(inventory, only=("t",)).steps} == {
        "public.t",
        "public.t_i",
    }
    assert {step.quoted for step in plan(inventory, exclude=("public.t*",)).steps} == {
        "public.other"
    }
    assert {step.operation for step in plan(inventory, operations=("reindex",)).steps} == {
        "reindex"
    }
    with pytest.raises(UsageError, match="no table or index 'nothing' in database 'shop'"):
        plan(inventory, only=("nothing",))


def test_a_partitioned_table_is_a_name_for_its_partitions() -> None:
    parts = [
        table(1, "events", partitioned=True, bytes=0),
        table(2, "events_1", parents=[1], dead=300_000),
    ]
    local = index(21, "events_1_i", table=2, table_name="events_1")
    for rules in ({"only": ("events",)}, {"exclude": ("other",)}):
        assert {step.quoted for step in plan(seen(*parts, local), **rules).steps} == {
            "public.events_1",
            "public.events_1_i",
        }
    assert plan(seen(*parts, local), exclude=("events",)).steps == []
