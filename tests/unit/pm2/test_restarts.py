"""app.restarts: restarts since the last run, and what the first run can know."""

from __future__ import annotations

import pytest

from ansible_collections.gpt_agent.runbook.plugins.module_utils.core.thresholds import Thresholds
from ansible_collections.gpt_agent.runbook.plugins.module_utils.pm2.checks import CHECKS
from tests.support.pm2_snapshots import assess, instance, since_last_run


@pytest.mark.parametrize(
    ("count", "status"), [(0, "ok"), (5, "ok"), (6, "warning"), (16, "critical")]
)
def test_restarts_since_the_last_run_are_judged(count: int, status: str) -> None:
    check = assess(
        instance(0, restarts=70), instance(1, restarts=90), delta=since_last_run(_0=count, _1=0)
    )["app.restarts"]
    assert (check.status, check.value, check.window) == (status, count, "2026-11-22T06:00Z/PT24H")
    if count:
        assert (
            check.summary == f"id 0 was restarted {count} times since the last run 24 h ago, "
            "the most of 2 instances, including restarts on purpose"
        )
    else:
        assert check.summary == "no restarts since the last run 24 h ago"


def test_the_first_run_judges_what_the_totals_prove() -> None:
    few = assess(instance(0, restarts=1))["app.restarts"]
    assert (few.status, few.value, few.summary) == (
        "ok",
        1,
        "the app was restarted once since it was added to PM2, including restarts on purpose",
    )
    on_purpose = assess(instance(0, restarts=40))["app.restarts"]
    assert (on_purpose.status, on_purpose.value) == ("ok", 0)
    assert (
        on_purpose.summary
        == "no restarts since it was started on purpose 3 days ago; restarted 40 times in total"
    )
    by_itself = assess(instance(0, restarts=40, since=9 * 86400))["app.restarts"]
    assert (by_itself.status, by_itself.value) == ("ok", 40)
    assert by_itself.not_judged == "the next run can count those since this one"
    looping = assess(instance(0, age=10, since=1000, restarts=40))["app.restarts"]
    assert (looping.status, looping.value) == ("critical", 40)


def test_limits_can_be_set_for_one_app() -> None:
    check = assess(
        instance(0, restarts=2),
        thresholds=Thresholds(CHECKS, {"app.restarts gpt-agent": {"warning": 1}}),
    )["app.restarts"]
    assert check.status == "ok", "restarted on purpose"
    check = assess(
        instance(0),
        delta=since_last_run(_0=2),
        thresholds=Thresholds(CHECKS, {"app.restarts gpt-agent": {"warning": 1}}),
    )["app.restarts"]
    assert (check.status, check.warning) == ("warning", 1)
