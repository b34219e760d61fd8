# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Review and maintenance of the database on its own machine, as the user postgres through the
socket.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from testinfra.host import Host

AS_POSTGRES = ("--limit", "database", "--become", "--become-user", "postgres")


@pytest.fixture
def care(database: Host) -> Iterator[str]:
    """A database with an index that is half empty; yields its URL."""
    update, vacuum = "UPDATE messages SET word = md5(word)", "VACUUM messages"
    statements = (
        *(
            "CREATE TABLE messages (id int PRIMARY KEY, word text)",
            "INSERT INTO messages SELECT g, md5(g::text) FROM generate_series(1, 200000) g",
        ),
        *(
            "CREATE INDEX messages_word ON messages (word)",
            update,
            vacuum,
            update,
            "VACUUM ANALYZE messages",
        ),
    )
    database.check_output("sudo -u postgres createdb care")
    try:
        for statement in statements:
            database.check_output("sudo -u postgres psql -qd care -c %s", statement)
        yield "postgresql:///care?host=/var/run/postgresql"
    finally:
        database.check_output("sudo -u postgres dropdb --force care")


@contextmanager
def without_acl(database: Host) -> Iterator[None]:
    database.check_output("mv /usr/bin/setfacl /usr/bin/setfacl.away")
    try:
        yield
    finally:
        database.check_output("mv /usr/bin/setfacl.away /usr/bin/setfacl")


def maintain(playbook: Callable[..., Any], url: str, *arguments: str) -> Any:
    variables = {
        "postgres_url": url,
        "postgres_maintenance_url": url,
        "postgres_maintenance_bloat_bytes": 1_000_000,
        "postgres_maintenance_cost_delay": 0,
    }
    return playbook("database_maintenance", *AS_POSTGRES, "-e", json.dumps(variables), *arguments)


@pytest.mark.parametrize("acl", [True, False], ids=["in the background", "in the foreground"])
def test_maintenance_from_the_plan_to_the_second_run(
    playbook: Callable[..., Any], database: Host, care: str, acl: bool
) -> None:
    plan = maintain(playbook, care, "--check")
    assert [(each["name"], each["subject"], each["status"]) for each in plan.report["actions"]] == [
        ("postgres.reindex", "public.messages_word", "planned")
    ]
    if acl:
        done = maintain(playbook, care)
    else:
        with without_acl(database):
            done = maintain(playbook, care)
    assert ("the package acl on the host helps" in done.output) != acl, done.output
    assert [(each["subject"], each["status"]) for each in done.report["actions"]] == [
        ("public.messages_word", "done")
    ], done.output
    assert done.bad <= {("database", "postgres.query_time_mean", "")}, done.output
    assert maintain(playbook, care).report["actions"] == []
    assert database.run("ls ~postgres/.ansible_async/* 2>/dev/null").stdout == "", (
        "nothing is left of the job"
    )


def test_a_review_of_all_databases(playbook: Callable[..., Any], care: str) -> None:
    variables = {
        "postgres_url": care,
        "postgres_review_databases": ["*"],
        "runbook_thresholds": {"postgres.index_bloat": {"warning": 1_000_000}},
    }
    run = playbook("database_review", *AS_POSTGRES, "-e", json.dumps(variables))
    reviewed = {
        check["subject"]
        for check in run.report["checks"]
        if check["name"] == "postgres.table_sizes"
    }
    assert {"database care", "database postgres", "database gpt_agent"} <= reviewed
    assert ("database", "postgres.index_bloat", "database care") in run.bad, run.output
    assert not [
        check
        for check in run.report["checks"]
        if check["name"] == "postgres.inspection" and check["status"] != "ok"
    ]


def test_connections_are_relieved_and_the_app_restarted_on_its_own_host(
    playbook: Callable[..., Any], app: Host
) -> None:
    """PM2 belongs to another user than the one who logs in, and the app to another host than
    PostgreSQL.
    """
    before = pids(app)
    given = ("-e", "runbook_restart_app=gpt-agent", "-e", "app_restart_stable_for=2")
    plan = playbook("relieve_connections", *given)
    assert [(each["host"], each["subject"], each["status"]) for each in plan.report["actions"]] == [
        ("app", f"gpt-agent id {number}", "planned") for number in range(len(before))
    ], plan.output
    assert pids(app) == before
    done = playbook("relieve_connections", *given, "-e", "runbook_confirm=gpt_agent")
    assert {(each["host"], each["status"]) for each in done.report["actions"]} == {
        ("app", "done")
    }, done.output
    assert done.code == 0, done.output
    assert not pids(app) & before


def pids(app: Host) -> set[int]:
    found = app.check_output("awk 1 ~deploy/.pm2/pids/gpt-agent-*.pid")
    return {int(pid) for pid in found.split()}
