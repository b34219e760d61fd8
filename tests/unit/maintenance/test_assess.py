"""What is said about a maintenance run."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ansible_collections.gpt_agent.runbook.plugins.module_utils.maintenance import assess
from ansible_collections.gpt_agent.runbook.plugins.module_utils.maintenance.options import Health
from ansible_collections.gpt_agent.runbook.plugins.module_utils.maintenance.others import Others
from ansible_collections.gpt_agent.runbook.plugins.module_utils.maintenance.record import (
    NOTHING_SET,
    PartResult,
)
from tests.support.maintenance_runs import NOW, THRESHOLDS, result, run

FINE: tuple[Health, ...] = (("app.online", "", "ok"), ("redis.reachable", "", "ok"))


def test_the_run_that_is_at_work_is_named() -> None:
    found = run(results={"database": result("running")})
    here = assess.declined(found, NOW, True, THRESHOLDS)
    assert here.status == "critical"
    assert here.summary == (
        "Another maintenance run of 'dora' from ctl1 (process 4711) has been running for 1 h, "
        "now at 'database'"
    )
    assert "take_over" not in here.remedy
    elsewhere = assess.declined(found, NOW, False, THRESHOLDS)
    assert "-e maintenance_take_over=r1" in elsewhere.remedy


@pytest.mark.parametrize(
    ("found", "status", "summary"),
    [
        (result("done", seconds=41.0, changed=True), "ok", "Done in 41 s"),
        (result("done", seconds=41.0), "ok", "Nothing had to be changed in 41 s"),
        (
            result("done", seconds=41.0, changed=True, reason="by the run that was killed"),
            "ok",
            "Done in 41 s, by the run that was killed",
        ),
        (
            result("done", seconds=0.1, reason=NOTHING_SET),
            "ok",
            "Nothing to do; not judged: nothing is configured for it on this host",
        ),
        (result("failed", seconds=2.0, reason="no"), "critical", "Failed in 2 s: no"),
        (
            result("left out", reason="late"),
            "warning",
            "Left out; due at the next run: late",
        ),
        (
            result("critical", seconds=2.0, reason="certificate.renewal: no", changed=True),
            "critical",
            "Done in 2 s, but critical: certificate.renewal: no",
        ),
        (
            result("critical", seconds=2.0, reason="certificate.renewal: no"),
            "critical",
            "Nothing was changed in 2 s, but critical: certificate.renewal: no",
        ),
        (
            result("unknown", seconds=2.0, reason="a.b: no"),
            "unknown",
            "Not done in full after 2 s: a.b: no",
        ),
        (
            result("unknown", seconds=2.0, reason="a.b: no", changed=True),
            "unknown",
            "Done in 2 s, but unknown: a.b: no",
        ),
        (
            result("critical", seconds=2.0, reason="npm.audit: no", read_only=True),
            "critical",
            "Reported in 2 s, but critical: npm.audit: no",
        ),
        (result("stopped", reason="sick"), "critical", "Not begun: sick"),
        (
            None,
            "critical",
            "Failed: it was not begun; the output of the run says why",
        ),
    ],
)
def test_what_became_of_a_part(found: PartResult | None, status: str, summary: str) -> None:
    check = assess.part_check("database", found, THRESHOLDS)
    assert (check.status, check.subject, check.summary) == (status, "database", summary)
    assert bool(check.remedy) is (status != "ok")


def test_what_is_critical_can_be_overruled_unless_a_service_gives_no_answer() -> None:
    checks = ("backup.age shop",)
    sick = result("stopped", reason="sick", checks=checks)
    remedy = assess.part_check("logs", sick, THRESHOLDS).remedy
    assert remedy.endswith("""-e '{"maintenance_despite": ["backup.age shop"]}'""")
    down = result("stopped", reason="down", checks=("postgres.reachable", *checks))
    remedy = assess.part_check("logs", down, THRESHOLDS).remedy
    assert "maintenance_despite" not in remedy
    assert remedy.startswith("First see to what does not answer (postgres.reachable): ")


def test_a_part_that_failed_says_what_it_means() -> None:
    for part in ("dependencies", "database", "logs", "certificates"):
        remedy = assess.part_check(part, result("failed"), THRESHOLDS).remedy
        assert "playbooks/" in remedy


def test_the_run_says_what_became_of_a_killed_one() -> None:
    killed = run(results={"dependencies": result("done"), "database": result("running")})
    text = assess.killed(killed, NOW, killed)
    assert "was killed during 'database'" in text
    assert text.endswith("this run goes on with it, and does not repeat: dependencies")
    began = assess.killed(killed, NOW, run())
    assert began.endswith("this run goes on with it"), "nothing is left out"
    assert "all parts are done anew" in assess.killed(killed, NOW, None)
    check = assess.run_check(run(note=text), THRESHOLDS, NOW)
    assert (check.status, check.summary[:8]) == ("warning", "The run ")


def test_a_host_without_the_parts_that_were_chosen_is_no_success() -> None:
    check = assess.run_check(run(order=(), results={}), THRESHOLDS)
    assert check.summary.startswith("None of the chosen parts is one of this host; not judged: ")
    assert check.not_judged


def test_the_run_counts_its_parts() -> None:
    results = {"logs": result("done"), "database": result("failed"), "a": result("done")}
    summary = assess.run_check(run(results=results), THRESHOLDS, NOW).summary
    assert summary.endswith("took 1 h: 2 done, 1 failed")


@pytest.mark.parametrize(
    ("others", "status"),
    [
        ({}, "critical"),
        ({"dependencies": result("done", read_only=True)}, "critical"),
        ({"certificates": result("done", reason=NOTHING_SET)}, "critical"),
        ({"database": result("done")}, "ok"),
        ({"database": result("failed")}, "ok"),  # which is critical itself
    ],
)
def test_a_run_without_time_for_any_change_is_critical(
    others: dict[str, PartResult], status: str
) -> None:
    found = run(results={"logs": result("left out"), **others}, note="the run x was killed")
    check = assess.run_check(found, THRESHOLDS, NOW)
    assert check.status == ("warning" if status == "ok" else status)
    assert assess.run_check(replace(found, note=""), THRESHOLDS, NOW).status == status
    assert ("Every part that would change something was left out" in check.summary) is (
        status == "critical"
    )
    assert "the run x was killed" in check.summary.lower()
    assert assess.run_check(replace(found, note=""), THRESHOLDS).status == "ok", "when it begins"


@pytest.mark.parametrize(
    ("after", "status", "value"),
    [
        (FINE, "ok", 0),
        ((("app.online", "", "critical"), FINE[1]), "critical", 1),
        ((("app.online", "", "unknown"), FINE[1]), "unknown", 1),
        ((("app.online", "", "warning"), ("redis.reachable", "", "unknown")), "warning", 2),
        ((*FINE, ("app.restarts", "", "warning")), "warning", 1),
        ((FINE[0],), "unknown", 1),  # nothing of Redis was checked
    ],
)
def test_what_is_worse_than_before(after: tuple[Health, ...], status: str, value: int) -> None:
    check = assess.health_check(FINE, after, THRESHOLDS)
    assert (check.status, check.value) == (status, value)
    assert len(check.evidence) == value


def test_health_that_nothing_has_changed_is_as_before() -> None:
    check = assess.health_check(FINE, (), THRESHOLDS, checked=False)
    assert check.summary == "Nothing was changed, so that before holds: 2 ok"
    assert (check.status, check.not_judged) == ("ok", "")


def test_what_was_bad_before_is_no_worse() -> None:
    before: tuple[Health, ...] = (("app.online", "", "critical"),)
    assert assess.health_check(before, before, THRESHOLDS).status == "ok"
    better: tuple[Health, ...] = (("app.online", "", "warning"),)
    assert assess.health_check(before, better, THRESHOLDS).status == "ok"


def test_health_that_was_not_checked_is_not_judged() -> None:
    for before, after in (((), FINE), (FINE, ())):
        assert assess.health_check(before, after, THRESHOLDS).not_judged


def test_people_are_named_and_work_stops_the_run() -> None:
    people = ({"user": "bob", "terminal": "pts/0", "since": "2026-11-28 01:00 (10.0.0.7)"},)
    work = ({"lock": "/var/lib/dpkg/lock", "held by": "process 7 (apt-get)"},)
    assert assess.others_check(Others(), THRESHOLDS).status == "ok"
    hidden = assess.others_check(Others(unseen=("/backups/.lock",)), THRESHOLDS)
    assert (hidden.status, "setfacl -m u:USER:x /backups'" in hidden.remedy) == ("unknown", True)
    check = assess.others_check(Others(people), THRESHOLDS)
    assert (check.status, check.summary) == ("warning", "1 other user logged in: bob")
    check = assess.others_check(Others(people, work), THRESHOLDS)
    assert check.status == "critical"
    assert check.summary == "/var/lib/dpkg/lock is held by process 7 (apt-get)"
    assert len(check.evidence) == 2
