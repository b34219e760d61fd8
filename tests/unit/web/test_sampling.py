"""How many requests a verdict on p95 takes, and how often it is right."""

from __future__ import annotations

import random

import pytest

from ansible_collections.gpt_agent.runbook.plugins.module_utils.core.definition import Threshold
from ansible_collections.gpt_agent.runbook.plugins.module_utils.web.sampling import (
    certain,
    enough,
    lower_bound,
    ruled_out,
)

LIMITS = Threshold(0.5, 1.0)
FAST, SLOW = 0.01, 1.2


@pytest.mark.parametrize(("slow", "most"), [(3, 4), (4, 9), (6, 24), (14, 107)])
def test_so_many_slow_requests_prove_that_p95_is_beyond_the_limit(slow: int, most: int) -> None:
    assert certain(slow, most)
    assert not certain(slow, most + 1)
    assert not certain(slow - 1, most)


@pytest.mark.parametrize(("slow", "least"), [(1, 42), (2, 53), (6, 93)])
def test_so_few_slow_requests_rule_it_out(slow: int, least: int) -> None:
    assert ruled_out(slow, least)
    assert not ruled_out(slow, least - 1)


def test_no_slow_request_ends_it_and_a_slow_one_does_not() -> None:
    assert enough([FAST] * 10, 10, LIMITS)
    assert not enough([FAST] * 9, 10, LIMITS)
    assert enough([FAST] * 9, 10, LIMITS, failed=1)
    assert not enough([*[FAST] * 40, SLOW], 10, LIMITS)
    assert enough([*[FAST] * 41, SLOW], 10, LIMITS)
    assert enough([SLOW] * 3, 10, LIMITS)
    assert enough([*[FAST] * 90, *[SLOW] * 10], 10, LIMITS), "a hundred are the end"
    assert enough([SLOW] * 10, 10, Threshold()), "without limits none is slow"


def test_the_lower_bound_is_the_smallest_time_that_is_proven() -> None:
    assert lower_bound([1.0, 2.0]) is None
    assert lower_bound([1.0, 2.0, 3.0]) == 1.0
    assert lower_bound([float(number) for number in range(1, 101)]) == 87.0


def outcome(share: float, wanted: int, rule: random.Random) -> str:
    """What a run says of a site with this share of slow requests."""
    times: list[float] = []
    while not enough(times, wanted, LIMITS):
        times.append(SLOW if rule.random() < share else FAST)
    slow, requests = times.count(SLOW), len(times)
    if certain(slow, requests):
        return "critical"
    return "ok" if slow == 0 or ruled_out(slow, requests) else "warning"


@pytest.mark.parametrize(
    ("share", "wanted", "critical", "noticed"),
    [
        (0.03, 10, (0, 2), (0, 30)),
        (0.03, 20, (0, 2), (0, 40)),
        (0.20, 10, (820, 920), (850, 930)),
        (0.20, 20, (940, 1000), (970, 1000)),
        (1.00, 10, (1000, 1000), (1000, 1000)),
    ],
)
def test_how_often_of_a_thousand_runs_a_site_is_found_slow(
    share: float, wanted: int, critical: tuple[int, int], noticed: tuple[int, int]
) -> None:
    rule = random.Random(20)
    runs = [outcome(share, wanted, rule) for _run in range(1000)]
    assert critical[0] <= runs.count("critical") <= critical[1]
    assert noticed[0] <= 1000 - runs.count("ok") <= noticed[1]
