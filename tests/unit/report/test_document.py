"""The report as data: its verdict, its counts and its schema."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from ansible_collections.gpt_agent.runbook.plugins.module_utils.core.check import (
    ACTION_STATUSES,
    STATUSES,
    UNITS,
    Action,
    Check,
    as_dicts,
)
from ansible_collections.gpt_agent.runbook.plugins.plugin_utils.report.document import (
    FAIL_ON,
    parse_report,
    reaches,
    title_of,
)
from ansible_collections.gpt_agent.runbook.plugins.plugin_utils.report.formats import schema
from ansible_collections.gpt_agent.runbook.plugins.plugin_utils.report.parse import Invalid
from tests.support import report_samples as samples

FINE = Check("host.cpu", "ok", "12 % busy", value=12, unit="percent", warning=80, critical=95)
POOR = Check(
    "host.memory",
    "warning",
    "88 % in use",
    value=88,
    unit="percent",
    warning=85,
    critical=95,
    remedy="look for leaks",
)


def test_it_collects_checks_and_actions_of_all_hosts_in_order() -> None:
    report = samples.report(
        {
            "app1": {
                "__host_health": samples.step(FINE, POOR),
                "ansible_host": "10.0.0.1",
                "groups": {"checks": []},
            },
            "db1": {
                "__host_health": samples.step(FINE),
                "__postgres_maintain": samples.done(
                    Action("postgres.vacuum", "done", "bloat", "public.a", seconds=1.5)
                ),
            },
        }
    )
    assert [(c["host"], c["name"], c["status"]) for c in report["checks"]] == [
        ("app1", "host.cpu", "ok"),
        ("app1", "host.memory", "warning"),
        ("db1", "host.cpu", "ok"),
    ]
    assert [(a["host"], a["name"], a["seconds"]) for a in report["actions"]] == [
        ("db1", "postgres.vacuum", 1.5)
    ]
    assert report["verdict"] == "warning"
    assert report["counts"] == {"ok": 2, "unknown": 0, "warning": 1, "critical": 0}
    assert report["action_counts"] == {"planned": 0, "done": 1, "skipped": 0, "failed": 0}
    assert [(host["name"], host["verdict"]) for host in report["hosts"]] == [
        ("app1", "warning"),
        ("db1", "ok"),
    ]


def test_it_tells_when_and_how_it_was_run() -> None:
    start = datetime(2026, 11, 23, 7, 0, tzinfo=timezone(timedelta(hours=1)))
    report = samples.report(
        {"a": {"__x": samples.step(FINE)}},
        started=start,
        finished=start + timedelta(seconds=14.26),
        check_mode=True,
        limit="a,b",
    )
    assert (report["started"], report["finished"], report["seconds"]) == (
        "2026-11-23T06:00:00Z",
        "2026-11-23T06:00:14Z",
        14.3,
    )
    assert (report["check_mode"], report["limit"]) == (True, "a,b")
    assert samples.report({"a": {"__x": samples.step(FINE)}}, started=None)["seconds"] is None


def test_a_failed_action_makes_the_run_critical() -> None:
    report = samples.report(
        {
            "db1": {
                "__postgres_maintain": samples.done(
                    Action("postgres.vacuum", "failed", "lock not granted", "public.a")
                )
            }
        }
    )
    assert (report["verdict"], report["failing"], report["hosts"][0]["verdict"]) == (
        "critical",
        True,
        "critical",
    )


def test_no_actions_are_fine_where_there_was_nothing_to_do() -> None:
    assert (
        samples.report({"db1": {"__postgres_maintain": {"actions": [], "changed": False}}})[
            "verdict"
        ]
        == "ok"
    )


@pytest.mark.parametrize(
    ("fail_on", "failing"),
    [
        ("never", []),
        ("critical", ["critical"]),
        ("warning", ["warning", "critical"]),
        ("unknown", ["unknown", "warning", "critical"]),
    ],
)
def test_the_run_fails_from_the_verdict_asked_for(fail_on: str, failing: list[str]) -> None:
    assert [status for status in STATUSES if reaches(status, fail_on)] == failing
    assert fail_on in FAIL_ON


def test_a_playbook_is_named_in_words() -> None:
    assert [title_of(name) for name in ("daily_checklist", "Weekly-maintenance", "x")] == [
        "Daily checklist",
        "Weekly maintenance",
        "X",
    ]


def test_a_report_of_an_unknown_version_is_not_misread() -> None:
    report = samples.report({"a": {"__x": samples.step(FINE)}})
    assert parse_report({**report, "schema_version": "1.7"})["verdict"] == "ok"
    others: list[Any] = [{**report, "schema_version": "2.0"}, {}, [], None]
    for other in others:
        with pytest.raises(Invalid, match="schema version"):
            parse_report(other)


def test_the_schema_is_one_and_knows_the_whole_vocabulary() -> None:
    Draft202012Validator.check_schema(schema())
    definitions = schema()["$defs"]
    assert set(definitions["check"]["properties"]) == {"host", *as_dicts([FINE])[0]}
    assert set(definitions["action"]["properties"]) == {
        "host",
        *as_dicts([Action("a.b", "done")])[0],
    }
    assert set(definitions["status"]["enum"]) == set(STATUSES)
    assert set(definitions["action"]["properties"]["status"]["enum"]) == set(ACTION_STATUSES)
    assert set(definitions["check"]["properties"]["unit"]["enum"]) == set(UNITS)
    assert set(schema()["properties"]["fail_on"]["enum"]) == set(FAIL_ON)


@pytest.mark.parametrize(
    "broken",
    [
        {"verdict": "fine"},
        {"checks": [{"name": "host.cpu"}]},
        {"schema_version": "2.0"},
        {"extra": 1},
        {"finished": "today"},
    ],
)
def test_the_schema_refuses_what_is_no_report(broken: dict[str, Any]) -> None:
    assert samples.problems({**samples.report({"a": {"__x": samples.step(FINE)}}), **broken})


anything = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=20)
    | st.sampled_from(["ok", "host.cpu", "critical", "done"]),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(
                [
                    "checks",
                    "actions",
                    "failed",
                    "unreachable",
                    "msg",
                    "results",
                    "name",
                    "status",
                    "summary",
                    "value",
                    "evidence",
                    "unit",
                    "subject",
                    "finished_at",
                ]
            ),
            inner,
            max_size=6,
        )
    ),
    max_leaves=25,
)


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.dictionaries(st.sampled_from(["__a", "__b_c", "_d", "e"]), anything, max_size=4))
def test_whatever_hosts_registered_the_report_is_one_and_never_falsely_well(
    variables: dict[str, Any],
) -> None:
    report = samples.report({"app1": variables})
    looked = [
        key for key, value in variables.items() if key.startswith("__") and isinstance(value, dict)
    ]
    if not looked:
        assert report["verdict"] == "critical"
    if any(variables[key].get("failed") is True for key in looked):
        assert report["verdict"] == "critical"
