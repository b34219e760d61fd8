"""app.process: which instances are online, and which are in a crash loop."""

from __future__ import annotations

import re

import pytest

from ansible_collections.gpt_agent.runbook.plugins.module_utils.pm2.instance import Instance
from tests.support.pm2_snapshots import assess, instance, since_last_run


def test_all_expected_instances_online() -> None:
    check = assess(instance(0), instance(1, age=7200), expected=2)["app.process"]
    assert (check.status, check.value, check.unit, check.subject) == ("ok", 2, "count", "gpt-agent")
    assert check.summary == "2 of 2 instances of gpt-agent online, running for 2 h"
    assert check.remedy == ""
    assert check.evidence[1] == {
        "id": 1,
        "process": 101,
        "status": "online",
        "for": "2 h",
        "restarts": 0,
        "exit_code": None,
    }


def test_more_instances_than_expected_are_no_problem() -> None:
    assert assess(instance(0), instance(1), expected=1)["app.process"].status == "ok"


@pytest.mark.parametrize(
    ("rows", "expected", "status", "summary", "remedy"),
    [
        (
            [instance(0), instance(1, "errored", exit_code=1)],
            None,
            "critical",
            "1 of 2 .*: id 1 is errored, PM2 gave up restarting it \\(exit code 1\\)",
            "error log",
        ),
        (
            [instance(0, "stopped"), instance(1, "stopped")],
            2,
            "critical",
            "0 of 2 .*: id 0 is stopped; id 1 is stopped",
            "Unless .* 'pm2 restart gpt-agent'",
        ),
        (
            [instance(0, "waiting restart", restarts=7, exit_code=3)],
            None,
            "critical",
            "has exited and is waiting to be restarted after 7 restarts .*3",
            "error log",
        ),
        ([instance(0, "stopping")], None, "critical", "id 0 is stopping", "error log"),
        (
            [instance(0, "launching", age=2)],
            None,
            "warning",
            "0 of 1 .*: id 0 is still starting",
            "error log",
        ),
        (
            [instance(0)],
            4,
            "critical",
            "1 of 4 .*: PM2 has only 1 in its list",
            "'pm2 scale gpt-agent 4', then 'pm2 save'",
        ),
        (
            [instance(0), instance(1, "stopped")],
            4,
            "critical",
            "id 1 is stopped; PM2 has only 2 in its list",
            "'pm2 restart gpt-agent'",
        ),
        ([instance(0, "")], None, "critical", "id 0 has no status", "error log"),
        (
            [instance(n, "errored") for n in range(9)],
            None,
            "critical",
            "id 4 is errored.*; and 4 more$",
            "error log",
        ),
    ],
)
def test_whatever_is_wrong_is_reported_by_instance(
    rows: list[Instance], expected: int | None, status: str, summary: str, remedy: str
) -> None:
    check = assess(*rows, expected=expected)["app.process"]
    assert check.status == status
    assert re.search(summary, check.summary), check.summary
    assert re.search(remedy, check.remedy), check.remedy
    assert check.evidence[0]["status"] == next(
        (row.status for row in rows if row.status != "online"), "online"
    ), "what is wrong comes first"


def test_a_job_between_its_runs_is_fine_unless_its_last_run_failed() -> None:
    job = {"autorestart": False, "scheduled": True}
    check = assess(instance(0, "stopped", exit_code=0, **job))["app.process"]
    assert (check.status, check.summary) == (
        "ok",
        "gpt-agent is waiting for cron to start it again, its last run succeeded",
    )
    assert assess(instance(0), instance(1, "stopped", **job))["app.process"].summary.endswith(
        "running for 3 days, 1 waiting for cron"
    )
    assert assess(instance(0, "stopped", exit_code=1, **job))["app.process"].status == "critical"


@pytest.mark.parametrize(
    ("facts", "status"),
    [
        ({"exit_code": 0, "autorestart": False}, "ok"),
        ({"exit_code": 7, "stop_exit_codes": (7,)}, "ok"),
        ({"exit_code": 1, "autorestart": False}, "critical"),
        ({"exit_code": 0}, "critical"),
        ({"exit_code": 0, "autorestart": False, "stopped_by_hand": True}, "critical"),
        ({"exit_code": 0, "autorestart": False, "cluster": True}, "critical"),
        ({"exit_code": None, "autorestart": False}, "critical"),
    ],
)
def test_a_command_that_is_not_meant_to_restart_is_done(facts: dict, status: str) -> None:
    check = assess(instance(0, "stopped", **facts))["app.process"]
    assert check.status == status
    if status == "ok":
        assert check.summary.startswith("gpt-agent has finished (exit code ")


def test_a_status_word_without_a_process_is_no_evidence() -> None:
    check = assess(instance(0, absent="its process 100 is gone"), instance(1))["app.process"]
    assert (check.status, check.value) == ("critical", 1)
    assert check.summary == (
        "1 of 2 instances of gpt-agent online: id 0 is called online by PM2, but its process 100 "
        "is gone"
    )
    assert "pm2 restart gpt-agent" in check.remedy
    frozen = assess(instance(0, absent="its process 100 is suspended", suspended=True))
    assert frozen["app.process"].remedy.startswith("Resume it with 'kill -CONT 100'")
    assert "app.memory" not in frozen


def test_a_loop_seen_while_watching() -> None:
    check = assess(
        instance(0),
        instance(1, age=0.1, since=5, restarts=6, unstable_restarts=6, exit_code=1),
        crash_restarts={1: 2},
    )["app.process"]
    assert check.status == "critical"
    assert check.summary == (
        "2 of 2 instances of gpt-agent online: id 1 is in a crash loop, restarted 2 times within "
        "1.5 s, 6 times in total (exit code 1)"
    )
    assert check.evidence[0]["id"] == 1


def test_one_crash_while_watching_is_a_loop_only_with_another_before_it() -> None:
    assert (
        assess(instance(0, age=0.1, since=5, restarts=2), crash_restarts={0: 1})[
            "app.process"
        ].status
        == "critical"
    )
    first = assess(instance(0, age=0.1, since=5, restarts=1), crash_restarts={0: 1})["app.process"]
    assert (first.status, "crash loop" in first.summary) == ("warning", False)


@pytest.mark.parametrize(
    ("age", "since", "restarts", "status"),
    [
        (20, 400, 12, "critical"),  # the first run, an app that lives for half a minute at a time
        (20, 40, 3, "critical"),
        (20, 40, 2, "warning"),
        (61, 400, 12, "ok"),  # it has settled
        (
            20,
            90 * 86400,
            12,
            "warning",
        ),  # a dozen deployments in three months, and one crash just now
        (20, 20, 12, "ok"),  # a deployment just now
        (20, 22, 12, "ok"),  # and one that waited for the old process to end
    ],
)
def test_a_loop_slower_than_the_watch_shows_in_age_and_number_of_restarts(
    age: float, since: float, restarts: int, status: str
) -> None:
    assert (
        assess(instance(0, age=age, since=since, restarts=restarts))["app.process"].status == status
    )


def test_the_last_run_tells_old_restarts_from_new_ones() -> None:
    crashed = instance(0, age=20, since=86000, restarts=2000)
    assert assess(crashed)["app.process"].status == "critical", "the first run has only the totals"
    assert assess(crashed, delta=since_last_run(_0=1))["app.process"].status == "warning"
    assert assess(crashed, delta=since_last_run(_0=1900))["app.process"].status == "critical"


def test_a_single_crash_a_moment_ago_is_a_warning() -> None:
    check = assess(instance(0, age=12, since=86400, restarts=1, exit_code=137))["app.process"]
    assert check.status == "warning"
    assert "id 0 was restarted 12 s ago because it had exited (exit code 137)" in check.summary
    assert "'pm2 restart gpt-agent'" in check.remedy
