"""Whether a write would succeed, judged by what the server says."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.gpt_agent.runbook.plugins.module_utils.core.check import Check
from ansible_collections.gpt_agent.runbook.plugins.module_utils.core.errors import NotCollected
from ansible_collections.gpt_agent.runbook.plugins.module_utils.postgres.health.options import (
    Options,
)
from ansible_collections.gpt_agent.runbook.plugins.module_utils.postgres.health.replication import (
    demanded,
)
from ansible_collections.gpt_agent.runbook.plugins.module_utils.postgres.health.snapshot import (
    Canary,
)
from ansible_collections.gpt_agent.runbook.plugins.module_utils.postgres.health.writable import (
    NO_MORE_IDS,
)
from tests.support.postgres_health import (
    DATABASES,
    REPLAY,
    SESSIONS,
    WAL,
    database,
    one,
    session,
    standby,
)


def writable(**more: Any) -> Check:
    return one("writable", **more)


@pytest.mark.parametrize(
    ("names", "count"),
    [
        ("", 0),
        ("s1", 1),
        ("*", 1),
        ("s1, s2", 1),
        ("2 (s1, s2, s3)", 2),
        ("FIRST 2 (s1, s2)", 2),
        ("any 3(s1, s2, s3)", 3),
    ],
)
def test_how_many_standbys_must_confirm(names: str, count: int) -> None:
    assert demanded(names) == count


@pytest.mark.parametrize(
    ("names", "standbys", "commit", "status", "words"),
    [
        ("", [], "on", "ok", "Nothing keeps this primary from taking writes"),
        ("s1", [], "on", "critical", "Every commit hangs: synchronous_standby_names = 's1' wants"),
        ("s1", [standby("s9")], "on", "critical", "(connected: s9); none waits at this moment"),
        ("s1", [], "local", "warning", "commits do not wait for it"),
        ("s1", [standby(sync="sync")], "on", "ok", "1 synchronous standby of 1 must confirm"),
        ("ANY 1 (s1, s2)", [standby(sync="quorum")], "on", "ok", "must confirm"),
        ("2 (s1, s2)", [standby(sync="sync")], "on", "critical", "wants 2 standbys, 1 of them"),
        ("s1", [standby(state=None, sync=None)], "on", "unknown", "lacks permission"),
        ("2 (a, b)", [standby(state=None, sync=None)], "on", "critical", "Every commit hangs"),
    ],
)
def test_synchronous_standbys(
    names: str, standbys: list[Any], commit: str, status: str, words: str
) -> None:
    facts = {"sync_names": names, "sync_commit": commit}
    check = writable(wal=WAL._replace(standbys=standbys), facts=facts)
    assert check.status == status
    assert words in check.summary


@pytest.mark.parametrize(("seconds", "status"), [(0.2, "ok"), (6.0, "warning"), (31.0, "critical")])
def test_commits_that_wait_are_judged_by_the_longest(seconds: float, status: str) -> None:
    sessions = SESSIONS._replace(commits=[session(commit_seconds=seconds)])
    wal = WAL._replace(standbys=[standby(sync="sync")])
    check = writable(sessions=sessions, wal=wal, facts={"sync_names": "s1"})
    assert (check.status, check.value) == (status, seconds)
    assert "1 commit waits for a standby, the longest for" in check.summary
    assert check.evidence[0]["application"] == "worker"


@pytest.mark.parametrize(
    ("source", "status", "words"),
    [
        ("configuration file", "critical", "Transactions on this server are read-only"),
        ("database", "critical", "Transactions on this database are read-only"),
        ("unknown", "critical", "read-only by default"),
        ("user", "ok", "but role 'app' itself is set to read-only transactions"),
    ],
)
def test_read_only_by_default(source: str, status: str, words: str) -> None:
    check = writable(read_only_source=source)
    assert check.status == status
    assert words in check.summary


def test_another_database_that_is_read_only_is_mentioned() -> None:
    databases = DATABASES._replace(rows=[database(), database("archive", read_only=True)])
    check = writable(databases=databases)
    assert (check.status, "database 'archive'" in check.summary) == ("ok", True)


@pytest.mark.parametrize("key", ["xid_age", "mxid_age"])
def test_a_server_without_ids_left_takes_no_writes(key: str) -> None:
    rows = [database(**{key: NO_MORE_IDS})]
    check = writable(databases=DATABASES._replace(rows=rows))
    assert (check.status, "assigns no new" in check.summary) == ("critical", True)
    rows = [database(**{key: NO_MORE_IDS - 1})]
    assert writable(databases=DATABASES._replace(rows=rows)).status == "ok"


def test_no_room_for_prepared_transactions() -> None:
    full = SESSIONS._replace(prepared=2)
    assert writable(sessions=full, facts={"prepared_limit": 2}).status == "warning"
    assert writable(sessions=full, facts={"prepared_limit": 3}).status == "ok"


@pytest.mark.parametrize(
    ("replay", "options", "status", "words"),
    [
        ({}, Options(), "ok", "A standby takes no writes"),
        ({}, Options(server_role="standby", canary=True), "ok", "A standby takes no writes"),
        ({}, Options(server_role="primary"), "critical", "but server_role says primary"),
        ({}, Options(canary=True), "critical", "but canary is set"),
        ({"paused": True}, Options(), "ok", "A standby takes no writes"),
        ({"paused": True, "target": "2026-01-01"}, Options(), "critical", "reached its target"),
    ],
)
def test_a_server_in_recovery(
    replay: dict[str, Any], options: Options, status: str, words: str
) -> None:
    wal = WAL._replace(replay={**REPLAY, **replay})
    check = writable(wal=wal, facts={"standby": True}, options=options)
    assert check.status == status
    assert words in check.summary


@pytest.mark.parametrize(
    ("canary", "status", "words"),
    [
        (Canary(0.004, 5.0), "ok", "A test write was committed in 4 ms"),
        (Canary(None, 5.0), "critical", "not committed within 5 s and was canceled"),
        (Canary(None, 5.0, "disk full", "53100"), "critical", "refused: disk full"),
        (Canary(None, 5.0, "no", "42501"), "unknown", "role 'app' lacks permission"),
    ],
)
def test_a_test_write(canary: Canary, status: str, words: str) -> None:
    check = writable(canary=canary)
    assert check.status == status
    assert words in check.summary


def test_what_cannot_be_seen_is_unknown_unless_trouble_is_known() -> None:
    missing = NotCollected("nobody knows", "Ask again")
    assert writable(sessions=missing).status == "unknown"
    assert writable(wal=missing).status == "unknown"
    assert writable(wal=missing, read_only_source="database").status == "critical"
