# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How much of a table or index is empty space: measured, or estimated from statistics. Pure."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

Row = Mapping[str, Any]

#: Smaller indexes are never worth a rebuild: PgHero and pg_index_watch leave them out, too.
INDEX_SIZE = 10 * 1024 * 1024
#: Share of a table's rows that may have changed since its statistics for an estimate to be trusted.
FRESH = 0.1
#: How many more different values a column may have than ANALYZE extrapolated from its sample.
DISTINCT_MARGIN = 10
#: Percent of an index that must be empty, and bytes, for a rebuild to be worth it.
REBUILD_SHARE, REBUILD_BYTES = 30.0, 10 * 1024 * 1024

# Bytes of a page of a B-tree (access/nbtree.h, access/itup.h, storage/bufpage.h).
PAGE_HEADER, SPECIAL, LINE_POINTER, TUPLE_HEADER, ALIGNMENT, TUPLE_ID = 24, 16, 4, 8, 8, 6
FILLFACTOR = 90
#: Bytes of a row's header in a table (access/htup_details.h).
ROW_HEADER = 24


class Bloat(NamedTuple):
    """How much of an index is empty space, and how that is known."""

    share: float
    """From 0 to 1."""
    method: str
    """``measured`` with pgstatindex, or ``estimated`` from statistics."""
    confidence: str
    """``high``, ``medium``, or ``low`` if the statistics are old."""

    @property
    def words(self) -> str:
        return (
            f"{100 * self.share:.0f} % of it is empty ({self.method}, confidence {self.confidence})"
        )

    def is_worth_rebuilding(
        self, size: float, share: float = REBUILD_SHARE, least: float = REBUILD_BYTES
    ) -> bool:
        """Whether a rebuild frees enough of ``size`` bytes: ``share`` percent, ``least`` bytes."""
        return 100 * self.share >= share and self.share * size >= least


def has_fresh_statistics(table: Row) -> bool:
    """Whether few rows have changed since the table was analyzed."""
    return bool((table["modified"] or 0) <= FRESH * max(table["rows"] or 0, 1000))


def measured(row: Sequence[Any], fillfactor: int, block: int) -> Bloat:
    """Bloat from pgstatindex: size, pages in use, leaf pages, and their density in percent."""
    size, pages, leaves, density = row
    if not size or not leaves or density is None or math.isnan(density):
        return Bloat(0.0, "measured", "high")
    needed = block * (pages - leaves + leaves * min(1.0, density / fillfactor))
    return Bloat(max(0.0, 1 - needed / size), "measured", "high")


def estimate(index: Row, table: Row, block: int) -> Bloat | None:
    """Bloat of a B-tree from the average width of its columns; none if that is unknown."""
    rows = index["rows"]
    eligible = index["method"] == "btree" and index["valid"] and not index["partitioned"]
    if not eligible or not index["bytes"]:
        return None
    stale = (table["modified"] or 0) > FRESH * max(rows or 0, 1000)
    fresh = table["analyzed"] is not None and not stale
    if rows is not None and 0 <= rows < 1 and fresh and not table["live"]:
        # All rows are gone: there are no statistics, and none are needed.
        return Bloat(max(0.0, 1 - 2 * block / index["bytes"]), "estimated", "medium")
    if rows is None or rows < 1 or not index["known"] or index["known"] < index["columns"]:
        return None
    usable = (block - PAGE_HEADER - SPECIAL) * (index["fillfactor"] or FILLFACTOR) / 100
    leaves = math.ceil(_entries_size(index, rows, block) / usable)
    needed = block * (1 + leaves + math.ceil(leaves / 200))  # a metapage, leaves, inner pages
    share = max(0.0, 1 - needed / index["bytes"])
    return Bloat(share, "estimated", "medium" if fresh else "low")


def _entries_size(index: Row, rows: float, block: int) -> float:
    """Bytes of all entries of a B-tree.

    Rows with equal keys share one entry (deduplication, PostgreSQL 13). How many different keys
    several columns have together is unknown; then no sharing is assumed, so that a doubt makes an
    index look less bloated, never more. For the same reason a number of different keys that ANALYZE
    counted in its sample, which is often far too low, counts tenfold.
    """
    bitmap = ALIGNMENT if index["nulls"] else 0
    entry = _aligned(TUPLE_HEADER + bitmap) + _aligned(index["width"]) + LINE_POINTER
    full = float(rows * entry)
    shares = index["columns"] == 1 and index["deduplicates"] and not index["unique"]
    distinct = index["distinct"] if shares else None
    if not distinct:
        return full
    keys = DISTINCT_MARGIN * distinct if distinct > 0 else -distinct * rows
    if rows <= 2 * keys:
        return full
    return min(full, max(keys, rows * TUPLE_ID / (block / 6)) * entry + rows * TUPLE_ID)


def heap_size(columns: Row, rows: float, block: int) -> float:
    """Bytes of a table with so many rows of average width, in pages filled to the fillfactor."""
    bitmap = ALIGNMENT * math.ceil(columns["columns"] / 64) if columns["nulls"] else 0
    row = LINE_POINTER + ROW_HEADER + bitmap + _aligned(columns["width"] or 0)
    usable = (block - PAGE_HEADER) * (columns["fillfactor"] or 100) / 100
    return block * math.ceil(rows / max(1, usable // row))


def _aligned(size: float) -> float:
    return math.ceil(size / ALIGNMENT) * ALIGNMENT
