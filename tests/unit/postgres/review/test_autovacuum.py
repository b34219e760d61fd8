"""What autovacuum has left undone, judged."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.gpt_agent.runbook.plugins.module_utils.postgres.review.autovacuum import (
    autovacuum,
)
from tests.support.postgres_review import LIMITS, by_name, contents
from tests.support.relations import FACTS as DATABASE_FACTS
from tests.support.relations import table


def due(
    *relations: dict[str, Any],
    before: tuple[str, ...] = (),
    first: bool = False,
    kind: str = "vacuum_due",
    **more: Any,
) -> Any:
    """The verdict where a run before this one has seen some tables due."""
    sizes = {} if first else {"total": 1.0, **dict.fromkeys(before, 1.0)}
    return by_name(autovacuum(contents(*relations, sizes=sizes, **more), "d", LIMITS))[kind]


def test_vacuum_is_due_only_where_autovacuum_had_the_time() -> None:
    now = DATABASE_FACTS["now"]
    dead, before = table(dead=500_000, vacuumed=now - 7200), ("due vacuum 1",)
    assert due({**dead, "vacuumed": now - 600}, before=before).status == "ok"
    check = due(dead, before=before)
    assert check.status == "warning"
    assert "public.t: 500,000 dead rows" in check.summary
    assert check.window == "since statistics reset 11 days ago"
    assert due(dead, before=before, facts={"standby": True}).not_judged


def test_a_table_that_was_not_due_at_the_last_run_has_only_just_become_due() -> None:
    loaded = table(inserted=10**6, vacuumed=None, analyzed=None, rows=-1.0)
    assert due(loaded).status == "ok"
    assert due(loaded, kind="statistics_due").status == "ok"
    first = due(loaded, first=True)
    assert first.not_judged, "nobody knows for how long"
    assert "1 table at this moment, such as public.t" in first.summary
    assert due(table(), first=True).status == "ok"
    assert (
        due({**loaded, "options": {"autovacuum_enabled": "off"}}, first=True).status == "warning"
    ), "nobody will come"
    assert due(table(xid_age=201_000_000, options={"autovacuum_enabled": "off"})).status == "ok", (
        "against wraparound autovacuum comes all the same"
    )
    partitioned = table(2, "p", partitioned=True, bytes=0, rows=-1.0, analyzed=None)
    assert (
        due(partitioned, table(3, "p1", parents=[2]), kind="statistics_due", first=True).status
        == "warning"
    )


def test_what_is_being_vacuumed_is_not_due_and_rights_do_not_matter() -> None:
    dead = table(dead=500_000, vacuumed=0.0, mine=False)
    assert due({**dead, "worked": True}, before=("due vacuum 1",)).status == "ok"
    check = due(dead, before=("due vacuum 1",))
    assert check.status == "warning"
    assert "lacks" not in check.summary


@pytest.mark.parametrize(
    ("more", "status"),
    [
        ({"xid_age": 160_000_000}, "ok"),
        ({"xid_age": 201_000_000}, "warning"),
        ({"mxid_age": 300_000_000}, "ok"),
        ({"mxid_age": 401_000_000}, "warning"),
        (
            {"xid_age": 160_000_000, "options": {"autovacuum_freeze_max_age": "100000000"}},
            "warning",
        ),
        (
            {"xid_age": 300_000_000, "options": {"autovacuum_freeze_max_age": "1000000000"}},
            "warning",
        ),  # the server's is the smaller one
        (
            {"xid_age": 160_000_000, "dead": 500_000},
            "warning",
        ),  # an age that is no matter hides no dead rows
    ],
)
def test_a_freeze_is_due_where_autovacuum_would_be_forced_to_it(
    more: dict[str, Any], status: str
) -> None:
    assert due(table(**more), before=("due vacuum 1",)).status == status


def test_a_small_table_that_was_never_analyzed_is_no_matter() -> None:
    before = ("due analyze 1",)
    assert (
        due(
            table(rows=-1.0, bytes=8192, analyzed=None), before=before, kind="statistics_due"
        ).status
        == "ok"
    )
    assert (
        due(table(rows=-1.0, analyzed=None), before=before, kind="statistics_due").status
        == "warning"
    )
