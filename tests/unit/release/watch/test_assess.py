"""Verdicts on a watched release, and when it may be rolled back."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from ansible_collections.gpt_agent.runbook.plugins.module_utils.core.check import Check
from ansible_collections.gpt_agent.runbook.plugins.module_utils.core.thresholds import Thresholds
from ansible_collections.gpt_agent.runbook.plugins.module_utils.logs.summary import (
    LogSummary,
    MessageGroup,
)
from ansible_collections.gpt_agent.runbook.plugins.module_utils.release.checks import CHECKS
from ansible_collections.gpt_agent.runbook.plugins.module_utils.release.options import (
    Options as ReleaseOptions,
)
from ansible_collections.gpt_agent.runbook.plugins.module_utils.release.record import Switch
from ansible_collections.gpt_agent.runbook.plugins.module_utils.release.response import Endpoint
from ansible_collections.gpt_agent.runbook.plugins.module_utils.release.watch.assess import (
    Watched,
    assess,
    may_roll_back,
)
from ansible_collections.gpt_agent.runbook.plugins.module_utils.release.watch.collect import (
    Messages,
)
from ansible_collections.gpt_agent.runbook.plugins.module_utils.release.watch.options import Options
from ansible_collections.gpt_agent.runbook.plugins.module_utils.release.watch.rounds import (
    Round,
    Seen,
)
from tests.support.release_samples import NEW

THRESHOLDS = Thresholds(CHECKS)
OPTIONS = Options(ReleaseOptions("app"))
NOW = 1_000_000.0
URL = "http://127.0.0.1:3000/api/health"
FAILED = {URL: "status 500"}
DEPLOYED = Switch(NOW - 600, "deploy", "v1", "v2")


def endpoint(*seconds: float, problems: tuple[str, ...] = ()) -> Endpoint:
    found = Endpoint.of("health_urls", URL)
    found.seconds, found.problems = list(seconds), list(problems)
    return found


def watched(*, failed: dict[str, str] | None = None, **changes: Any) -> Watched:
    seen = Seen(NEW, 3, rounds=4, instances=2, answered=4, failed=failed or {})
    seen.last = Round()
    given = Watched(seen, [endpoint(0.01, 0.01)], 30.0, NOW, DEPLOYED, since=NOW - 3600)
    return replace(given, **changes)


def check(found: Watched, name: str) -> Check:
    (one,) = [each for each in assess(found, OPTIONS, THRESHOLDS) if each.name == f"release.{name}"]
    return one


@pytest.mark.parametrize(
    ("found", "expected", "remedy"),
    [
        (watched(), False, ""),
        (watched(failed=FAILED), True, "Roll it back"),
        (watched(failed=FAILED, deployed=None), False, "No deployment of it is recorded"),
        (
            watched(failed=FAILED, deployed=replace(DEPLOYED, kind="rollback")),
            False,
            "It is live since a rollback, so nothing is rolled back a second time",
        ),
        (
            watched(failed=FAILED, deployed=replace(DEPLOYED, kind="revert")),
            False,
            "It is live since a revert",
        ),
        (
            watched(failed=FAILED, deployed=replace(DEPLOYED, at=NOW - 200_000)),
            False,
            "It was deployed 2 days ago, so the deployment is hardly the cause",
        ),
        (watched(failed=FAILED, replaced_by="v1"), False, "Run this again"),
    ],
)
def test_only_a_recent_deployment_is_rolled_back(
    found: Watched, expected: bool, remedy: str
) -> None:
    assert may_roll_back(found, OPTIONS) is expected
    assert check(found, "watch").remedy.startswith(remedy)


def test_the_verdict() -> None:
    assert check(watched(), "watch").summary == "v2 works, watched for 30 s in 4 rounds"
    failed = check(watched(failed=FAILED), "watch")
    assert (failed.status, failed.summary) == (
        "critical",
        f"v2 failed, watched for 30 s: {URL} status 500",
    )
    once = watched()
    once.seen.failed_rounds[URL] = 1
    assert check(once, "watch").status == "warning"
    unseen = watched()
    unseen.seen.answered = 0
    assert check(unseen, "watch").status == "unknown"
    assert check(watched(endpoints=[]), "watch").status == "unknown"


@pytest.mark.parametrize(
    ("now", "before", "status"),
    [(0.02, 0.001, "ok"), (0.5, 0.3, "ok"), (0.7, 0.3, "warning"), (0.1, 0.3, "ok")],
)
def test_response_times(now: float, before: float, status: str) -> None:
    found = watched(endpoints=[endpoint(now)], before={URL: before})
    assert check(found, "response_time").status == status


def test_without_figures_from_before_nothing_is_compared() -> None:
    assert check(watched(), "response_time").not_judged.startswith("pre_deploy.yml measured")
    silent = watched(endpoints=[endpoint(problems=("status 500",))], before={URL: 0.1})
    assert check(silent, "response_time").not_judged == "there was no healthy answer"


@pytest.mark.parametrize(
    ("since", "before", "seconds", "status", "judged"),
    [
        (9, 0, 86400.0, "ok", True),
        (40, 24 * 30, 86400.0, "ok", True),
        (90, 24 * 30, 86400.0, "warning", True),
        (90, 0, 60.0, "ok", False),
    ],
)
def test_the_number_of_messages(
    since: int, before: int, seconds: float, status: str, judged: bool
) -> None:
    found = watched(messages=Messages(LogSummary(0.0), before, seconds, since))
    rate = check(found, "error_rate")
    assert (rate.status, not rate.not_judged) == (status, judged), rate


def test_new_kinds_of_messages() -> None:
    groups = [MessageGroup("old", 5, 0.0, NOW), MessageGroup("new", 2, NOW - 60, NOW)]
    found = watched(messages=Messages(LogSummary(0.0, groups), 0, 86400.0, 2))
    errors = check(found, "errors")
    assert errors.status == "warning"
    assert "2 new error messages, first of all 'new'" in errors.summary
