"""What a report is built of, and that nothing that could not be looked at passes as well."""

from __future__ import annotations

import copy
from dataclasses import replace
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
    Invalid,
    build,
    parse_action,
    parse_check,
    reaches,
    readable,
    title_of,
)
from ansible_collections.gpt_agent.runbook.plugins.plugin_utils.report.formats import schema
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


def built(
    hosts: dict[str, dict[str, Any]], dropped: tuple[str, ...] = (), **more: Any
) -> dict[str, Any]:
    report = build(samples.run(**more), hosts, dropped)
    assert samples.problems(report) == []
    return report


def only(report: dict[str, Any]) -> dict[str, Any]:
    assert len(report["checks"]) == 1, report["checks"]
    check: dict[str, Any] = report["checks"][0]
    return check


def test_it_collects_checks_and_actions_of_all_hosts_in_order() -> None:
    report = built(
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
    report = built(
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
    assert built({"a": {"__x": samples.step(FINE)}}, started=None)["seconds"] is None


def test_a_host_cut_off_under_an_open_connection_is_not_taken_for_a_matter_of_sudo() -> None:
    lost = {
        "unreachable": True,
        "msg": "Task failed: Timeout (12s) waiting for privilege escalation prompt: ",
    }
    [check] = built({"app1": {"__host_health": lost}})["checks"]
    assert (
        check["summary"]
        == "no answer within 12 s, not even sudo's prompt: the host is cut off or hangs"
    )


def test_an_unreachable_host_is_critical_once_however_many_steps_it_failed() -> None:
    lost = {
        "unreachable": True,
        "msg": "Task failed: Failed to connect to the host via ssh: port 22: Connection refused\r\nmore\nlines",
    }
    check = only(
        built(
            {
                "app1": {
                    "__host_health": lost,
                    "__app_health": dict(lost),
                    "__web_health": dict(lost),
                }
            }
        )
    )
    assert (check["name"], check["status"]) == ("host.reachable", "critical")
    assert check["summary"] == "Failed to connect to the host via ssh: port 22: Connection refused"
    assert check["remedy"]


def test_what_was_found_before_a_host_got_lost_is_kept() -> None:
    report = built(
        {
            "app1": {
                "__host_health": samples.step(FINE),
                "__app_health": {"unreachable": True, "msg": "timed out"},
            }
        }
    )
    assert [(c["name"], c["status"]) for c in report["checks"]] == [
        ("host.reachable", "critical"),
        ("host.cpu", "ok"),
    ]


def test_a_failed_step_is_critical_with_its_message_but_without_secrets() -> None:
    failed = {
        "failed": True,
        "msg": "could not log in at postgresql://me:hunter2@db/x, password=hunter2\nTraceback",
    }
    check = only(built({"db1": {"__postgres_health": failed}}))
    assert (check["name"], check["subject"], check["status"]) == (
        "runbook.step",
        "postgres_health",
        "critical",
    )
    assert check["summary"].startswith("could not log in at postgresql://***@db/x")
    assert "hunter2" not in str(check)


@pytest.mark.parametrize(
    ("result", "summary"),
    [
        ({"failed": True}, "failed without a message"),
        ({"failed": True, "msg": "", "stderr": "no such file"}, "no such file"),
        ({"failed": True, "msg": ["a", "b"]}, "['a', 'b']"),
        ({"failed": True, "msg": "x" * 900}, "x" * 499 + "…"),
    ],
)
def test_a_failed_step_always_says_something(result: dict[str, Any], summary: str) -> None:
    assert only(built({"db1": {"__postgres_health": result}}))["summary"] == summary


def test_checks_of_a_step_that_failed_half_way_are_kept() -> None:
    report = built(
        {
            "db1": {
                "__x_y": {"failed": True, "msg": "lost the connection", "checks": as_dicts([FINE])}
            }
        }
    )
    assert [c["name"] for c in report["checks"]] == ["runbook.step", "host.cpu"]
    sick = replace(FINE, status="critical")
    report = built({"db1": {"__x_y": {"failed": True, "msg": "full", "checks": as_dicts([sick])}}})
    assert [c["name"] for c in report["checks"]] == ["host.cpu"], "it says already what is wrong"


@pytest.mark.parametrize(
    "variables",
    [
        {},
        {"ansible_host": "10.0.0.1"},
        {"__app_health": {"skipped": True, "changed": False}},
        {"__note": "text"},
    ],
)
def test_a_host_where_nothing_was_looked_at_is_critical(variables: dict[str, Any]) -> None:
    check = only(built({"app1": variables}))
    assert (check["name"], check["status"]) == ("runbook.step", "critical")
    assert "nothing was looked at" in check["summary"]


def test_a_host_that_dropped_out_is_critical_even_though_what_it_answered_was_fine() -> None:
    report = built({"app1": {"__host_health": samples.step(FINE)}}, dropped=("app1",))
    assert report["verdict"] == "critical"
    assert "left no result" in report["checks"][-1]["summary"]


def test_a_host_that_dropped_out_for_a_known_reason_has_that_reason_alone() -> None:
    assert (
        only(
            built(
                {"app1": {"__host_health": {"failed": True, "msg": "no python"}}}, dropped=("app1",)
            )
        )["summary"]
        == "no python"
    )


def test_a_loop_is_as_many_steps_as_it_has_items() -> None:
    loop = {
        "results": [samples.step(FINE), {"failed": True, "msg": "broken"}, {"skipped": True}],
        "failed": True,
        "msg": "One or more items failed",
    }
    report = built({"app1": {"__web_health": loop}})
    assert [(c["name"], c["summary"]) for c in report["checks"]] == [
        ("host.cpu", "12 % busy"),
        ("runbook.step", "broken"),
    ]


def test_a_loop_that_failed_before_its_first_item_is_a_failed_step() -> None:
    assert (
        only(
            built({"app1": {"__web_health": {"results": [], "failed": True, "msg": "undefined"}}})
        )["summary"]
        == "undefined"
    )


def test_a_loop_that_failed_as_a_whole_is_a_failed_step() -> None:
    loop = {
        "results": [samples.step(FINE)],
        "failed": True,
        "msg": "the condition of until cannot be evaluated",
    }
    report = built({"app1": {"__web_health": loop}})
    assert [(c["name"], c["status"]) for c in report["checks"]] == [
        ("host.cpu", "ok"),
        ("runbook.step", "critical"),
    ]


def test_the_result_of_a_task_with_run_once_counts_once() -> None:
    shared = samples.step(POOR)  # Ansible registers the same object for every host
    report = built(
        {
            "app1": {"__web_health": shared},
            "app2": {"__web_health": shared},
            "app3": {"__web_health": copy.deepcopy(shared)},
        }
    )
    assert [c["host"] for c in report["checks"]] == ["app1", "app3"]


def test_the_result_of_an_earlier_report_is_no_step() -> None:
    variables = {
        "__host_health": samples.step(FINE),
        "__report_written": {"failed": True, "msg": "disk full", "checks": []},
    }
    assert built({"a": variables})["verdict"] == "ok"


def test_a_failed_action_makes_the_run_critical() -> None:
    report = built(
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
        built({"db1": {"__postgres_maintain": {"actions": [], "changed": False}}})["verdict"]
        == "ok"
    )


GOOD: dict[str, Any] = {"name": "host.cpu", "status": "ok", "summary": "12 % busy"}


@pytest.mark.parametrize(
    ("item", "reason"),
    [
        ("fine", "no mapping"),
        (None, "no mapping"),
        ({}, "no name"),
        ({**GOOD, "name": "cpu"}, "no name"),
        ({**GOOD, "name": "Host.CPU"}, "no name"),
        ({**GOOD, "name": ["host.cpu"]}, "no name"),
        ({"name": "host.cpu", "summary": "x"}, "no status"),
        ({**GOOD, "status": "OK"}, "not a status"),
        ({**GOOD, "status": 3}, "no status"),
        ({"name": "host.cpu", "status": "ok"}, "no summary"),
        ({**GOOD, "summary": 12}, "summary of host.cpu is no text"),
        ({**GOOD, "value": "12"}, "value of host.cpu is no finite number"),
        ({**GOOD, "value": True}, "value of host.cpu is no finite number"),
        ({**GOOD, "value": float("nan")}, "value of host.cpu is no finite number"),
        ({**GOOD, "critical": float("inf")}, "critical of host.cpu is no finite number"),
        ({**GOOD, "unit": "furlongs"}, "not a unit"),
        ({**GOOD, "evidence": "x"}, "no list of mappings"),
        ({**GOOD, "evidence": ["x"]}, "no list of mappings"),
        ({**GOOD, "verdict": "ok"}, "'verdict'"),
    ],
)
def test_something_else_than_a_check_is_a_critical_step_and_no_traceback(
    item: Any, reason: str
) -> None:
    with pytest.raises(Invalid, match=reason):
        parse_check(item)
    report = built({"a": {"__host_health": {"checks": [item, GOOD]}}})
    assert [(c["name"], c["status"]) for c in report["checks"]] == [
        ("runbook.step", "critical"),
        ("host.cpu", "ok"),
    ]
    assert reason in report["checks"][0]["summary"]


@pytest.mark.parametrize("checks", [{"a": 1}, "none", 3])
def test_checks_that_are_no_list_are_a_critical_step(checks: Any) -> None:
    assert "no list" in only(built({"a": {"__host_health": {"checks": checks}}}))["summary"]


@pytest.mark.parametrize(
    ("item", "reason"),
    [
        (7, "no mapping"),
        ({"name": "pg.vacuum"}, "no status"),
        ({"name": "pg.vacuum", "status": "ok"}, "not the status of an action"),
        (
            {"name": "pg.vacuum", "status": "done", "seconds": "1"},
            "seconds of pg.vacuum is no finite number",
        ),
        ({"name": "pg.vacuum", "status": "done", "reason": None}, "reason of pg.vacuum is no text"),
        ({"name": "pg.vacuum", "status": "done", "summary": "x"}, "'summary'"),
    ],
)
def test_something_else_than_an_action_is_a_critical_step(item: Any, reason: str) -> None:
    with pytest.raises(Invalid, match=reason):
        parse_action(item)
    assert reason in only(built({"a": {"__x": {"actions": [item]}}}))["summary"]


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
    report = built({"a": {"__x": samples.step(FINE)}})
    assert readable({**report, "schema_version": "1.7"})["verdict"] == "ok"
    others: list[Any] = [{**report, "schema_version": "2.0"}, {}, [], None]
    for other in others:
        with pytest.raises(Invalid, match="schema version"):
            readable(other)


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
    assert samples.problems({**built({"a": {"__x": samples.step(FINE)}}), **broken})


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
    report = built({"app1": variables})
    looked = [
        key for key, value in variables.items() if key.startswith("__") and isinstance(value, dict)
    ]
    if not looked:
        assert report["verdict"] == "critical"
    if any(variables[key].get("failed") is True for key in looked):
        assert report["verdict"] == "critical"
