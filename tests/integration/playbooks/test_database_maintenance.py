"""The playbook for maintenance: the plan, the work, the second run, and what goes wrong."""

from __future__ import annotations

import re
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from demo.stack import Stack
from tests.support.playbooks import Playbook, run_playbook
from tests.support.postgres import CRAWL, Server, bloated, run_sql, slow_to_vacuum


@pytest.fixture
def server(stack: Stack) -> Server:
    return Server(stack)


@pytest.fixture
def playbook(stack: Stack, tmp_path: Path, url: str) -> Playbook:
    variables: dict[str, Any] = {
        "postgres_maintenance_url": url,
        "postgres_maintenance_bloat_bytes": 1_000_000,
        "postgres_maintenance_cost_delay": 0,
    }

    def run(*arguments: str, **more: Any) -> Any:
        return partial(run_playbook, stack, tmp_path, "database_maintenance")(
            *arguments, **{**variables, **more}
        )

    return run


def test_from_the_plan_to_the_second_run(url: str, playbook: Playbook) -> None:
    run_sql(url, *bloated())
    plan = playbook("--check", "--diff")
    (action,) = [
        action for action in plan.report["actions"] if action["name"] == "postgres.reindex"
    ]
    assert (action["subject"], action["status"]) == ("public.messages_word", "planned")
    assert "of it is empty" in action["reason"]
    assert "-postgres.reindex public.messages_word" in plan.output
    done = playbook()
    assert [(each["name"], each["subject"], each["status"]) for each in done.report["actions"]] == [
        ("postgres.reindex", "public.messages_word", "done")
    ]
    assert done.check("postgres.maintenance")["status"] == "ok"
    assert "✔ done postgres.reindex public.messages_word" in done.table
    assert done.check("postgres.vacuum_horizon")["status"] == "ok", (
        "the server was looked at before"
    )
    again = playbook()
    assert again.report["actions"] == []
    assert "changed=0" in again.output


def test_work_that_takes_long_says_where_it_is(url: str, playbook: Playbook) -> None:
    run_sql(url, *slow_to_vacuum("t"))
    run = playbook(postgres_maintenance_only=["t"], **CRAWL)
    assert re.search(
        r"demo: 0 of \d done; vacuum public.t for \d+.* s: scanning heap, \d+ %", run.output
    ), run.output
    (action,) = [each for each in run.report["actions"] if each["name"] == "postgres.vacuum"]
    assert action["status"] == "skipped"
    assert "the time budget is used up" in action["reason"]


def test_what_is_wrong_is_said_once(stack: Stack, playbook: Playbook) -> None:
    run = playbook(postgres_maintenance_time_budget=-5)
    assert run.code == 2
    expected = "postgres_maintenance_time_budget (time_budget): -5 is not a number from 1 to 604800"
    assert expected in run.table
    run = playbook(postgres_maintenance_url=Server(stack).url(database="nowhere"))
    assert run.code == 2
    assert [check["name"] for check in run.report["checks"] if check["status"] == "critical"] == [
        "postgres.reachable"
    ]
    assert "has no database 'nowhere'" in run.table
    stack.stop("postgres")
    try:
        run = playbook()
    finally:
        stack.start("postgres")
    assert run.code == 2
    assert [(check["name"], check["status"]) for check in run.report["checks"]] == [
        ("postgres.reachable", "critical")
    ]


def test_nothing_is_maintained_on_a_server_that_the_review_could_not_reach(
    server: Server, url: str, playbook: Playbook
) -> None:
    run_sql(url, *bloated())
    for arguments in (["--check"], []):
        run = playbook(*arguments, postgres_review_url="postgresql://x:y@127.0.0.1:1/x")
        assert run.code == 2
        assert run.check("postgres.reachable")["status"] == "critical"
        (action,) = run.report["actions"]
        assert (action["name"], action["status"], action["reason"]) == (
            "postgres.maintenance",
            "skipped",
            "postgres_review was not answered on demo",
        )
