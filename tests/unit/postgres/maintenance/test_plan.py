"""What pg_maintenance plans: rights, rank, disk and time."""

from __future__ import annotations

import pytest

from ansible_collections.gpt_agent.runbook.plugins.module_utils.postgres.maintenance.options import (  # noqa: E501
    Options,
)
from ansible_collections.gpt_agent.runbook.plugins.module_utils.postgres.maintenance.plan import (
    make_plan,
)
from tests.support.relations import GIB, MIB, index, only, plan, seen, table


def test_a_healthy_database_needs_nothing() -> None:
    assert plan(seen(table(), index(bytes=22 * MIB))).steps == []


def test_what_autovacuum_works_on_is_left_to_it() -> None:
    found = plan(seen(table(dead=300_000, worked=True), index()))
    assert {step.skip for step in found.steps} == {
        "autovacuum, or someone else's VACUUM or ANALYZE, is running on the table"
    }


def test_without_analyze_nothing_is_rebuilt_on_old_statistics() -> None:
    step = only(plan(seen(table(modified=150_000), index()), operations=("cleanup", "reindex")))
    assert "too old to estimate bloat: allow the operation analyze" in step.skip


@pytest.mark.parametrize(("version", "refused"), [(140003, True), (140004, False), (150000, False)])
def test_rebuilds_wait_for_a_14_that_does_not_damage_indexes(version: int, refused: bool) -> None:
    assert ("14.0 to 14.3" in only(plan(seen(table(), index(), version=version))).skip) == refused


def test_before_17_there_is_no_maintain() -> None:
    assert (
        "it must be a member of the role that owns the table"
        in only(plan(seen(table(), index(mine=False), version=160000))).skip
    )


def test_the_disk_has_to_have_room_for_a_rebuild() -> None:
    bloated = seen(table(), index())
    assert (
        only(plan(bloated, free=150 * MIB)).skip
        == "it needs 200 MiB of disk space, and 150 MiB is free"
    )
    assert not only(plan(bloated, free=None)).skip, "a small one is rebuilt all the same"
    assert "set disk_free" in only(plan(seen(table(), index(bytes=3 * GIB)), free=None)).skip


def test_what_is_most_urgent_comes_first() -> None:
    found = plan(
        seen(
            table(1, "a", dead=250_000, bytes=MIB),
            table(2, "b", dead=250_000, bytes=GIB),
            table(3, "c", xid_age=200_000_000),
            table(4, "d", modified=200_000),
            index(table=1),
            index(12, "half_ccnew", valid=False, twin="public.t_i"),
        )
    )
    assert [(step.operation, step.quoted) for step in found.steps] == [
        ("freeze", "public.c"),
        ("cleanup", "public.half_ccnew"),
        ("vacuum", "public.b"),
        ("vacuum", "public.a"),
        ("analyze", "public.d"),
        ("reindex", "public.t_i"),
    ]


def test_what_does_not_fit_is_left_out_and_a_shorter_one_after_it_is_not() -> None:
    big, small = (
        table(1, "big", dead=900_000, bytes=100 * GIB),
        table(2, "small", dead=900_000, bytes=MIB),
    )
    found = plan(seen(big, small), time_budget=60)
    assert [(step.quoted, bool(step.skip)) for step in found.steps] == [
        ("public.big", True),
        ("public.small", False),
    ]
    assert "of the time budget" in found.steps[0].skip
    fast = make_plan(seen(big, small), Options(time_budget=60), {"vacuum": 10e9}, {})
    assert not any(step.skip for step in fast.steps), "the speed of earlier runs counts"
