"""Which indexes pg_maintenance rebuilds or drops, and the reasons it gives."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.gpt_agent.runbook.plugins.module_utils.postgres.maintenance.indexes import (  # noqa: E501
    without_estimate,
)
from ansible_collections.gpt_agent.runbook.plugins.module_utils.postgres.maintenance.options import (  # noqa: E501
    Options,
)
from tests.support.relations import MIB, index, only, plan, seen, table


def test_a_bloated_index_is_rebuilt_and_says_how_that_is_known() -> None:
    step = only(plan(seen(table(), index())))
    assert step.operation == "reindex"
    assert (
        step.reason
        == "79 % of it is empty (estimated, confidence medium), a rebuild frees 78.6 MiB"
    )
    assert step.space == 200 * MIB


def test_old_statistics_are_renewed_before_an_index_is_called_bloated() -> None:
    found = plan(seen(table(modified=150_000), index()), operations=("analyze", "reindex"))
    assert [(step.operation, step.unsure) for step in found.steps] == [
        ("analyze", False),
        ("reindex", True),
    ]


@pytest.mark.parametrize(
    ("facts", "operation", "skip"),
    [
        ({"valid": False, "name": "t_i_ccnew", "twin": "public.t_i"}, "cleanup", ""),
        ({"valid": False, "name": "t_i_ccold2", "twin": "public.t_i"}, "cleanup", ""),
        (
            {"valid": False, "name": "t_i_ccnew", "twin": None},
            "cleanup",
            "check whether it is needed",
        ),
        (
            {"valid": False, "name": "t_i_ccnew", "twin": "public.t_i", "owned": False},
            "cleanup",
            "must be a member of the role that owns the table",
        ),
        (
            {"valid": False, "live": False},
            "cleanup",
            "",
        ),  # a DROP INDEX CONCURRENTLY that was cut off
        ({"valid": False, "name": "t_j"}, "reindex", ""),
        (
            {"valid": False, "name": "t_j", "twin": "public.t_i"},
            "reindex",
            "public.t_i is valid and has the same definition: drop this one",
        ),
        ({"exclusion": True}, "reindex", "exclusion constraint"),
        (
            {"mine": False},
            "reindex",
            "role 'app' lacks permission to rebuild it: it needs MAINTAIN on the table",
        ),
    ],
)
def test_what_an_index_needs_and_what_stands_in_the_way(
    facts: dict[str, Any], operation: str, skip: str
) -> None:
    step = only(plan(seen(table(), index(**facts))))
    assert step.operation == operation
    assert (skip in step.skip) if skip else not step.skip


def test_a_leftover_of_an_invalid_index_is_one_as_well() -> None:
    found = plan(
        seen(
            table(),
            index(11, "t_i", valid=False, bytes=0),
            index(12, "t_i_ccnew", valid=False, bytes=0),
        )
    )
    assert [(step.operation, step.quoted, step.skip) for step in found.steps] == [
        ("cleanup", "public.t_i_ccnew", ""),
        ("reindex", "public.t_i", ""),
    ]


def test_a_build_that_failed_has_no_size_but_needs_room() -> None:
    step = only(plan(seen(table(), index(valid=False, bytes=0)), free=50 * MIB))
    assert step.skip == "it needs 100 MiB of disk space, and 50 MiB is free"


def test_large_indexes_that_nothing_tells_about_are_counted() -> None:
    dark = seen(table(), index(known=0))
    assert without_estimate(dark, Options()) == ["public.t_i"]
    assert without_estimate(dark, Options(operations=("vacuum",))) == []
    assert without_estimate(dark, Options(exclude=("t",))) == []
    assert without_estimate(seen(table(), index()), Options()) == []


@pytest.mark.parametrize("facts", [{"building": True}, {"partitioned": True}])
def test_an_index_that_has_reason_to_be_invalid_is_left_alone(facts: dict[str, Any]) -> None:
    assert plan(seen(table(), index(valid=False, **facts))).steps == []
