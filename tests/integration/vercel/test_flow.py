"""vercel_deployment where nothing fails: plans, targets, refusals, what is reported."""

from __future__ import annotations

from typing import Any

import pytest

from tests.conftest import RunModule, by_name
from tests.support.vercel import TOKEN, Fault, Vercel
from tests.support.vercel_answers import NAME, PROJECT, TEAM, Deployment, Job

from .conftest import Deployment as Run


def push(vercel: Vercel, number: int, *, live: bool = True) -> Deployment:
    """A new production deployment, which gets the domains or not."""
    new = Deployment(
        f"dpl_{number}new", f"gpt-agent-{number}new.vercel.app", f"{number}" * 40, number
    )
    vercel.project.deployments.append(new)
    if live:
        vercel.project.domains = dict.fromkeys(vercel.project.domains, new.id)
    return new


def test_a_plan_changes_nothing(vercel: Vercel, deployment: Run) -> None:
    planned = deployment("rolled_back", check=True)
    (action,) = planned["actions"]
    assert (action["name"], action["status"], action["after"]) == (
        "vercel.switch",
        "planned",
        "gpt-agent-2bbb.vercel.app",
    )
    assert (planned["changed"], planned["target_release"]) == (True, "dpl_2second")
    assert "rollback of gpt-agent.vercel.app, your-domain.com" in planned["diff"]["before"]
    assert (vercel.posts(), vercel.live) == ([], "dpl_3third")


def test_back_and_forth(vercel: Vercel, deployment: Run) -> None:
    url = vercel.health_url()
    asked: dict[str, Any] = {"health_urls": [url], "version_url": url, "confirm": NAME}
    back = deployment("rolled_back", reason="orders fail", **asked)
    assert (back["proven"], back["live"], vercel.live) == (True, "dpl_2second", "dpl_2second")
    assert back["seconds_without_service"] == 0
    checks = {check["name"]: check["status"] for check in back["checks"]}
    assert checks.pop("vercel.auto_assign") == "warning"
    assert set(checks) == {
        *("vercel.live", "vercel.job", "vercel.environment"),
        *("vercel.health", "vercel.version", "vercel.outage"),
    }
    assert set(checks.values()) == {"ok"}

    again = deployment("rolled_back", **asked)
    (skipped,) = again["actions"]
    assert (again["changed"], skipped["status"], again["proven"]) == (False, "skipped", True)
    assert "already rolled back from gpt-agent-3ccc" in skipped["reason"]
    assert len(vercel.posts()) == 1

    forward = deployment("promoted", version="3333333")
    assert (forward["proven"], vercel.live) == (True, "dpl_3third")
    assert by_name(forward, "vercel.auto_assign")["status"] == "ok"
    unchanged = deployment("promoted", version="dpl_3third")
    assert (unchanged["changed"], unchanged["proven"]) == (False, True)
    # A promotion says what was live before it.
    assert deployment("rolled_back", check=True)["target_release"] == "dpl_2second"


def test_a_deployment_that_was_rolled_back_from_is_not_chosen(
    vercel: Vercel, deployment: Run
) -> None:
    deployment("rolled_back")
    push(vercel, 5)
    back = deployment("rolled_back")
    assert (back["live"], back["proven"]) == ("dpl_2second", True)
    # Not known to Vercel any more, but kept on this host.
    vercel.project.job = None
    push(vercel, 6)
    assert deployment("rolled_back", check=True)["target_release"] == "dpl_2second"
    further = deployment("rolled_back", rollback_to="dpl_1first")
    assert (further["live"], further["proven"]) == ("dpl_1first", True)


def test_a_deployment_that_is_not_in_the_newest_lists(vercel: Vercel, deployment: Run) -> None:
    for number in range(10, 620):
        push(vercel, number)
    planned = deployment("rolled_back", rollback_to="gpt-agent-1aaa.vercel.app", check=True)
    assert (planned["changed"], planned["target_release"]) == (True, "dpl_1first")


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("gpt-agent-9zzz.vercel.app", "there is no such deployment of gpt-agent"),
        ("dpl_7old", "Vercel does not offer it; a plan may be limited"),
        ("dpl_8other", "belongs to another project than gpt-agent"),
    ],
)
def test_refusals(vercel: Vercel, deployment: Run, name: str, reason: str) -> None:
    changes: dict[str, dict[str, Any]] = {
        "dpl_7old": {"candidate": False},
        "dpl_8other": {"project": "prj_other"},
    }
    if name in changes:
        other = Deployment(name, f"{name}.vercel.app".replace("_", "-"), "8" * 40, 0)
        vars(other).update(changes[name])
        vercel.project.deployments.insert(0, other)
    answer = deployment("rolled_back", rollback_to=name)
    assert answer["failed"], answer
    assert reason in by_name(answer, "vercel.target")["summary"]
    assert answer["msg"].startswith("Nothing was changed: ")
    assert (answer["changed"], vercel.posts()) == (False, [])


def test_nothing_to_roll_back_to(vercel: Vercel, deployment: Run) -> None:
    vercel.project.deployments[:2] = []
    answer = deployment("rolled_back")
    assert "offers no production deployment before gpt-agent-3ccc" in answer["msg"]


def test_a_staged_deployment_is_promoted(vercel: Vercel, deployment: Run) -> None:
    push(vercel, 5, live=False).substate = "STAGED"
    answer = deployment("promoted", version="5555555")
    assert (answer["proven"], vercel.live) == (True, "dpl_5new")


def test_listed(vercel: Vercel, deployment: Run) -> None:
    answer = deployment("listed")
    assert [each["id"] for each in answer["deployments"]] == [
        "dpl_3third",
        "dpl_2second",
        "dpl_1first",
    ]
    assert [row["live"] for row in by_name(answer, "vercel.live")["evidence"]] == ["yes", "", ""]
    assert (answer["changed"], vercel.posts()) == (False, [])


def test_verified(vercel: Vercel, deployment: Run) -> None:
    url = vercel.health_url()
    assert deployment("verified", health_urls=[url], version_url=url)["proven"]
    vercel.project.domains["your-domain.com"] = "dpl_1first"
    vercel.project.domains["www.your-domain.com"] = "dpl_3third"
    split = deployment("verified", version_url=url)
    live = by_name(split, "vercel.live")
    assert live["status"] == "warning"
    assert "your-domain.com leads to gpt-agent-1aaa.vercel.app" in live["summary"]
    assert by_name(split, "vercel.version")["status"] == "critical"
    assert (split["failed"], split["proven"]) == (True, False)
    vercel.project.domains.clear()
    assert "has no production domain" in deployment("verified")["msg"]


@pytest.mark.parametrize(
    ("status", "ended"), [("failed", "warning"), ("skipped", "warning"), ("in-progress", "warning")]
)
def test_how_the_last_job_ended(vercel: Vercel, deployment: Run, status: str, ended: str) -> None:
    vercel.job_ends = None
    vercel.project.job = Job("dpl_3third", "dpl_2second", "rollback", 1_795_000_000_000, status)
    job = by_name(deployment("verified"), "vercel.job")
    assert (job["status"], status in job["summary"]) == (ended, True)


def test_variables_of_an_old_build(vercel: Vercel, deployment: Run) -> None:
    vercel.project.variables["DATABASE_URL"] = vercel.project.deployments[2].created
    planned = deployment("rolled_back", check=True)
    environment = by_name(planned, "vercel.environment")
    assert environment["status"] == "warning"
    assert environment["summary"] == "it has the old values of 1 variable: DATABASE_URL"
    vercel.readable_variables = False
    unseen = by_name(deployment("rolled_back", check=True), "vercel.environment")
    assert (unseen["status"], "403" in unseen["summary"]) == ("unknown", True)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"project": ""}, "project: is not set"),
        ({"token": "another-token-of-someone"}, "token: Vercel does not let it read the project"),
        ({"team": "team_other"}, "token: Vercel does not let it read the project 'gpt-agent'"),
        ({"project": "gpt-agnet"}, "project: there is no project 'gpt-agnet' in the team example"),
        ({"confirm": "worker"}, "confirm: it is 'worker', but the project is gpt-agent"),
    ],
)
def test_mistakes(vercel: Vercel, deployment: Run, options: dict[str, Any], message: str) -> None:
    answer = deployment("rolled_back", **options)
    assert answer["failed"]
    assert answer["msg"].startswith(message)
    assert vercel.posts() == []


def test_the_variables_of_the_official_command_line(vercel: Vercel, run_module: RunModule) -> None:
    environment = {"VERCEL_TOKEN": TOKEN, "VERCEL_ORG_ID": TEAM, "VERCEL_PROJECT_ID": PROJECT}
    options = {"state": "listed", "api_url": vercel.address}
    answer = run_module("vercel_deployment", options, env=environment)
    assert answer["live"] == "dpl_3third"
    assert TOKEN not in str(answer)


def test_a_build_that_failed(vercel: Vercel, deployment: Run) -> None:
    assert by_name(deployment("diagnosed"), "vercel.build")["status"] == "ok"
    broken = push(vercel, 5, live=False)
    broken.state = "ERROR"
    broken.log = [
        *(f"Compiling page {number}" for number in range(40)),
        "\x1b[31mError:\x1b[0m Cannot find module 'left-pad'",
        "DB_PASSWORD=hunter2 is not valid: error",
    ]
    answer = deployment("diagnosed")
    build = by_name(answer, "vercel.build")
    assert "failed" not in answer
    assert (build["status"], answer["target_release"], answer["live"]) == (
        "critical",
        "dpl_5new",
        "dpl_3third",
    )
    assert [row["line"] for row in build["evidence"]] == [
        "Error: Cannot find module 'left-pad'",
        "DB_PASSWORD=*** is not valid: error",
    ]
    named = deployment("diagnosed", version="dpl_4preview")
    assert by_name(named, "vercel.build")["status"] == "ok"
    vercel.faults += [Fault("GET .*/events", 403)]
    unseen = by_name(deployment("diagnosed", version="5555555"), "vercel.build")
    assert "its log cannot be read: Vercel answered with status 403" in unseen["summary"]
