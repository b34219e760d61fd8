"""The playbook for an exhausted pool as operators start it: the plan, the relief, the second run, and what goes wrong."""

from __future__ import annotations

import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from demo.stack import Stack
from tests.integration.playbooks import Playbook, run_playbook
from tests.integration.postgres import Server

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


def left(server: Server) -> int:
    return int(server.admin("SELECT count(*) FROM pg_stat_activity WHERE application_name = 'leaky'")[0][0])


def test_an_exhausted_pool_from_the_plan_to_the_second_run(server: Server, leak: list[Any], playbook: Playbook) -> None:
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
    assert "Lasting cure for app 'leaky': ALTER ROLE gpt_agent SET idle_session_timeout = '1s';" in done.table
    assert "✔ done postgres.end_session pid " in done.table
    again = playbook(runbook_confirm="gpt_agent")
    assert (again.code, again.report["verdict"], again.report["actions"]) == (0, "ok", [])
    assert "changed=0" in again.output


def test_a_role_that_may_not_end_sessions_fails_the_run_and_says_why(server: Server, leak: list[Any], playbook: Playbook) -> None:
    server.admin("CREATE ROLE watcher LOGIN PASSWORD 'of-watcher' IN ROLE pg_monitor")
    try:
        for connection in leak[:2]:
            connection.close()
        run = playbook(runbook_confirm="gpt_agent", postgres_relief_url=server.url("watcher", "of-watcher"))
        assert (run.code, run.report["verdict"]) == (2, "critical")
        assert {action["status"] for action in run.report["actions"]} == {"failed"}
        assert "GRANT pg_signal_backend TO watcher" in run.table
    finally:
        server.admin("DROP ROLE watcher")


def test_a_run_that_gets_no_slot_says_which_url_would(stack: Stack, server: Server, leak: list[Any], playbook: Playbook) -> None:
    run = playbook(runbook_confirm="gpt_agent", postgres_relief_url=server.url())
    assert (run.code, run.report["verdict"]) == (2, "critical")
    assert "is out of connection slots: every one that role 'gpt_agent' may take is in use" in run.table
    assert "pg_use_reserved_connections" in run.table
    assert left(server) == len(leak)


def test_the_wrong_database_is_refused(server: Server, leak: list[Any], playbook: Playbook) -> None:
    run = playbook(runbook_confirm="production")
    assert run.code == 2
    assert "give 'gpt_agent', not 'production'" in run.table
    assert left(server) == len(leak)
