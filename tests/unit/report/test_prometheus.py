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


RUN = {"playbook": "daily_checklist"}
DISK = {**RUN, "host": "app2", "check": "host.disk_used", "subject": "/"}
CERTIFICATE = {
    **RUN,
    "host": "app2",
    "check": "certificate.expiry",
    "subject": "gpt-agent.example.com:443",
}
QUERIES = {**RUN, "host": "db1", "check": "postgres.query_time_mean", "subject": ""}


@pytest.mark.parametrize(
    ("metric", "labels", "value"),
    [
        ("runbook_check_status", DISK, 2),
        ("runbook_check_value_ratio", DISK, 0.934),
        ("runbook_check_warning_ratio", DISK, 0.8),
        ("runbook_check_critical_ratio", DISK, 0.9),
        ("runbook_check_status", CERTIFICATE, 1),
        ("runbook_check_value_seconds", CERTIFICATE, 12 * 86400),
        ("runbook_check_status", QUERIES, 3),
        ("runbook_report_status", RUN, 2),
        ("runbook_report_timestamp_seconds", RUN, 1795413614),
        ("runbook_report_duration_seconds", RUN, 14.3),
    ],
)
def test_prometheus_gets_base_units_and_codes_of_monitoring_plugins(
    metric: str, labels: dict[str, str], value: float
) -> None:
    assert sample_value(read_metrics(prometheus.render(reports.BAD)), metric, **labels) == value


def test_prometheus_gets_the_number_of_actions() -> None:
    found = read_metrics(prometheus.render(reports.DONE))
    assert sample_value(found, "runbook_actions", **RUN, status="done") == 2


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
