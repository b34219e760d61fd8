"""What could not be read is unknown in every check."""

from __future__ import annotations

from ansible_collections.gpt_agent.runbook.plugins.module_utils.postgres.review.autovacuum import (
    autovacuum,
)
from ansible_collections.gpt_agent.runbook.plugins.module_utils.postgres.review.collations import (
    collations,
)
from ansible_collections.gpt_agent.runbook.plugins.module_utils.postgres.review.indexes import (
    indexes,
)
from ansible_collections.gpt_agent.runbook.plugins.module_utils.postgres.review.settings import (
    settings,
)
from ansible_collections.gpt_agent.runbook.plugins.module_utils.postgres.review.snapshot import (
    DatabaseSnapshot,
    Usage,
)
from ansible_collections.gpt_agent.runbook.plugins.module_utils.postgres.review.statements import (
    slow_statements,
)
from ansible_collections.gpt_agent.runbook.plugins.module_utils.postgres.review.tables import tables
from tests.support.postgres_review import (
    FACTS,
    GONE,
    LIMITS,
    NOBODY,
    by_name,
    contents,
    lock_checks,
    used,
    waits,
)
from tests.support.relations import MIB, index, table


def test_what_was_not_answered_is_unknown() -> None:
    lost = waits(blocked=GONE, horizon=GONE)
    everything = [
        *lock_checks(lost, FACTS, LIMITS),
        *settings(GONE, FACTS, LIMITS),
        slow_statements(NOBODY, FACTS, LIMITS),
    ]
    hollow = DatabaseSnapshot(GONE, GONE, GONE, GONE, GONE)
    for part in (
        autovacuum(hollow, "d", LIMITS),
        tables(hollow, "d", LIMITS),
        indexes(hollow, "d", LIMITS, NOBODY, 30),
    ):
        everything += part
    everything.append(collations(GONE, hollow, "shop", "d", LIMITS))
    assert {check.status for check in everything} == {"unknown"}
    assert len(everything) == 16
    assert all(check.remedy for check in everything)


def test_without_counters_nothing_is_known() -> None:
    blind = Usage({11: used(scans=0)}, {1: {"scans": 0}}, {}, [], 0.0, False)
    found = contents(table(), index(11, "i11", bytes=200 * MIB, unique=False), usage=blind)
    checks = by_name([*autovacuum(found, "d", LIMITS), *indexes(found, "d", LIMITS, NOBODY, 10)])
    names = {
        name
        for name, check in checks.items()
        if check.status == "unknown" and "track_counts is off" in check.summary
    }
    assert names == {"vacuum_due", "statistics_due", "unused_indexes", "missing_indexes"}
