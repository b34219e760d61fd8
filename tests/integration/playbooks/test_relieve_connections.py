"""The playbook for an exhausted connection pool: the plan, the relief, the second run, faults."""

from __future__ import annotations

import json
import re
import threading
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from demo.stack import Stack
from tests.support.playbooks import Playbook, Run, run_playbook
from tests.support.postgres import Server

#: Sessions of a leaking app need not grow old in a test.
SOON = {"postgres_relief_idle_age": 0.2, "postgres_relief_wait": 0.5}


@pytest.fixture
def server(stack: Stack) -> Server:
    return Server(stack)


@pytest.fixture
def playbook(stack: Stack, tmp_path: Path) -> Playbook:
    return partial(run_playbook, stack, tmp_path, "relieve_connections", **SOON)


@pytest.fixture
def leak(server: Server) -> Iterator[list[Any]]:
    """An app that has taken every slot there is."""
    with server.sessions(200, "leaky") as taken:
        time.sleep(0.3)
        yield taken


@pytest.fixture
def no_app(stack: Stack) -> Iterator[None]:
    """The app's own pool closes idle connections, and so would free a slot now and then."""
    stack.stop("app")
    yield
    stack.start("app")


def left(server: Server) -> int:
    return int(
        server.admin("SELECT count(*) FROM pg_stat_activity WHERE application_name = 'leaky'")[0][0]
    )


def test_an_exhausted_pool_from_the_plan_to_the_second_run(
    server: Server, leak: list[Any], playbook: Playbook
) -> None:
    for plan in (playbook(), playbook("--check", runbook_confirm="gpt_agent")):
        assert left(server) == len(leak)
        planned = [action["subject"] for action in plan.report["actions"]]
        assert {action["status"] for action in plan.report["actions"]} == {"planned"}
        assert "-e runbook_confirm=gpt_agent" in plan.check("postgres.relief")["remedy"]
        assert "idle from app 'leaky'" in plan.check("postgres.connections")["summary"]
        assert plan.code == 2, "the pool is still exhausted, and the plan says so"
    done = playbook(runbook_confirm="gpt_agent")
    assert done.code == 0, done.output
    assert [action["subject"] for action in done.report["actions"]] == planned
    assert {action["status"] for action in done.report["actions"]} == {"done"}
    assert left(server) == len(leak) - len(planned)
    assert done.check("postgres.connections")["status"] == "ok"
    assert done.check("postgres.connections")["value"] <= 70
    assert "WARNING: 1 warning, 1 ok" in done.table
    assert (
        "Permanent fix for app 'leaky': ALTER ROLE gpt_agent SET idle_session_timeout = '5min';"
        in done.table
    )
    assert "✔ done postgres.end_session pid " in done.table
    again = playbook(runbook_confirm="gpt_agent")
    assert (again.code, again.report["verdict"], again.report["actions"]) == (0, "ok", [])
    assert "changed=0" in again.output


def test_a_role_that_may_not_end_sessions_fails_the_run_and_says_why(
    server: Server, leak: list[Any], playbook: Playbook
) -> None:
    server.admin("CREATE ROLE watcher LOGIN PASSWORD 'of-watcher' IN ROLE pg_monitor")
    try:
        for connection in leak[:2]:
            connection.close()
        run = playbook(
            runbook_confirm="gpt_agent", postgres_relief_url=server.url("watcher", "of-watcher")
        )
        assert (run.code, run.report["verdict"]) == (2, "critical")
        assert {action["status"] for action in run.report["actions"]} == {"failed"}
        assert "GRANT pg_signal_backend TO watcher" in run.table
    finally:
        server.admin("DROP ROLE watcher")


def test_a_run_that_gets_no_slot_says_which_url_would(
    no_app: None, server: Server, leak: list[Any], playbook: Playbook
) -> None:
    run = playbook(runbook_confirm="gpt_agent", postgres_relief_url=server.url())
    assert (run.code, run.report["verdict"]) == (2, "critical")
    assert "is out of connection slots: all that role 'gpt_agent' can use are taken" in run.table
    assert "pg_use_reserved_connections" in run.table
    assert left(server) == len(leak)


def test_the_wrong_database_is_refused(server: Server, leak: list[Any], playbook: Playbook) -> None:
    run = playbook(runbook_confirm="production")
    assert run.code == 2
    assert "it is 'production', but the database is gpt_agent" in run.table
    assert left(server) == len(leak)


# --- the restart of the app -----------------------------------------------------------------------


def instances(stack: Stack) -> list[int]:
    return sorted(
        row["pid"]
        for row in json.loads(stack.run([stack.settings["bin"]["pm2"], "jlist", "--silent"]).stdout)
    )


def restarts(run: Run) -> list[tuple[str, str]]:
    return [
        (action["subject"], action["status"])
        for action in run.report["actions"]
        if action["name"] == "app.restart"
    ]


ASKED = {"runbook_restart_app": "gpt-agent", "app_restart_stable_for": 1}
ASKED_SLOWLY = {**ASKED, "app_restart_stable_for": 7}


def test_the_app_is_restarted_on_request_and_its_connections_are_counted_again(
    stack: Stack, server: Server, leak: list[Any], playbook: Playbook
) -> None:
    before = instances(stack)
    plan = playbook(**ASKED)
    assert instances(stack) == before
    assert restarts(plan) == [("gpt-agent id 0", "planned"), ("gpt-agent id 1", "planned")]
    done = playbook("--diff", runbook_confirm="gpt_agent", **ASKED_SLOWLY)
    assert done.code == 0, done.output
    assert restarts(done) == [("gpt-agent id 0", "done"), ("gpt-agent id 1", "done")]
    assert not set(before) & set(instances(stack))
    # Which of them it is when the first line is due depends on the machine.
    said = " ".join(done.output.split())
    phase = "(restarting|watching whether it stays up)"
    assert re.search(rf"demo: [01] of 2 done; gpt-agent id [01] for [^:]+: {phase}", said), said
    assert {check["name"]: check["status"] for check in done.report["checks"]} == {
        "postgres.reachable": "ok",
        "postgres.connections": "ok",
        "postgres.relief": "warning",
        "app.process": "ok",
    }
    assert "Permanent fix for app 'leaky'" in done.check("postgres.relief")["remedy"]
    for connection in leak:
        connection.close()
    again = playbook(runbook_confirm="gpt_agent", **ASKED)
    assert again.check("postgres.relief")["status"] == "ok"
    assert restarts(again) == [("gpt-agent id 0", "done"), ("gpt-agent id 1", "done")], (
        "it is done because it is asked for"
    )


def test_what_the_restart_has_freed_counts(
    stack: Stack, server: Server, playbook: Playbook
) -> None:
    """Sessions that must not be ended go with the app that holds them."""
    with server.sessions(80, "gone") as held:
        kept = playbook(runbook_confirm="gpt_agent", postgres_relief_protect_applications=["gone"])
        assert kept.check("postgres.connections")["status"] in ("warning", "critical")
        before = instances(stack)

        def close_with_the_app() -> None:
            until = time.monotonic() + 90
            while instances(stack) == before and time.monotonic() < until:
                time.sleep(0.2)
            for connection in held:
                connection.close()

        closing = threading.Thread(target=close_with_the_app)
        closing.start()
        run = playbook(
            runbook_confirm="gpt_agent",
            postgres_relief_protect_applications=["gone"],
            **{**ASKED, "app_restart_stable_for": 4},
        )
        closing.join()
    assert run.check("postgres.connections")["status"] == "ok"
    assert run.check("postgres.relief")["status"] == "warning"


def test_an_app_that_does_not_come_back(stack: Stack, playbook: Playbook) -> None:
    before = instances(stack)
    try:
        with stack.fault(crash=True, instance=0):
            run = playbook(runbook_confirm="gpt_agent", **ASKED)
            assert run.code == 2
            assert restarts(run) == [("gpt-agent id 0", "failed"), ("gpt-agent id 1", "skipped")]
            assert len(set(before) & set(instances(stack))) == 1, "one still serves"
            assert "✖ failed app.restart gpt-agent id 0" in run.table
    finally:
        stack.restart("app")


def test_nothing_is_restarted_for_the_name_of_another_database(
    stack: Stack, playbook: Playbook
) -> None:
    before = instances(stack)
    for arguments in (["--check"], []):
        run = playbook(*arguments, runbook_confirm="production", **ASKED)
        assert run.code == 2
        assert restarts(run) == [("gpt-agent", "skipped")]
        assert instances(stack) == before


def test_nothing_is_restarted_for_a_relief_that_was_not_confirmed(
    stack: Stack, playbook: Playbook
) -> None:
    """The inventory may switch off the confirmation of the relief alone."""
    before = instances(stack)
    run = playbook(runbook_confirm="gpt_agent", postgres_relief_confirm="", **ASKED)
    assert restarts(run) == [("gpt-agent", "skipped")]
    assert instances(stack) == before


@pytest.fixture
def lost(tmp_path: Path) -> list[str]:
    """Arguments for an inventory with a host that does not answer."""
    file = tmp_path / "lost.yml"
    file.write_text(
        "all: {hosts: {lost: {ansible_connection: ssh, ansible_host: 127.0.0.1, ansible_port: 1}}}"
    )
    return ["-i", str(file)]


def test_after_a_host_that_is_lost_no_other_is_restarted(
    stack: Stack, playbook: Playbook, lost: list[str]
) -> None:
    before = instances(stack)
    run = playbook(*lost, runbook_confirm="gpt_agent", runbook_app_hosts="lost:demo", **ASKED)
    assert run.code == 2
    assert restarts(run) == [("gpt-agent", "skipped")]
    assert instances(stack) == before


def test_without_a_database_nothing_says_that_it_is_the_right_system(
    stack: Stack, playbook: Playbook, lost: list[str]
) -> None:
    before = instances(stack)
    run = playbook(
        *lost,
        "--limit",
        "demo",
        runbook_confirm="gpt_agent",
        runbook_hosts="lost",
        runbook_app_hosts="demo",
        **ASKED,
    )
    assert restarts(run) == [("gpt-agent", "skipped")]
    assert instances(stack) == before


def test_a_restart_that_no_host_is_there_for_is_said(playbook: Playbook) -> None:
    run = playbook(runbook_confirm="gpt_agent", runbook_app_hosts="app_servers[1:]", **ASKED)
    assert run.code == 2
    assert (
        "gpt-agent was not restarted: no app server is in this run "
        "(group app_servers, runbook_app_hosts, --limit)" in run.table
    )


def test_an_app_that_pm2_does_not_know(stack: Stack, playbook: Playbook) -> None:
    before = instances(stack)
    run = playbook(runbook_confirm="gpt_agent", **{**ASKED, "runbook_restart_app": "gpt_agent"})
    assert run.code == 2
    assert "gpt_agent is not in PM2's list, which contains gpt-agent" in run.table
    assert instances(stack) == before
