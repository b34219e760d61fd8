"""What a part did, by what its steps have registered."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.gpt_agent.runbook.plugins.plugin_utils.maintained import (
    critical_of,
    fingerprints,
    health_of,
    since,
)
from tests.support import report_samples as samples

HEALTH = {"__host_health": samples.host_health(disk=99), "__app_health": {"skipped": True}}
FAILED_ACTION = {"name": "postgres.vacuum", "subject": "t", "status": "failed", "reason": "no"}


def test_only_health_steps_tell_how_healthy_a_host_is() -> None:
    bad = {"checks": [], "failed": True, "msg": "no such tool"}
    names = {check.name for check in health_of({**HEALTH, "__postgres_maintenance": bad})}
    assert "host.disk_used" in names
    assert "runbook.step" not in names
    assert health_of({"__app_update": bad, "app_name": "x"}) == []


def test_what_is_critical_names_its_host() -> None:
    rows = critical_of({"app1": HEALTH, "db1": {"__host_health": {"unreachable": True}}})
    assert {(row["host"], row["name"]) for row in rows} == {
        ("app1", "host.disk_used"),
        ("db1", "host.reachable"),
    }


@pytest.mark.parametrize(
    ("registered", "ran", "changed", "problems"),
    [
        ({}, False, False, ()),
        ({"__logs_rotate": {"skipped": True}}, False, False, ()),
        ({"__logs_rotate": {"changed": True}}, True, True, ()),
        ({"__logs_rotate": {"failed": True, "msg": "no"}}, True, False, ("no",)),
        (
            {"__logs_rotate": {"unreachable": True, "msg": "x"}},
            True,
            False,
            ("the host could not be reached",),
        ),
        ({"__logs_rotate": {"actions": [FAILED_ACTION]}}, True, False, ("postgres.vacuum t: no",)),
        (
            {"__logs_rotate": {"results": [{"changed": True}, {"failed": True, "msg": "no"}]}},
            True,
            True,
            ("no",),
        ),
        ({"__maintenance_part": {"failed": True}, "x": {"failed": True}}, False, False, ()),
    ],
)
def test_what_was_registered_since(
    registered: dict[str, Any], ran: bool, changed: bool, problems: tuple[str, ...]
) -> None:
    before = {**HEALTH, "__app_dependencies": {"failed": True, "msg": "earlier"}}
    steps = since(fingerprints(before), {**before, **registered})
    assert (steps.ran, steps.changed, steps.problems) == (ran, changed, problems)


def test_the_steps_own_checks_that_are_critical_or_unknown_come_worst_first() -> None:
    checks = [
        {"name": "logs.rotation", "subject": "/x", "status": "unknown", "summary": "not there"},
        {"name": "logs.size", "subject": "", "status": "critical", "summary": "too large"},
        {"name": "logs.age", "subject": "", "status": "warning", "summary": "old"},
    ]
    before = {"__npm_check": {"checks": checks}, "__host_health": {"checks": []}}
    later = {"__logs_rotate": {"checks": checks}, "__host_health": {"checks": checks}}
    assert since(fingerprints(before), {**before, **later}).doubts == (
        ("critical", "logs.size: too large"),
        ("unknown", "logs.rotation /x: not there"),
    )


def test_a_part_that_failed_names_the_variables_of_the_operator() -> None:
    checks = [{"name": "x.y", "status": "critical", "summary": "database_url has no password"}]
    failed = {"failed": True, "msg": "database_url: has no password", "checks": checks}
    steps = since({}, {"__postgres_maintenance": failed, "postgres_maintenance_url": ""})
    assert steps.problems == ("postgres_maintenance_url (database_url): has no password",)
    assert steps.doubts == (("critical", "x.y: postgres_maintenance_url has no password"),)
    ill = {"__postgres_health": {"checks": checks}, "postgres_url": "", "__logs_rotate": failed}
    (row,) = critical_of({"db1": ill})
    assert row["summary"] == "postgres_url has no password"


def test_a_step_that_ran_again_counts() -> None:
    before = {"__logs_rotate": {"finished_at": 1.0, "changed": True}}
    assert since(fingerprints(before), {"__logs_rotate": {"finished_at": 2.0}}).ran


def test_the_health_afterwards_is_no_step_of_the_last_part() -> None:
    later = {"__app_health": {"failed": True, "msg": "the host could not be reached"}}
    steps = since(fingerprints(HEALTH), {**HEALTH, **later})
    assert (steps.ran, steps.problems) == (False, ())
