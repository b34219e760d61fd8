"""The statements of pg_maintenance."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.gpt_agent.runbook.plugins.module_utils.postgres.maintenance.step import (
    Step,
    statement,
)
from tests.support.relations import seen


@pytest.mark.parametrize(
    ("operation", "facts", "sql"),
    [
        ("cleanup", {}, "DROP INDEX CONCURRENTLY IF EXISTS s.x"),
        ("reindex", {}, "REINDEX INDEX CONCURRENTLY s.x"),
        ("analyze", {}, "ANALYZE s.x"),
        ("vacuum", {"version": 150000}, "VACUUM (PARALLEL 0) s.x"),
        ("vacuum", {"version": 160000}, "VACUUM (PARALLEL 0, SKIP_DATABASE_STATS) s.x"),
        (
            "freeze",
            {"version": 150000, "standbys": 1},
            "VACUUM (PARALLEL 0, FREEZE, TRUNCATE FALSE) s.x",
        ),
    ],
)
def test_statements(operation: str, facts: dict[str, Any], sql: str) -> None:
    assert statement(Step(operation, 1, "s.x", ""), seen(**facts)) == sql
