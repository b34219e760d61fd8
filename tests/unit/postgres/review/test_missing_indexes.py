"""Hints at missing indexes."""

from __future__ import annotations

import time
from typing import Any

from ansible_collections.gpt_agent.runbook.plugins.module_utils.core.state import Sample
from ansible_collections.gpt_agent.runbook.plugins.module_utils.postgres.health.snapshot import (
    Statements,
)
from ansible_collections.gpt_agent.runbook.plugins.module_utils.postgres.review.indexes import (
    indexes,
)
from tests.support.postgres_review import LIMITS, NOBODY, by_name, contents, usage_of
from tests.support.relations import FACTS as DATABASE_FACTS
from tests.support.relations import table

READ = {"scans": 1000, "read": 10**9, "writes": 5}


def missing(counts: dict[str, int], then: Sample | None = None, **more: Any) -> Any:
    found = contents(table(), usage=usage_of(scans={1: counts}, **more), earlier=then)
    return by_name(indexes(found, "d", LIMITS, NOBODY, 10))["missing_indexes"]


def test_a_missing_index_is_judged_by_what_came_since_the_last_run() -> None:
    assert missing(READ).status == "warning"
    hour = time.time() - 3600
    assert missing(READ, Sample(hour, "", {"scans 1": 990.0, "read 1": 9.9e8})).status == "ok"
    assert missing(READ, Sample(hour, "", {"scans 1": 0.0, "read 1": 0.0})).status == "warning"
    assert missing(READ, Sample(hour, "", {"scans 2": 0.0})).status == "ok", (
        "there is no window for it"
    )


def test_a_missing_index_needs_scans_for_each_day_and_reading_that_outweighs_writing() -> None:
    nightly = {"scans": 60, "read": 10**8, "writes": 0}
    assert missing(nightly).status == "ok", "60 in 11 days"
    assert missing(nightly, since=DATABASE_FACTS["now"] - 3600).status == "warning"
    assert missing(nightly, since=None).not_judged
    assert missing({**READ, "writes": 2 * 10**9}).status == "ok"


def test_a_statement_that_only_writes_is_not_the_one_to_explain() -> None:
    row = {"user": "u", "database": "shop", "calls": 1, "seconds": 1.0}
    top = [
        {**row, "statement": "INSERT INTO t VALUES (1)"},
        {**row, "statement": "SELECT a FROM t"},
    ]
    found = contents(table(), usage=usage_of(scans={1: READ}))
    check = by_name(
        indexes(found, "d", LIMITS, Statements(2, 2.0, "PT1H", top, Sample(0, "", {})), 10)
    )["missing_indexes"]
    assert check.evidence[0]["statement"] == "SELECT a FROM t"
