"""Which tests stay together on a worker."""

from __future__ import annotations

import pytest

from tests.support.scheduling import group_of, in_order

DAILY = "tests/integration/playbooks/test_daily_checklist.py"
REVIEW = "tests/integration/postgres/review/test_tables.py"
INDEXES = "tests/integration/postgres/review/test_indexes.py"
PURE = "tests/unit/web/test_expectations.py"


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (f"{DAILY}::test_a[down: app]", f"{DAILY}::test_a[down: redis]"),
        (f"{DAILY}::test_a[misuse: url]", f"{DAILY}::test_b[misuse: file]"),
        (f"{REVIEW}::test_a[demo]", f"{INDEXES}::test_b[demo-x]"),
        (f"{REVIEW}::test_a[/x/postgres-14/bin]", f"{REVIEW}::test_b[/x/postgres-14/bin-1]"),
        (f"{PURE}::test_a[x: y]", f"{PURE}::test_b"),
    ],
)
def test_what_shares_a_server_or_a_run_stays_together(one: str, other: str) -> None:
    assert group_of(one) == group_of(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (f"{DAILY}::test_a[down: app]", f"{DAILY}::test_a[half: redis]"),
        (f"{DAILY}::test_a", f"{DAILY}::test_b"),
        (f"{DAILY}::test_a[down: app]", "tests/unit/test_a.py::test_a[down: app]"),
        (f"{REVIEW}::test_a[/x/postgres-14/bin]", f"{REVIEW}::test_a[/x/postgres-15/bin]"),
    ],
)
def test_everything_else_may_run_anywhere(one: str, other: str) -> None:
    assert group_of(one) != group_of(other)


def test_tests_without_services_fill_the_end() -> None:
    groups = {PURE: range(9), "tests/unit/test_a.py": [0], DAILY: [0], REVIEW: range(5)}
    assert in_order(groups) == [REVIEW, DAILY, PURE, "tests/unit/test_a.py"]
