"""How much of an index is empty: estimated from statistics, or as pgstatindex measures it."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.gpt_agent.runbook.plugins.module_utils.postgres.bloat import (
    estimate,
    heap_size,
    measured,
)
from tests.support.relations import MIB, index, table


def test_an_estimate_needs_widths_and_rows() -> None:
    for unknown in ({"known": 0}, {"rows": -1.0}, {"method": "gin"}, {"valid": False}):
        assert estimate(index(**unknown), table(), 8192) is None


def test_an_index_of_a_table_without_rows_is_all_room() -> None:
    bloat = estimate(index(rows=0.0, known=0), table(rows=0.0, live=0), 8192)
    assert bloat is not None
    assert (round(bloat.share, 2), bloat.confidence) == (1.0, "medium")
    assert estimate(index(rows=0.0, known=0), table(rows=0.0, live=5000), 8192) is None


def test_few_keys_may_share_entries_but_a_count_from_a_sample_is_not_believed() -> None:
    """A million rows with 1,000 keys in 7 MB are full; with 300,000 keys they would take 20 MB."""
    shared = {"unique": False, "bytes": 7 * MIB}
    assert share(distinct=1000.0, **shared) < 0.15
    assert share(distinct=None, **shared) == 0
    assert share(unique=False, bytes=11 * MIB, distinct=30_000.0) < 0.3


def share(**facts: Any) -> float:
    bloat = estimate(index(**facts), table(), 8192)
    assert bloat
    return bloat.share


def test_what_pgstatindex_says() -> None:
    assert measured((100 * 8192, 99, 98, 45.0), 90, 8192).share == pytest.approx(0.5, abs=0.01)
    assert measured((8192, 0, 0, float("nan")), 90, 8192).share == 0


def test_the_size_of_a_full_heap() -> None:
    """Two bigints take 44 bytes with header and line pointer: 185 rows on a page (pageinspect)."""
    row = {"columns": 2, "width": 16.0, "nulls": 0.0, "fillfactor": None}
    assert heap_size(row, 185 * 1000, 8192) == 1000 * 8192
    assert heap_size({**row, "fillfactor": 50}, 185 * 1000, 8192) == pytest.approx(
        2 * 1000 * 8192, rel=0.01
    )
