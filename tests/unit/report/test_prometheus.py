"""The report in Prometheus' text format."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ansible_collections.gpt_agent.runbook.plugins.module_utils.core.check import Check
from ansible_collections.gpt_agent.runbook.plugins.plugin_utils.report import prometheus
from tests.support import report_samples as samples
from tests.support import reports
from tests.support.report_readers import read_metrics, sample_value

Report = dict[str, Any]


@pytest.mark.parametrize(
    "report",
    [*reports.ALL, reports.many(), reports.hostile()],
    ids=["bad", "good", "plan", "done", "many", "hostile"],
)
def test_prometheus_reads_it_and_finds_every_check(report: Report) -> None:
    found = read_metrics(prometheus.render(report))
    wanted = {(check["host"], check["name"], check["subject"]) for check in report["checks"]}
    assert {
        (labels[1][1], labels[2][1], labels[3][1])
        for labels in found.get("runbook_check_status", {})
    } == wanted


def test_prometheus_gets_base_units_and_codes_of_monitoring_plugins() -> None:
    found = read_metrics(prometheus.render(reports.BAD))
    run = {"playbook": "daily_checklist"}
    app2 = {**run, "host": "app2"}
    assert (
        sample_value(found, "runbook_check_status", **app2, check="host.disk_used", subject="/")
        == 2
    )
    assert (
        sample_value(
            found, "runbook_check_value_ratio", **app2, check="host.disk_used", subject="/"
        )
        == 0.934
    )
    assert (
        sample_value(
            found, "runbook_check_warning_ratio", **app2, check="host.disk_used", subject="/"
        )
        == 0.8
    )
    assert (
        sample_value(
            found, "runbook_check_critical_ratio", **app2, check="host.disk_used", subject="/"
        )
        == 0.9
    )
    certificate = {**app2, "check": "certificate.expiry", "subject": "gpt-agent.example.com:443"}
    assert sample_value(found, "runbook_check_status", **certificate) == 1
    assert sample_value(found, "runbook_check_value_seconds", **certificate) == 12 * 86400
    assert (
        sample_value(
            found,
            "runbook_check_status",
            **run,
            host="db1",
            check="postgres.query_time_mean",
            subject="",
        )
        == 3
    )
    assert sample_value(found, "runbook_report_status", **run) == 2
    assert sample_value(found, "runbook_report_timestamp_seconds", **run) == 1795413614
    assert sample_value(found, "runbook_report_duration_seconds", **run) == 14.3
    assert (
        sample_value(
            read_metrics(prometheus.render(reports.DONE)), "runbook_actions", **run, status="done"
        )
        == 2
    )


def test_prometheus_gets_the_worse_of_two_checks_of_one_name() -> None:
    checks = [
        Check("web.endpoint", status, "x", subject="/") for status in ("ok", "critical", "warning")
    ]
    found = read_metrics(prometheus.render(samples.report({"a": {"__w": samples.step(*checks)}})))
    assert list(found["runbook_check_status"].values()) == [2]


@settings(deadline=None)
@given(st.text(max_size=30), st.text(max_size=30))
def test_any_label_survives(host: str, subject: str) -> None:
    report = samples.report(
        {host: {"__w": samples.step(Check("web.endpoint", "ok", "fine", subject=subject))}}
    )
    (labels,) = read_metrics(prometheus.render(report))["runbook_check_status"]
    assert dict(labels)["host"] == host
    assert dict(labels)["subject"] == subject
