# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The weekly maintenance of both hosts in one run, while people use the app."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from testinfra.host import Host


@pytest.fixture
def bloated(database: Host) -> Iterator[None]:
    """The app's database has an index that is half empty."""
    psql = "sudo -u postgres psql -qd gpt_agent -c %s"
    update = "SET ROLE gpt_agent; UPDATE messages SET word = md5(word)"
    statements = (
        "SET ROLE gpt_agent; CREATE TABLE messages (id int PRIMARY KEY, word text)",
        "INSERT INTO messages SELECT g, md5(g::text) FROM generate_series(1, 200000) g",
        "SET ROLE gpt_agent; CREATE INDEX messages_word ON messages (word)",
        update,
        "VACUUM messages",
        update,
        "VACUUM ANALYZE messages",
    )
    try:
        for statement in statements:
            database.check_output(psql, statement)
        yield
    finally:
        database.check_output(psql, "DROP TABLE messages")


def maintain(playbook: Callable[..., Any], **more: Any) -> Any:
    given = {"postgres_maintenance_bloat_bytes": 1_000_000, **more}
    return playbook("weekly_maintenance", "-e", json.dumps(given))


def done(run: Any) -> Counter[tuple[str, str]]:
    return Counter(
        (each["host"], each["name"]) for each in run.report["actions"] if each["status"] == "done"
    )


def test_everything_is_due_and_no_request_fails(
    playbook: Callable[..., Any], bloated: None, alone: None, probe: Callable[[], str]
) -> None:
    now = {
        "logs_force": True,
        "certificates_renew_force": True,
        "certificates_renew_names": ["app.staging.test"],
    }
    first = maintain(playbook, **now, postgres_maintenance_cost_delay=0)
    assert (first.code, first.bad) == (0, set()), first.output
    found = done(first)
    assert found["database", "postgres.reindex"] == 1, first.output
    assert found["app", "logs.rotate"] >= 2
    assert found["app", "certificate.renew"] == 1
    again = maintain(playbook)
    assert (again.code, done(again)) == (0, Counter()), again.output
    assert probe() == ""
