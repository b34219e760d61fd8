"""Whether the app waits for the database, or for connections that were not returned."""

from __future__ import annotations

from ansible_collections.gpt_agent.runbook.plugins.module_utils.pm2.diagnosis.database import (
    assess_database,
    assess_pool,
)
from ansible_collections.gpt_agent.runbook.plugins.module_utils.pm2.diagnosis.signs import (
    POOL,
    Sign,
)
from tests.support.app_watch import NOW, THRESHOLDS, connection, snapshot, trend

SILENT = connection(40.0, 39.9)
USED = connection(0.5, 0.4)
WAITING = connection(2.0, 8.0)
EMPTY = Sign(POOL, "timeout exceeded", 12, NOW - 300, NOW - 2)
OLD = Sign(POOL, "timeout exceeded", 12, NOW - 7200, NOW - 5000)


def test_a_slow_statement() -> None:
    check = assess_database(snapshot(trend(database=[WAITING, SILENT])), THRESHOLDS)
    assert (check.status, check.value) == ("warning", 2.0)
    assert "one for 2 s (id 0)" in check.summary


def test_connections_that_wait_for_nothing() -> None:
    check = assess_database(snapshot(trend(database=[SILENT, USED])), THRESHOLDS)
    assert (check.status, check.value, check.not_judged) == ("ok", 0, "")


def test_what_cannot_be_seen_is_not_judged() -> None:
    assert assess_database(snapshot(trend()), THRESHOLDS).not_judged
    barred = assess_database(snapshot(trend(files=None), trend(pm_id=1)), THRESHOLDS)
    assert barred.status == "unknown"
    assert "permission" in barred.summary
    pool = assess_pool(snapshot(trend(files=None), signs=[EMPTY]), THRESHOLDS)
    assert pool
    assert "permission" in pool.summary
    blind = trend(database=[connection(None, None)])
    assert "the kernel" in assess_database(snapshot(blind), THRESHOLDS).not_judged


def test_a_leaking_pool() -> None:
    check = assess_pool(snapshot(trend(database=[SILENT] * 5), signs=[EMPTY]), THRESHOLDS)
    assert check
    assert check.status == "critical"
    assert "all 5 connections are open and silent" in check.summary
    assert "does not release it" in check.remedy


def test_a_pool_that_waits_for_slow_statements() -> None:
    check = assess_pool(snapshot(trend(database=[WAITING] * 5), signs=[EMPTY]), THRESHOLDS)
    assert check
    assert "statements are running on them" in check.summary
    assert "database_review" in check.remedy


def test_a_pool_that_is_in_use_and_one_without_a_connection() -> None:
    for database, text in (([USED, SILENT], "open and in use"), ([], "no connection to the")):
        check = assess_pool(snapshot(trend(database=database), signs=[EMPTY]), THRESHOLDS)
        assert check
        assert text in check.summary


def test_an_old_message_says_nothing_about_the_connections_of_now() -> None:
    check = assess_pool(snapshot(trend(database=[SILENT]), signs=[OLD]), THRESHOLDS)
    assert check
    assert check.status == "warning"
    assert "before the app was started again" in check.summary
    assert "open and silent" not in check.summary
    undated = Sign(POOL, "timeout exceeded", 1)
    check = assess_pool(snapshot(trend(database=[SILENT]), signs=[undated]), THRESHOLDS)
    assert check
    assert "says nothing about it" in check.summary


def test_no_message() -> None:
    assert assess_pool(snapshot(trend(database=[SILENT])), THRESHOLDS) is None
