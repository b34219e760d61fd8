"""What is not a check or an action is a critical step, and never a traceback."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.gpt_agent.runbook.plugins.plugin_utils.report.parse import (
    Invalid,
    parse_action,
    parse_check,
)
from tests.support import report_samples as samples

GOOD: dict[str, Any] = {"name": "host.cpu", "status": "ok", "summary": "12 % busy"}


@pytest.mark.parametrize(
    ("item", "reason"),
    [
        ("fine", "not a mapping"),
        (None, "not a mapping"),
        ({}, "not a name of a check"),
        ({**GOOD, "name": "cpu"}, "not a name of a check"),
        ({**GOOD, "name": "Host.CPU"}, "not a name of a check"),
        ({**GOOD, "name": ["host.cpu"]}, "not a name of a check"),
        ({"name": "host.cpu", "summary": "x"}, "no status"),
        ({**GOOD, "status": "OK"}, "not a status"),
        ({**GOOD, "status": 3}, "no status"),
        ({"name": "host.cpu", "status": "ok"}, "no summary"),
        ({**GOOD, "summary": 12}, "summary of host.cpu is not a text"),
        ({**GOOD, "value": "12"}, "value of host.cpu is not a finite number"),
        ({**GOOD, "value": True}, "value of host.cpu is not a finite number"),
        ({**GOOD, "value": float("nan")}, "value of host.cpu is not a finite number"),
        ({**GOOD, "critical": float("inf")}, "critical of host.cpu is not a finite number"),
        ({**GOOD, "unit": "furlongs"}, "not a unit"),
        ({**GOOD, "evidence": "x"}, "not a list of mappings"),
        ({**GOOD, "evidence": ["x"]}, "not a list of mappings"),
        ({**GOOD, "verdict": "ok"}, "'verdict'"),
    ],
)
def test_something_else_than_a_check_is_a_critical_step_and_no_traceback(
    item: Any, reason: str
) -> None:
    with pytest.raises(Invalid, match=reason):
        parse_check(item)
    report = samples.report({"a": {"__host_health": {"checks": [item, GOOD]}}})
    assert [(c["name"], c["status"]) for c in report["checks"]] == [
        ("runbook.step", "critical"),
        ("host.cpu", "ok"),
    ]
    assert reason in report["checks"][0]["summary"]


@pytest.mark.parametrize("checks", [{"a": 1}, "none", 3])
def test_checks_that_are_no_list_are_a_critical_step(checks: Any) -> None:
    assert (
        "not a list"
        in samples.only_check(samples.report({"a": {"__host_health": {"checks": checks}}}))[
            "summary"
        ]
    )


@pytest.mark.parametrize(
    ("item", "reason"),
    [
        (7, "not a mapping"),
        ({"name": "pg.vacuum"}, "no status"),
        ({"name": "pg.vacuum", "status": "ok"}, "not the status of an action"),
        (
            {"name": "pg.vacuum", "status": "done", "seconds": "1"},
            "seconds of pg.vacuum is not a finite number",
        ),
        (
            {"name": "pg.vacuum", "status": "done", "reason": None},
            "reason of pg.vacuum is not a text",
        ),
        ({"name": "pg.vacuum", "status": "done", "summary": "x"}, "'summary'"),
    ],
)
def test_something_else_than_an_action_is_a_critical_step(item: Any, reason: str) -> None:
    with pytest.raises(Invalid, match=reason):
        parse_action(item)
    assert (
        reason in samples.only_check(samples.report({"a": {"__x": {"actions": [item]}}}))["summary"]
    )
