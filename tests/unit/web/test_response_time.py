"""Verdicts on response times."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.gpt_agent.runbook.plugins.module_utils.web.response_time import (
    nearest_rank,
)
from ansible_collections.gpt_agent.runbook.plugins.module_utils.web.snapshot import Sample
from tests.support.web import answer, assessed


@given(st.lists(st.floats(0, 100), min_size=1, max_size=200).map(sorted), st.floats(1, 100))
def test_the_nearest_rank_is_a_measured_value_that_enough_others_do_not_exceed(
    values: list[float], percent: float
) -> None:
    found = nearest_rank(values, percent)
    assert found in values
    assert sum(value <= found for value in values) * 100 >= percent * len(values) - 1e-6
    assert sum(value < found for value in values) * 100 < percent * len(values) + 1e-6


def test_the_95th_of_ten_is_the_largest_and_of_a_hundred_the_95th() -> None:
    assert nearest_rank(list(range(1, 11)), 95) == 10
    assert nearest_rank(list(range(1, 101)), 95) == 95


def test_the_first_request_does_not_decide_on_the_time() -> None:
    checks = assessed(Sample(5.0), Sample(0.01))
    assert checks["web.response_time_p95"].value == 0.01


def test_the_first_request_decides_where_it_is_the_only_one() -> None:
    checks = assessed(Sample(1.5), first=answer(seconds=1.5))
    timing = checks["web.response_time_p95"]
    assert (timing.status, timing.value) == ("critical", 1.5)
    assert (
        timing.summary
        == "1.5 s for the first request, the only one that was answered; no time left for 10 more"
    )


@pytest.mark.parametrize(("seconds", "status"), [(0.5, "ok"), (0.6, "warning"), (1.1, "critical")])
def test_an_api_is_judged_by_the_limits_of_an_api(seconds: float, status: str) -> None:
    assert assessed(Sample(0.1), *[Sample(seconds)] * 10)["web.response_time_p95"].status == status


@pytest.mark.parametrize(("seconds", "status"), [(1.0, "ok"), (1.1, "warning"), (2.1, "critical")])
def test_a_page_is_judged_by_the_limits_of_a_page(seconds: float, status: str) -> None:
    checks = assessed(Sample(0.1), *[Sample(seconds)] * 10, kind="page")
    assert checks["web.page_load_time"].status == status
    assert "web.response_time_p95" not in checks


def test_limits_for_one_endpoint_alone() -> None:
    checks = assessed(
        Sample(0.1),
        Sample(0.3),
        subject="web1",
        url="https://x/",
        overrides={"web.response_time_p95 web1": {"warning": 0.2}},
    )
    assert checks["web.response_time_p95"].status == "warning"


def test_quick_failures_do_not_make_it_look_fast() -> None:
    samples = [Sample(2.0)] + [Sample(0.001, "HTTP 500 instead of 200")] * 5 + [Sample(2.0)] * 5
    assert assessed(*samples)["web.response_time_p95"].status == "critical"
