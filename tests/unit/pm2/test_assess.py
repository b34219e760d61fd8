"""The verdicts on processes, restarts, memory and error logs, from plain data."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from ansible.module_utils.testing import patch_module_args

from ansible_collections.gpt_agent.runbook.plugins.module_utils.core.check import Check
from ansible_collections.gpt_agent.runbook.plugins.module_utils.core.errors import UsageError
from ansible_collections.gpt_agent.runbook.plugins.module_utils.core.state import Delta
from ansible_collections.gpt_agent.runbook.plugins.module_utils.core.thresholds import Thresholds
from ansible_collections.gpt_agent.runbook.plugins.module_utils.logs.scan import (
    Problem,
    Report,
    Shape,
)
from ansible_collections.gpt_agent.runbook.plugins.module_utils.pm2 import assess as pm2_assess
from ansible_collections.gpt_agent.runbook.plugins.module_utils.pm2 import collect as pm2_health
from ansible_collections.gpt_agent.runbook.plugins.module_utils.pm2 import error_log as app_errors
from ansible_collections.gpt_agent.runbook.plugins.module_utils.pm2.assess import Look, Seen
from ansible_collections.gpt_agent.runbook.plugins.module_utils.pm2.checks import CHECKS
from ansible_collections.gpt_agent.runbook.plugins.module_utils.pm2.client import (
    App,
    Instance,
    NotAllowed,
    Unavailable,
)
from ansible_collections.gpt_agent.runbook.plugins.module_utils.pm2.collect import Options
from ansible_collections.gpt_agent.runbook.plugins.modules import pm2_health as module

NOW = 1_795_413_600.0
LIMITS = Thresholds(CHECKS)
MIB = 1 << 20


def instance(
    pm_id: int = 0,
    status: str = "online",
    *,
    age: float = 3 * 86400,
    since: float | None = None,
    **more: Any,
) -> Instance:
    """``age`` is how long ago it was started, ``since`` how long ago on purpose."""
    created = None if status == "errored" else NOW - (age if since is None else since)
    pid = 100 + pm_id if status == "online" else 0
    return Instance(
        pm_id,
        "gpt-agent",
        "default",
        status,
        **{"pid": pid, "started": NOW - age, "created": created, "memory": 50 * MIB, **more},
    )


def assess(
    *rows: Instance,
    wanted: int | None = None,
    restarted: dict[int, int] | None = None,
    delta: Delta | None = None,
    thresholds: Thresholds = LIMITS,
) -> dict[str, Check]:
    totals = Delta(
        {str(row.pm_id): row.restarts for row in rows}, "since it was added to PM2", 0.0, False
    )
    seen = Seen(NOW, rows, "1:2", 1.5 if restarted else 0.0, restarted)
    return {
        check.name: check
        for check in pm2_assess.assess(
            Look(App("gpt-agent", "default", rows), seen, delta or totals, wanted), thresholds
        )
    }


def since_last_run(**counters: float) -> Delta:
    return Delta(
        {key.strip("_"): value for key, value in counters.items()},
        "2026-11-22T06:00Z/PT24H",
        86400.0,
        True,
    )


# --- app.process --------------------------------------------------------------------------------------------------


def test_all_wanted_instances_online() -> None:
    check = assess(instance(0), instance(1, age=7200), wanted=2)["app.process"]
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


def test_more_instances_than_wanted_are_no_problem() -> None:
    assert assess(instance(0), instance(1), wanted=1)["app.process"].status == "ok"


@pytest.mark.parametrize(
    ("rows", "wanted", "status", "summary", "remedy"),
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
            "has exited and waits to be restarted, 7 times .*3",
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
            "1 of 4 .*: PM2 has 1 of them in its list",
            "'pm2 scale gpt-agent 4', then 'pm2 save'",
        ),
        (
            [instance(0), instance(1, "stopped")],
            4,
            "critical",
            "id 1 is stopped; PM2 has 2 of them",
            "'pm2 restart gpt-agent'",
        ),
        ([instance(0, "")], None, "critical", "in no state that PM2 names", "error log"),
        (
            [instance(n, "errored") for n in range(9)],
            None,
            "critical",
            "id 4 is errored.*; and 4 more$",
            "error log",
        ),
    ],
)
def test_anything_less_is_told_by_instance(
    rows: list[Instance], wanted: int | None, status: str, summary: str, remedy: str
) -> None:
    check = assess(*rows, wanted=wanted)["app.process"]
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
        "gpt-agent rests until cron starts it again, its last run went well",
    )
    assert assess(instance(0), instance(1, "stopped", **job))["app.process"].summary.endswith(
        "running for 3 days, 1 waiting for cron"
    )
    assert assess(instance(0, "stopped", exit_code=1, **job))["app.process"].status == "critical"
    assert (
        assess(instance(0, "stopped", exit_code=0, autorestart=False))["app.process"].status
        == "critical"
    )


# --- crash loops --------------------------------------------------------------------------------------------------


def test_a_loop_seen_in_the_look_itself() -> None:
    check = assess(
        instance(0),
        instance(1, age=0.1, since=5, restarts=6, unstable_restarts=6, exit_code=1),
        restarted={1: 2},
    )["app.process"]
    assert check.status == "critical"
    assert (
        check.summary
        == "2 of 2 instances of gpt-agent online: id 1 is in a crash loop, restarted 2 times within 1.5 s, 6 times in all (exit code 1)"
    )
    assert check.evidence[0]["id"] == 1


def test_one_restart_in_the_look_is_a_loop_only_with_another_before_it() -> None:
    assert (
        assess(instance(0, age=0.1, since=5, restarts=2), restarted={0: 1})["app.process"].status
        == "critical"
    )
    first = assess(instance(0, age=0.1, since=5, restarts=1), restarted={0: 1})["app.process"]
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
def test_a_loop_slower_than_the_look_is_told_by_how_young_and_how_often_restarted_it_is(
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


@pytest.mark.parametrize(
    ("before", "after", "counted"),
    [
        (instance(0, restarts=3, since=50), instance(0, restarts=5, since=50), {0: 2}),
        (instance(0, restarts=3, since=50), instance(0, "errored", restarts=15), {0: 12}),
        (
            instance(0, restarts=3, since=50),
            instance(0, restarts=4, since=1),
            {},
        ),  # by hand: started anew on purpose
        (instance(0, restarts=3), instance(1, restarts=9), {}),
        (instance(0, restarts=3), instance(0, restarts=0), {}),
    ],
)
def test_only_restarts_that_nobody_asked_for_count_in_a_look(
    before: Instance, after: Instance, counted: dict[int, int]
) -> None:
    assert pm2_health._by_itself([before], [after]) == counted


# --- app.restarts -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("count", "status"), [(0, "ok"), (5, "ok"), (6, "warning"), (16, "critical")]
)
def test_restarts_since_the_last_run_are_judged(count: int, status: str) -> None:
    check = assess(
        instance(0, restarts=70), instance(1, restarts=90), delta=since_last_run(_0=count, _1=0)
    )["app.restarts"]
    assert (check.status, check.value, check.window) == (status, count, "2026-11-22T06:00Z/PT24H")
    if count:
        assert (
            check.summary
            == f"id 0, the most of 2 instances, was restarted {count} times since the last run 24 h ago, restarts on purpose included"
        )
    else:
        assert check.summary == "no restart since the last run 24 h ago"


def test_the_first_run_judges_what_the_totals_prove() -> None:
    few = assess(instance(0, restarts=1))["app.restarts"]
    assert (few.status, few.value, few.summary) == (
        "ok",
        1,
        "the app was restarted once since it was added to PM2, restarts on purpose included",
    )
    on_purpose = assess(instance(0, restarts=40))["app.restarts"]
    assert (on_purpose.status, on_purpose.value) == ("ok", 0)
    assert (
        on_purpose.summary
        == "no restart since it was started on purpose 3 days ago; 40 times in all"
    )
    by_itself = assess(instance(0, restarts=40, since=9 * 86400))["app.restarts"]
    assert (by_itself.status, by_itself.value) == ("unknown", 40)
    assert "when, will be known from the next run on" in by_itself.summary
    assert "'pm2 reset gpt-agent'" in by_itself.remedy
    looping = assess(instance(0, age=10, since=1000, restarts=40))["app.restarts"]
    assert (looping.status, looping.value) == ("critical", 40)


def test_limits_can_be_set_for_one_app() -> None:
    check = assess(
        instance(0, restarts=2),
        thresholds=Thresholds(CHECKS, {"app.restarts gpt-agent": {"warning": 1}}),
    )["app.restarts"]
    assert check.status == "ok", "restarted on purpose"
    check = assess(
        instance(0),
        delta=since_last_run(_0=2),
        thresholds=Thresholds(CHECKS, {"app.restarts gpt-agent": {"warning": 1}}),
    )["app.restarts"]
    assert (check.status, check.warning) == ("warning", 1)


# --- app.memory ---------------------------------------------------------------------------------------------------


def test_memory_is_judged_by_the_fullest_instance() -> None:
    rows = [
        instance(0, memory_limit=200 * MIB),
        instance(1, memory=90 * MIB, memory_limit=100 * MIB),
    ]
    check = assess(*rows)["app.memory"]
    assert (check.status, check.value, check.unit) == ("warning", 90.0, "percent")
    assert (
        check.summary
        == "id 1, the fullest of 2 instances, uses 90 MiB of the 100 MiB at which PM2 restarts it"
    )
    assert (
        assess(instance(0, memory=96 * MIB, memory_limit=100 * MIB))["app.memory"].status
        == "critical"
    )


def test_memory_without_a_limit_or_without_a_measurement_is_unknown() -> None:
    check = assess(instance(0), instance(1, memory=70 * MIB))["app.memory"]
    assert (check.status, check.value) == ("unknown", None)
    assert (
        check.summary
        == "the largest of 2 instances uses 70 MiB, and no limit is set to judge that by"
    )
    assert "max-memory-restart" in check.remedy
    assert (
        assess(instance(0, memory=0, memory_limit=100 * MIB))["app.memory"].status == "unknown"
    ), "0 is no measurement"


def test_an_app_that_does_not_run_uses_no_memory() -> None:
    assert "app.memory" not in assess(instance(0, "stopped", memory=0))


# --- the daemon ---------------------------------------------------------------------------------------------------


def test_an_app_that_pm2_does_not_know() -> None:
    seen = Seen(
        NOW,
        (
            Instance(0, "worker", "blue", "online"),
            Instance(1, "pm2-logrotate", "default", "online", module=True),
        ),
        "1:2",
    )
    check = pm2_assess.absent("gpt-agent", seen, LIMITS)
    assert (check.status, check.summary) == (
        "critical",
        "gpt-agent is not in PM2's list, it holds blue/worker",
    )
    assert "pm2 resurrect" in check.remedy
    assert (
        pm2_assess.absent("", Seen(NOW, (), "1:2"), LIMITS).summary
        == "PM2 runs, and no app is in its list"
    )


def test_a_daemon_that_cannot_be_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pm2_assess, "other_daemons", lambda home: [("/home/deploy/.pm2", "deploy")])
    check = pm2_assess.unavailable(
        Unavailable("there is no socket /opt/pm2/rpc.sock"), "/opt/pm2", "gpt-agent", LIMITS
    )
    assert (check.status, check.subject) == ("critical", "gpt-agent")
    assert check.summary.endswith(
        "there is no socket /opt/pm2/rpc.sock; PM2 does run for /home/deploy/.pm2 (user deploy)"
    )
    assert "app_user" in check.remedy
    check = pm2_assess.unavailable(NotAllowed("user www may not connect"), "/x", "", LIMITS)
    assert check.status == "unknown"
    assert "become_user" in check.remedy


# --- app.errors ---------------------------------------------------------------------------------------------------

APP = App("gpt-agent", "default", (instance(0),))
STAMPED = App("gpt-agent", "default", (instance(0, log_date_format="YYYY", cluster=True),))


def errors(*counts: int, app: App = APP, thresholds: Thresholds = LIMITS, **more: Any) -> Check:
    shapes = [
        Shape(f"kind {'abc'[n]}", count, NOW - 3600, NOW - 60) for n, count in enumerate(counts)
    ]
    return app_errors.assess(app, Report(NOW - 86400, shapes, **more), NOW, thresholds)


@pytest.mark.parametrize(
    ("counts", "status", "summary"),
    [
        ((), "ok", "no message in the error log in the last 24 h"),
        ((1,), "ok", "1 message in the error log in the last 24 h: kind a"),
        ((11,), "warning", "11 messages in the error log in the last 24 h, all alike: kind a"),
        (
            (1000, 200),
            "critical",
            "1,200 messages in the error log in the last 24 h, of 2 kinds; most often, 1,000 times: kind a",
        ),
    ],
)
def test_errors_are_counted_by_kind(counts: tuple[int, ...], status: str, summary: str) -> None:
    check = errors(*counts)
    assert (check.status, check.value, check.summary) == (status, sum(counts), summary)
    assert check.window == "2026-11-22T06:00Z/PT24H"
    if counts:
        assert check.evidence[0] == {
            "message": "kind a",
            "count": counts[0],
            "first": "2026-11-23T05:00:00Z",
            "last": "2026-11-23T05:59:00Z",
        }


@pytest.mark.parametrize(
    ("problem", "summary", "remedy"),
    [
        (
            Problem("/e.log", "untimed", count=3),
            "3 messages without a time, how recent is not known, in /e.log",
            "'pm2 restart gpt-agent --time'",
        ),
        (Problem("/e.log", "untimed", count=1), "1 message without a time", "'time: true'"),
        (
            Problem("/e.log", "untimed", count=9, more=True),
            "more than 9 messages without a time",
            "'time: true'",
        ),
        (Problem("/e.log", "forbidden"), "this user may not read /e.log", "app_user"),
        (Problem("/e.log", "missing"), "there is no /e.log", "pm2 reloadLogs"),
        (
            Problem("/e.log", "unreadable", "Input/output error"),
            "/e.log could not be read: Input/output error",
            "Rotate",
        ),
        (Problem("/e.log", "shared"), "ordinary output goes into /e.log too", "error_file"),
        (Problem("", "disabled"), "PM2 writes no error log", "app_error_logs"),
    ],
)
def test_what_cannot_be_told_makes_an_ok_unknown_and_never_a_problem_smaller(
    problem: Problem, summary: str, remedy: str
) -> None:
    check = errors(problems=[problem])
    assert (check.status, check.value) == ("unknown", None)
    assert summary in check.summary
    assert remedy in check.remedy
    worse = errors(11, problems=[problem])
    assert worse.status == "warning"
    assert summary in worse.summary


def test_several_logs_with_one_trouble_are_told_in_one_breath() -> None:
    check = errors(problems=[Problem(f"/e-{n}.log", "untimed", count=2) for n in range(4)])
    assert (
        check.summary
        == "8 messages without a time, how recent is not known, in /e-0.log and 3 more"
    )


def test_messages_that_may_be_recent_are_bounds() -> None:
    assert errors(2, possible=5).status == "ok", "seven at most"
    assert errors(2, possible=5).summary.endswith(
        "; 5 more without a time of their own may be as recent"
    )
    check = errors(2, possible=50, undated={"kind x": 50}, app=STAMPED)
    assert check.status == "unknown"
    assert check.evidence[-1] == {"message": "kind x", "count": 50, "first": None, "last": None}
    assert "uncaught exception in cluster mode" in check.remedy
    assert errors(20, possible=50).status == "warning"


def test_a_log_that_was_not_read_whole_gives_a_lower_bound() -> None:
    check = errors(5, complete=False, oldest=NOW - 60)
    assert check.status == "unknown"
    assert check.summary.startswith("at least 5 messages")
    assert check.summary.endswith(
        "only its latest lines were, which go back to 2026-11-23T05:59:00Z"
    )
    assert errors(5000, complete=False, oldest=NOW - 60).status == "critical"


def test_information_is_mentioned_and_not_counted() -> None:
    assert (
        errors(quiet=3).summary
        == "no message in the error log in the last 24 h, only 3 that call themselves information"
    )


def test_logs_are_those_of_pm2_unless_others_are_named() -> None:
    rows = (
        instance(0, error_log="/e.log", out_log="/o.log", log_date_format="YYYY"),
        instance(1, error_log="/a.log", out_log="/a.log"),
        instance(2, logs_disabled=True),
    )
    sources = app_errors.sources(App("a", "default", rows))
    assert [(source.path, source.date_format, source.shared) for source in sources] == [
        ("/e.log", "YYYY", False),
        ("/a.log", "", True),
        ("", "", True),
    ]
    assert [
        source.path for source in app_errors.sources(App("a", "default", rows), ["/own.log"])
    ] == ["/own.log"]


# --- the module ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"instances": 0}, "instances: 0 is not a number of instances above 0"),
        ({"hours": 0.0}, "window: 0 is not a number of hours"),
        ({"hours": float("nan")}, "window: nan is not a number of hours"),
        ({"error_logs": ("/x",), "names": ()}, "error_logs: needs the name of the one app"),
    ],
)
def test_options_that_make_no_sense_are_refused_in_a_sentence(
    given: dict[str, Any], sentence: str
) -> None:
    with pytest.raises(UsageError, match=sentence):
        Options("/x", **given).check()


def answer_of(capsys: pytest.CaptureFixture[str], **options: Any) -> dict[str, Any]:
    with patch_module_args(options), pytest.raises(SystemExit):
        module.main()
    answer: dict[str, Any] = json.loads(capsys.readouterr().out)
    return answer


def test_the_module_fails_for_misuse_alone(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert answer_of(capsys, pm2_home=str(tmp_path), instances=-1)["msg"].startswith(
        "instances: -1"
    )
    assert (
        "did you mean 'app.memory'"
        in answer_of(capsys, pm2_home=str(tmp_path), thresholds={"app.memry": {"warning": 1}})[
            "msg"
        ]
    )
    answer = answer_of(capsys, pm2_home=str(tmp_path), app=["gpt-agent"])
    assert "failed" not in answer
    assert [(check["name"], check["status"], check["subject"]) for check in answer["checks"]] == [
        ("app.process", "critical", "gpt-agent")
    ]
    assert list(tmp_path.iterdir()) == []
