"""app.errors: messages by fingerprint, and what cannot be known."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.gpt_agent.runbook.plugins.module_utils.core.check import Check
from ansible_collections.gpt_agent.runbook.plugins.module_utils.core.thresholds import Thresholds
from ansible_collections.gpt_agent.runbook.plugins.module_utils.logs.summary import (
    LogProblem,
    LogSummary,
    MessageGroup,
)
from ansible_collections.gpt_agent.runbook.plugins.module_utils.pm2.error_log import (
    assess_errors,
    log_files,
)
from ansible_collections.gpt_agent.runbook.plugins.module_utils.pm2.instance import App
from tests.support.pm2_snapshots import NOW, THRESHOLDS, instance

APP = App("gpt-agent", "default", (instance(0),))
STAMPED = App("gpt-agent", "default", (instance(0, log_date_format="YYYY", cluster=True),))


def errors(*counts: int, app: App = APP, thresholds: Thresholds = THRESHOLDS, **more: Any) -> Check:
    groups = [
        MessageGroup(f"kind {'abc'[n]}", count, NOW - 3600, NOW - 60)
        for n, count in enumerate(counts)
    ]
    return assess_errors(app, LogSummary(NOW - 86400, groups, **more), NOW, thresholds)


@pytest.mark.parametrize(
    ("counts", "status", "summary"),
    [
        ((), "ok", "no error messages in the app's logs in the last 24 h"),
        ((1,), "ok", "1 error message in the app's logs in the last 24 h: kind a"),
        (
            (11,),
            "warning",
            "11 error messages in the app's logs in the last 24 h, all of one kind: kind a",
        ),
        (
            (1000, 200),
            "critical",
            "1,200 error messages in the app's logs in the last 24 h, of 2 kinds, "
            "most often (1,000 times): kind a",
        ),
    ],
)
def test_errors_are_counted_by_kind(counts: tuple[int, ...], status: str, summary: str) -> None:
    check = errors(*counts)
    assert (check.status, check.value, check.summary) == (status, sum(counts), summary)
    assert check.window == "2026-11-22T06:00Z/PT24H"
    if counts:
        assert check.evidence[0] == {
            "message": "kind a",
            "count": counts[0],
            "first": "2026-11-23T05:00:00Z",
            "last": "2026-11-23T05:59:00Z",
        }


@pytest.mark.parametrize(
    ("problem", "summary", "remedy"),
    [
        (
            LogProblem("/e.log", "forbidden"),
            "this user lacks permission to read /e.log",
            "app_user",
        ),
        (LogProblem("/e.log", "missing"), "there is no /e.log", "pm2 reloadLogs"),
        (
            LogProblem("/e.log", "unreadable", "Input/output error"),
            "/e.log could not be read: Input/output error",
            "Rotate",
        ),
        (LogProblem("/e.log", "mixed"), "ordinary output goes to /e.log too", "error_file"),
        (LogProblem("", "disabled"), "PM2 writes no error log", "app_error_logs"),
    ],
)
def test_what_cannot_be_read_makes_an_ok_unknown_and_never_a_problem_smaller(
    problem: LogProblem, summary: str, remedy: str
) -> None:
    check = errors(problems=[problem])
    assert (check.status, check.value) == ("unknown", None)
    assert summary in check.summary
    assert remedy in check.remedy
    worse = errors(11, problems=[problem])
    assert worse.status == "warning"
    assert summary in worse.summary


def test_several_logs_with_the_same_problem_are_one_sentence() -> None:
    check = errors(problems=[LogProblem(f"/e-{n}.log", "untimed", count=2) for n in range(4)])
    assert check.summary.startswith(
        "8 messages without a time, age unknown, in /e-0.log and 3 more"
    )


@pytest.mark.parametrize("at_least", [False, True])
def test_messages_without_a_time_are_not_judged(at_least: bool) -> None:
    problem = LogProblem("/e.log", "untimed", count=3, at_least=at_least)
    check = errors(problems=[problem])
    assert (check.status, check.value) == ("ok", 0)
    assert "3 messages without a time, age unknown, in /e.log; not judged: " in check.summary
    assert "'pm2 restart gpt-agent --time'" in check.not_judged
    assert errors(11, problems=[problem]).status == "warning"
    assert errors(possible=200, problems=[problem]).status == "unknown"


def test_output_that_was_not_read_completely_is_taken_to_go_on_like_that() -> None:
    part = {"output_since": NOW - 3600}
    check = errors(2, unread=4, **part)
    assert check.status == "ok"
    assert "only the part since 2026-11-23T05:00:00Z was read" in check.summary
    assert errors(2, unread=400, **part).status == "unknown"


def test_warnings_in_the_output_are_mentioned_and_not_counted() -> None:
    check = errors(warnings=12)
    assert (check.status, check.value) == ("ok", 0)
    assert check.summary.endswith(", 12 warnings in the output not counted")


def test_messages_that_may_be_recent_are_bounds() -> None:
    assert errors(2, possible=5).status == "ok", "seven at most"
    assert errors(2, possible=5).summary.endswith("; 5 more without a time may be as recent")
    check = errors(2, possible=50, undated={"kind x": 50}, app=STAMPED)
    assert check.status == "unknown"
    assert check.evidence[-1] == {"message": "kind x", "count": 50, "first": None, "last": None}
    assert "uncaught exception in cluster mode" in check.remedy
    assert errors(20, possible=50).status == "warning"


def test_a_log_that_was_not_read_whole_gives_a_lower_bound() -> None:
    check = errors(5, complete=False, oldest=NOW - 60)
    assert check.status == "unknown"
    assert check.summary.startswith("at least 5 error messages")
    assert check.summary.endswith("only its latest lines were read, back to 2026-11-23T05:59:00Z")
    assert errors(5000, complete=False, oldest=NOW - 60).status == "critical"


def test_information_is_mentioned_and_not_counted() -> None:
    assert (
        errors(informational=3).summary
        == "no error messages in the app's logs in the last 24 h, only 3 marked as information"
    )


def test_logs_are_those_of_pm2_unless_others_are_named() -> None:
    rows = (
        instance(0, error_log="/e.log", out_log="/o.log", log_date_format="YYYY"),
        instance(1, error_log="/a.log", out_log="/a.log"),
        instance(2, logs_disabled=True),
    )
    app = App("a", "default", rows)
    logs, output = log_files(app)
    assert [(log.path, log.date_format, log.mixed) for log in logs] == [
        ("/e.log", "YYYY", False),
        ("/a.log", "", True),
        ("", "", True),
    ]
    assert [(log.path, log.output) for log in output] == [("/o.log", True)]
    assert [log.path for log in log_files(app, ["/own.log"])[0]] == ["/own.log"]
