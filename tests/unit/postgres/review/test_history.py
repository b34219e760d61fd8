"""What is kept for the next run."""

from __future__ import annotations

import pytest

from ansible_collections.gpt_agent.runbook.plugins.module_utils.postgres.review.history import (
    samples,
)
from tests.support.postgres_review import BIG, contents
from tests.support.relations import MIB, index, table


def test_how_long_an_index_has_been_known_outlives_a_run() -> None:
    found = contents(
        table(),
        index(11, "i11", **BIG),
        index(12, "i12", **BIG),
        sizes={"index 11": 100.0},
        elapsed=50.0,
    )
    kept, _scans = samples(found) or pytest.fail("nothing is kept")
    assert (kept.counters["index 11"], kept.counters["index 12"], kept.counters["total"]) == (
        150.0,
        0.0,
        500 * MIB,
    )
    due_now, _scans = samples(contents(table(dead=500_000, modified=500_000))) or pytest.fail(
        "nothing is kept"
    )
    assert {"due vacuum 1", "due analyze 1"} <= set(due_now.counters)
