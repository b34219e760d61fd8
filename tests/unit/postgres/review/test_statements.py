"""Slow statements, rollbacks and temporary files, judged."""

from __future__ import annotations

from typing import Any

from ansible_collections.gpt_agent.runbook.plugins.module_utils.core.state import Delta, Sample
from ansible_collections.gpt_agent.runbook.plugins.module_utils.postgres.health.snapshot import (
    Databases,
    Statements,
)
from ansible_collections.gpt_agent.runbook.plugins.module_utils.postgres.review.statements import (
    slow_statements,
    transactions,
)
from tests.support.postgres_review import FACTS, LIMITS, by_name


def rolled(seconds: float = 3600.0, **counters: float) -> dict[str, Any]:
    """The verdicts on what has been counted in so many seconds."""
    row = {"name": "shop", "rollbacks": 1, "commits": 1, "spilled": 1}
    delta = Delta(
        {"commits": 0.0, "rollbacks": 0.0, "spilled": 0.0, **counters}, "PT1H", seconds, True
    )
    return by_name(transactions(Databases([row], delta, delta, Sample(0, "", {})), LIMITS))


def test_rolled_back_transactions() -> None:
    assert rolled(commits=9900, rollbacks=100)["rollbacks"].status == "ok"
    assert (
        rolled(commits=800, rollbacks=200)["rollbacks"].status,
        rolled(commits=800, rollbacks=200)["rollbacks"].value,
    ) == ("warning", 20.0)
    assert rolled(commits=5, rollbacks=5)["rollbacks"].not_judged, "too few to judge"


def test_what_is_spilled_to_disk_counts_by_the_day() -> None:
    assert rolled(spilled=11 * 1024**3)["temp_files"].status == "warning", "in an hour"
    assert rolled(spilled=11 * 1024**3, seconds=30 * 86400.0)["temp_files"].status == "ok", (
        "in a month"
    )
    assert rolled(spilled=11 * 1024**3, seconds=0.0)["temp_files"].not_judged, (
        "since nobody knows when"
    )


def test_slow_statements_need_calls_and_time() -> None:
    top = [
        {
            "statement": "SELECT * FROM a WHERE x = 'secret'",
            "user": "u",
            "database": "d",
            "calls": 100,
            "seconds": 50.0,
        },
        {"statement": "SELECT once", "user": "u", "database": "d", "calls": 3, "seconds": 30.0},
        {
            "statement": "SELECT fast",
            "user": "u",
            "database": "d",
            "calls": 10_000,
            "seconds": 20.0,
        },
    ]
    check = slow_statements(
        Statements(10_103, 100.0, "PT1H", top, Sample(0, "", {})), FACTS, LIMITS
    )
    assert (check.status, check.value) == ("warning", 1)
    assert check.evidence[0]["mean_seconds"] == 0.5
    assert check.evidence[0]["share_percent"] == 50.0
    assert "secret" not in check.summary + str(check.evidence)


def test_statements_that_are_hidden_are_not_called_fast() -> None:
    hidden = {"statement": None, "user": None, "database": None, "calls": 10_000, "seconds": 20.0}
    blind = {**FACTS, "sees_all": False}
    for seconds in (20.0, 20_000.0):
        statements = Statements(
            10_000, seconds, "PT1H", [{**hidden, "seconds": seconds}], Sample(0, "", {})
        )
        check = slow_statements(statements, blind, LIMITS)
        assert (check.status, check.remedy) == (
            "unknown",
            'As a superuser: GRANT pg_monitor TO "app".',
        )
    fast = {**hidden, "statement": "SELECT 1"}
    check = slow_statements(
        Statements(10_000, 20.0, "PT1H", [fast], Sample(0, "", {})), FACTS, LIMITS
    )
    assert (check.status, check.summary) == (
        "ok",
        "Of the 1 statement with the most time and 20 calls or more, none takes longer than 100 ms",
    )
