"""What the steps of a host registered, and that nothing passes unchecked."""

from __future__ import annotations

import copy
from dataclasses import replace
from typing import Any

import pytest

from ansible_collections.gpt_agent.runbook.plugins.module_utils.core.check import (
    Action,
    Check,
    as_dicts,
)
from tests.support import report_samples as samples

FINE = Check("host.cpu", "ok", "12 % busy", value=12, unit="percent", warning=80, critical=95)
POOR = Check("host.memory", "warning", "88 % in use", remedy="look for leaks")


def test_a_host_cut_off_under_an_open_connection_is_not_taken_for_a_matter_of_sudo() -> None:
    lost = {
        "unreachable": True,
        "msg": "Task failed: Timeout (12s) waiting for privilege escalation prompt: ",
    }
    [check] = samples.report({"app1": {"__host_health": lost}})["checks"]
    assert (
        check["summary"]
        == "no answer within 12 s, not even sudo's prompt: the host is unreachable or hangs"
    )


def test_an_unreachable_host_is_critical_once_however_many_steps_it_failed() -> None:
    lost = {
        "unreachable": True,
        "msg": "Task failed: Failed to connect to the host via ssh: port 22: Connection refused"
        "\r\nmore\nlines",
    }
    check = samples.only_check(
        samples.report(
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
    report = samples.report(
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
    check = samples.only_check(samples.report({"db1": {"__postgres_health": failed}}))
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
    assert (
        samples.only_check(samples.report({"db1": {"__postgres_health": result}}))["summary"]
        == summary
    )


def test_checks_of_a_step_that_failed_half_way_are_kept() -> None:
    report = samples.report(
        {
            "db1": {
                "__x_y": {"failed": True, "msg": "lost the connection", "checks": as_dicts([FINE])}
            }
        }
    )
    assert [c["name"] for c in report["checks"]] == ["runbook.step", "host.cpu"]
    sick = replace(FINE, status="critical")
    report = samples.report(
        {"db1": {"__x_y": {"failed": True, "msg": "full", "checks": as_dicts([sick])}}}
    )
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
    check = samples.only_check(samples.report({"app1": variables}))
    assert (check["name"], check["status"]) == ("runbook.step", "critical")
    assert "nothing was checked" in check["summary"]


def test_a_host_that_dropped_out_is_critical_even_though_what_it_answered_was_fine() -> None:
    report = samples.report({"app1": {"__host_health": samples.step(FINE)}}, dropped=("app1",))
    assert report["verdict"] == "critical"
    assert "without a result" in report["checks"][-1]["summary"]


def test_a_host_that_dropped_out_for_a_known_reason_has_that_reason_alone() -> None:
    assert (
        samples.only_check(
            samples.report(
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
    report = samples.report({"app1": {"__web_health": loop}})
    assert [(c["name"], c["summary"]) for c in report["checks"]] == [
        ("host.cpu", "12 % busy"),
        ("runbook.step", "broken"),
    ]


def test_a_loop_that_failed_before_its_first_item_is_a_failed_step() -> None:
    assert (
        samples.only_check(
            samples.report(
                {"app1": {"__web_health": {"results": [], "failed": True, "msg": "undefined"}}}
            )
        )["summary"]
        == "undefined"
    )


def test_a_loop_that_failed_as_a_whole_is_a_failed_step() -> None:
    loop = {
        "results": [samples.step(FINE)],
        "failed": True,
        "msg": "the condition of until cannot be evaluated",
    }
    report = samples.report({"app1": {"__web_health": loop}})
    assert [(c["name"], c["status"]) for c in report["checks"]] == [
        ("host.cpu", "ok"),
        ("runbook.step", "critical"),
    ]


def test_the_result_of_a_task_with_run_once_counts_once() -> None:
    shared = samples.step(POOR)  # Ansible registers the same object for every host
    report = samples.report(
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
    assert samples.report({"a": variables})["verdict"] == "ok"


def at(time: float | None, *checks: Check, **more: Any) -> dict[str, Any]:
    """What a step registered that finished at this time."""
    times = {} if time is None else {"finished_at": time}
    return {**samples.step(*checks), **times, **more}


def connections(status: str, summary: str = "", subject: str = "") -> Check:
    return Check("postgres.connections", status, summary or status, subject)


def statuses(variables: dict[str, Any]) -> list[str]:
    return [check["status"] for check in samples.report({"db1": variables})["checks"]]


@pytest.mark.parametrize("time", [None, 200.0])
def test_a_later_check_replaces_the_earlier_one(time: float | None) -> None:
    report = samples.report(
        {
            "db1": {
                "__postgres_review": at(time and time - 9, FINE, connections("critical")),
                "__postgres_relief": at(time, connections("ok")),
            }
        }
    )
    assert [(c["name"], c["status"]) for c in report["checks"]] == [
        ("host.cpu", "ok"),
        ("postgres.connections", "ok"),
    ]
    assert (report["verdict"], report["counts"]["ok"]) == ("ok", 2)


@pytest.mark.parametrize("again", ["ok", "critical"])
def test_a_step_that_ran_again_is_later_than_its_place_among_the_variables(again: str) -> None:
    between = "critical" if again == "ok" else "ok"
    variables = {
        "__postgres_health": at(300.0, connections(again)),  # registered at 100, again at 300
        "__postgres_relief": at(200.0, connections(between)),
    }
    assert statuses(variables) == [again]


def test_a_step_without_a_time_follows_the_one_registered_before_it() -> None:
    variables = {
        "__postgres_health": at(300.0, connections("critical")),
        "__note": at(None, connections("warning")),
        "__postgres_relief": at(200.0, connections("ok")),
    }
    assert statuses(variables) == ["warning"]


@pytest.mark.parametrize("time", [True, "200", float("nan"), -1, [3]])
def test_a_time_that_is_none_does_not_count(time: Any) -> None:
    variables = {
        "__postgres_health": at(100.0, connections("critical")),
        "__postgres_relief": at(time, connections("ok")),
    }
    assert statuses(variables) == ["ok"]


def test_what_could_not_be_checked_again_does_not_hide_the_problem() -> None:
    review = at(1.0, connections("critical"))
    recount = at(2.0, connections("unknown"))
    assert statuses({"__a": review, "__b": recount}) == ["critical", "unknown"]
    assert statuses({"__a": at(1.0, connections("ok")), "__b": recount}) == ["unknown"]
    after = at(3.0, connections("ok"))
    assert statuses({"__a": review, "__b": recount, "__c": after}) == ["ok"]


def test_another_server_of_the_same_host_is_not_replaced() -> None:
    variables = {
        "__redis_cache": at(1.0, connections("critical"), target="127.0.0.1:6379"),
        "__redis_queue": at(2.0, connections("ok"), target="127.0.0.1:6380"),
    }
    assert statuses(variables) == ["critical", "ok"]
    variables["__redis_again"] = at(3.0, connections("ok"), target="127.0.0.1:6379")
    assert statuses(variables) == ["ok", "ok"]


def test_other_subjects_and_other_hosts_are_not_replaced() -> None:
    first = at(1.0, connections("critical", subject="a"))
    later = at(2.0, connections("ok", subject="b"))
    assert statuses({"__a": first, "__b": later}) == ["critical", "ok"]
    report = samples.report({"db1": {"__a": first}, "db2": {"__a": at(2.0, connections("ok"))}})
    assert report["counts"] == {"ok": 1, "unknown": 0, "warning": 0, "critical": 1}


def test_checks_of_one_step_do_not_replace_each_other() -> None:
    loop = {"results": [at(1.0, connections("critical")), at(2.0, connections("ok"))]}
    assert statuses({"__a": loop}) == ["critical", "ok"]
    failed = {"failed": True, "msg": "broken"}
    assert statuses({"__a": {"results": [failed, dict(failed)]}}) == ["critical", "critical"]


def test_actions_are_never_replaced() -> None:
    done = samples.done(Action("postgres.vacuum", "done", "bloat", "public.a"))
    report = samples.report({"db1": {"__a": done, "__b": copy.deepcopy(done)}})
    assert report["action_counts"]["done"] == 2


def test_a_failed_step_stays_critical_when_its_own_check_was_replaced() -> None:
    failed = at(1.0, connections("critical"), failed=True, msg="sessions came back")
    report = samples.report({"db1": {"__relief": failed, "__recount": at(2.0, connections("ok"))}})
    assert [(c["name"], c["status"], c["summary"]) for c in report["checks"]] == [
        ("runbook.step", "critical", "sessions came back"),
        ("postgres.connections", "ok", "ok"),
    ]
