"""The report as JUnit XML."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support import report_samples as samples
from tests.support import reports
from tests.support.report_readers import junit_outcomes, read_junit

Report = dict[str, Any]


@pytest.mark.parametrize(
    "report",
    [*reports.ALL, reports.many(), reports.hostile()],
    ids=["bad", "good", "plan", "done", "many", "hostile"],
)
def test_junit_keeps_to_the_schema_and_counts_right(report: Report) -> None:
    root = read_junit(report)
    assert len(list(root.iter("testcase"))) == len(report["checks"]) + len(report["actions"])


@pytest.mark.parametrize(
    ("fail_on", "warning", "unknown"),
    [
        ("critical", "system-out", "skipped"),
        ("never", "system-out", "skipped"),
        ("warning", "failure", "skipped"),
        ("unknown", "failure", "failure"),
    ],
)
def test_junit_fails_what_the_run_fails_for(fail_on: str, warning: str, unknown: str) -> None:
    told = junit_outcomes(read_junit(samples.report(samples.bad_morning(), fail_on=fail_on)))
    assert told["db1.postgres.connections postgres.connections"] == "failure"
    assert told["app1.app.errors app.errors gpt-agent"] == warning
    assert told["db1.postgres.query_time_mean postgres.query_time_mean"] == unknown
    assert told["app1.host.cpu host.cpu"] == "system-out"
