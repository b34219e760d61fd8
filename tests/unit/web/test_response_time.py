"""Verdicts on response times."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.gpt_agent.runbook.plugins.module_utils.core.check import Check
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


def test_one_request_is_no_percentile() -> None:
    checks = assessed(Sample(1.5), first=answer(seconds=1.5))
    timing = checks["web.response_time_p95"]
    assert (timing.status, timing.value) == ("ok", 1.5)
    assert timing.not_judged == "no time was left for more requests"
    once = assessed(Sample(0.1), samples=0)["web.response_time_p95"]
    assert once.not_judged == "requested only once (samples: 0)"


def test_one_slow_request_of_ten_proves_nothing_and_four_do() -> None:
    def timing(slow: int, fast: int) -> Check:
        samples = [Sample(0.1), *[Sample(0.01)] * fast, *[Sample(1.2)] * slow]
        return assessed(*samples)["web.response_time_p95"]

    assert timing(1, 9).not_judged == "too few requests to be certain of p95"
    assert timing(1, 41).summary == "p95 10 ms over 42 requests, median 10 ms"
    assert timing(5, 79).summary == (
        "5 of 84 requests took longer than 500 ms, median 10 ms;"
        " that is not enough to say that p95 is above it"
    )
    assert timing(5, 79).status == "ok"
    assert (timing(4, 5).status, timing(4, 5).value) == ("critical", 1.2)
    assert timing(4, 5).summary == (
        "p95 is at least 1.2 s (99 % certain): 4 of 9 requests took longer than 1 s, median 10 ms"
    )
    assert timing(10, 90).status == "warning"
    assert "likely, but not certain" in timing(10, 90).summary
    assert timing(14, 86).status == "critical"


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
        *[Sample(0.3)] * 3,
        subject="web1",
        url="https://x/",
        overrides={"web.response_time_p95 web1": {"warning": 0.2}},
    )
    assert checks["web.response_time_p95"].status == "warning"


def test_quick_failures_do_not_make_it_look_fast() -> None:
    samples = [Sample(2.0)] + [Sample(0.001, "HTTP 500 instead of 200")] * 5 + [Sample(2.0)] * 5
    assert assessed(*samples)["web.response_time_p95"].status == "critical"
