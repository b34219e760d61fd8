"""The playbook for a review as operators start it."""

from __future__ import annotations

from pathlib import Path

import pytest

from demo.stack import Stack
from tests.support.playbooks import Playbook, run_playbook
from tests.support.postgres import Server, database, run_sql


@pytest.fixture
def playbook(stack: Stack, tmp_path: Path) -> Playbook:
    stack.up()
    return lambda *arguments, **variables: run_playbook(
        stack, tmp_path, "database_review", *arguments, **variables
    )


def test_a_review_names_what_is_wrong_and_nothing_else(stack: Stack, playbook: Playbook) -> None:
    server = Server(stack)
    with database(server, "shop") as url:
        run_sql(
            url,
            "CREATE TABLE t (id serial PRIMARY KEY, a int)",
            "SELECT setval('t_id_seq', 2147483000)",
            "CREATE INDEX x ON t (a)",
            "CREATE INDEX y ON t (a)",
        )
        run = playbook(
            postgres_review_url=server.admin_url.rpartition("/")[0] + "/shop",
            postgres_review_databases=["shop"],
        )
    assert run.code == 2
    bad = {
        (check["name"], check["subject"]): check["status"]
        for check in run.report["checks"]
        if check["status"] in ("warning", "critical")
    }
    assert bad == {
        ("postgres.sequences", "database shop"): "critical",
        ("postgres.duplicate_indexes", "database shop"): "warning",
    }
    assert (
        "public.t_id_seq, which fills t.id (integer), is the furthest: 99.9 % used up, "
        "647 values left" in run.table
    )
    assert "redis.hit_rate" in {check["name"] for check in run.report["checks"]}
    assert "changed=0" in run.output


def test_a_healthy_demo_passes(playbook: Playbook) -> None:
    run = playbook()
    assert run.code == 0, run.output
    assert [
        check for check in run.report["checks"] if check["status"] in ("warning", "critical")
    ] == []
    assert "CRITICAL" not in run.table
