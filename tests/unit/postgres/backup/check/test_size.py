"""Whether a backup is much smaller than those before it."""

from __future__ import annotations

import pytest

from ansible_collections.gpt_agent.runbook.plugins.module_utils.postgres.backup.check import (
    size,
)
from tests.support.backups import checks_of, copy, nightly


@pytest.mark.parametrize(
    ("size", "status"),
    [(1_000_000, "ok"), (9_000_000, "ok"), (510_000, "ok"), (490_000, "warning"), (9, "critical")],
)
def test_it_is_compared_with_the_median_of_those_before(size: int, status: str) -> None:
    earlier = [*nightly(6), copy(5, bytes=40)]  # one of them was odd
    check = checks_of(*earlier, copy(1, bytes=size))["size"]
    assert (check.status, check.value) == (status, round(size / 10_000, 1))
    assert "of the median of 7 before it" in check.summary


def test_only_backups_of_the_same_kind_are_compared() -> None:
    check = checks_of(*nightly(6, kind="dump gzip"), copy(1, bytes=9))["size"]
    assert (check.status, bool(check.not_judged)) == ("ok", True)
    assert "1,000 rows in 1 table" in check.summary


def test_one_without_a_row_is_critical_whatever_its_size() -> None:
    for rows in ({}, {"public.orders": 0}):
        check = checks_of(*nightly(), copy(1, rows=rows))["size"]
        assert (check.status, check.value) == ("critical", 100)
        assert "holds no row; the one before it held 1,000 rows" in check.summary


def test_a_database_that_never_had_a_row_is_fine() -> None:
    assert checks_of(*nightly(7, rows={}))["size"].status == "ok"


def test_the_tables_that_lost_rows_are_named() -> None:
    before, now = {"a": 10, "b": 500, "c": 3}, {"a": 9, "c": 3, "d": 7}
    assert size.rows_lost(before, now) == [("b", 500, 0), ("a", 10, 9)]
    check = checks_of(copy(30, rows=before), copy(6, rows=now))["size"]
    assert check.evidence[0] == {"table": "b", "before": 500, "now": 0}


def test_without_a_verified_one_there_is_nothing_to_compare() -> None:
    assert "size" not in checks_of(copy(verified=False))
