"""What all formats share: the findings in their order, and figures as text."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.gpt_agent.runbook.plugins.module_utils.core.check import Check, as_dicts
from ansible_collections.gpt_agent.runbook.plugins.plugin_utils.report.view import (
    action_figures,
    findings,
    format_hosts,
    format_thresholds,
    headline,
    long_date,
    verdict_line,
)
from tests.support import report_samples as samples
from tests.support import reports


def test_findings_come_by_urgency_and_once_for_all_hosts() -> None:
    found = findings(reports.BAD)
    assert [f.status for f in found] == ["critical"] * 4 + ["warning"] * 5 + ["unknown"]
    certificate = next(f for f in found if f.name == "certificate.expiry")
    assert certificate.hosts == ("app1", "app2")
    assert findings(reports.GOOD) == []


def test_verdicts_hosts_and_dates_as_text() -> None:
    assert headline(reports.BAD) == "4 things need attention now"
    assert headline(reports.GOOD) == "All checks passed"
    assert headline(reports.PLAN) == "2 changes planned"
    assert headline(reports.DONE) == "2 changes made"
    assert (
        verdict_line(reports.BAD) == "critical: 4 of 52 checks are critical, 6 warning, 1 unknown"
    )
    assert verdict_line(reports.GOOD) == "ok: 23 checks"
    assert verdict_line(reports.DONE) == "ok: 2 actions done, 1 action skipped"
    assert format_hosts(["a", "b"]) == "a, b"
    assert format_hosts([f"a{n}" for n in range(20)]) == "a0, a1, a2 and 17 more hosts"
    assert long_date("2026-11-23T06:00:14Z") == "Monday 23 November 2026, 06:00 UTC"


@pytest.mark.parametrize(
    ("direction", "warning", "critical", "text"),
    [
        ("above", 80, 95, "warning above 80 %, critical above 95 %"),
        ("below", 90, 80, "warning below 90 %, critical below 80 %"),
        ("below", None, 80, "critical below 80 %"),
        ("below", 50, 50, "warning below 50 %, critical below 50 %"),
        ("above", 50, None, "warning above 50 %"),
        ("", 50, None, "warning above 50 %"),
        ("", None, None, ""),
    ],
)
def test_thresholds_say_on_which_side_values_are_bad(
    direction: str, warning: float | None, critical: float | None, text: str
) -> None:
    row = {"direction": direction, "warning": warning, "critical": critical, "unit": "percent"}
    assert format_thresholds(row) == text


def test_an_action_has_its_figures() -> None:
    row = {
        "before": "1.2 GiB",
        "after": "800 MiB",
        "bytes": 429496730,
        "seconds": 12.0,
        "estimate": 9.0,
    }
    assert action_figures(row) == "1.2 GiB → 800 MiB, 410 MiB, in 12 s"
    assert (
        action_figures({**row, "before": None, "after": None, "bytes": None, "seconds": None})
        == "about 9 s"
    )


def test_the_state_of_an_action_can_be_used() -> None:
    path = f"/srv/app/releases/{'long-' * 8}v1.2.0-3f2a91c"
    row = {"before": None, "after": path, "bytes": None, "seconds": None, "estimate": None}
    assert action_figures(row) == path
    proof = {"rows": 527, "notes": [], "seconds": 0.34}
    assert action_figures({**row, "after": proof}) == "rows 527, seconds 0.34"


def test_steps_that_fail_for_one_reason_are_one_finding() -> None:
    wrong = {"failed": True, "msg": "Module failed: timeout: must be a number"}
    other = {"failed": True, "msg": "Module failed: endpoints: url is missing"}
    app1, db1 = ({"__host_health": {**wrong}, "__redis_health": {**wrong}} for _host in range(2))
    report = samples.report({"app1": {**app1, "__web_health": other}, "db1": db1})
    found = [(each.subject, each.hosts, each.summaries) for each in findings(report)]
    both = ["app1", "db1"]
    assert sorted(found) == [
        ("host_health, redis_health", tuple(both), [("timeout: must be a number", both)]),
        ("web_health", ("app1",), [("web_endpoints (endpoints): url is missing", ["app1"])]),
    ]


def test_what_one_reason_hides_is_one_finding() -> None:
    def unknown(name: str, said: str = "No INFO", remedy: str = "Allow it.") -> dict[str, Any]:
        return as_dicts([Check(name, "unknown", said, remedy=remedy)])[0]

    names = ["redis.memory", "redis.clients"]
    checks = [
        *map(unknown, names),
        unknown("redis.security", "No ACL"),
        unknown("redis.hit_rate", remedy="Wait."),
        unknown("postgres.connections"),
    ]
    hosts = {host: {"__redis_health": {"checks": list(checks)}} for host in ("db1", "db2")}
    report = samples.report(hosts)
    found = [(each.name, each.hosts) for each in findings(report)]
    both = ("db1", "db2")
    assert found == [
        ("redis.memory, redis.clients", both),
        ("redis.security", both),
        ("redis.hit_rate", both),
        ("postgres.connections", both),
    ]
    assert headline(report) == "5 things could not be checked"
    hosts["db2"]["__redis_health"]["checks"] = checks[:1]
    found = [(each.name, each.hosts) for each in findings(samples.report(hosts))]
    assert found[:2] == [("redis.memory", both), ("redis.clients", ("db1",))]
