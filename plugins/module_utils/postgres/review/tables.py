# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Sizes of tables, their growth, and their bloat. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ...core.check import Check
from ...core.errors import NotCollected
from ...core.thresholds import Thresholds
from ...core.units import format_value, pluralize
from ..bloat import Row, has_fresh_statistics, heap_size
from ..relations import Inventory
from ..verdicts import unknown
from .common import SHOWN, evidence_of, unless_unknown
from .sequences import sequences
from .snapshot import TABLE_SIZE, TOTAL, DatabaseSnapshot, total_sizes

SIZES = "postgres.table_sizes"
BLOAT = "postgres.table_bloat"
#: Percent of a table that must be empty for a rewrite to be worth it; estimates of a table are off
#: by ten percent and more.
REWRITE_SHARE = 40


def tables(snapshot: DatabaseSnapshot, subject: str, thresholds: Thresholds) -> Iterator[Check]:
    """Sizes and their growth, bloat, and sequences."""
    inventory = snapshot.inventory
    if isinstance(inventory, NotCollected):
        yield unknown(SIZES, inventory, thresholds, subject)
        yield unknown(BLOAT, inventory, thresholds, subject)
    else:
        yield _sizes(snapshot, inventory, subject, thresholds)
        yield _bloat(snapshot, inventory, subject, thresholds)
    yield sequences(snapshot.sequences, subject, thresholds)


def _sizes(
    snapshot: DatabaseSnapshot, inventory: Inventory, subject: str, thresholds: Thresholds
) -> Check:
    sizes = dict(sorted(total_sizes(inventory).items(), key=lambda item: -item[1]))
    last = snapshot.last_run.sizes
    growth: dict[int, float] = {}
    if TOTAL in last:
        growth = {oid: size - last.get(str(oid), 0.0) for oid, size in sizes.items()}
    rows = [_size_row(oid, sizes[oid], growth, inventory) for oid in list(sizes)[:SHOWN]]
    more = evidence_of(subject, rows)
    summary = inventory.summary
    if rows:
        largest = format_value(rows[0]["bytes"], "bytes")
        summary += f"; the largest is {rows[0]['table']} with {largest}"
    if TOTAL not in last:
        reason = "growth is known from the next run on"
        return thresholds.not_judged(SIZES, summary, reason, **more)
    fastest = max(growth, key=lambda oid: growth[oid], default=0)
    if growth and growth[fastest] > 0:
        grown = format_value(growth[fastest], "bytes")
        summary += f"; {inventory.by_oid[fastest]['quoted']} has grown most, by {grown}"
    value = _growth_percent(last[TOTAL], inventory.bytes)
    return thresholds.evaluate(SIZES, value, summary, window=snapshot.last_run.window, **more)


def _size_row(
    oid: int, size: float, growth: Mapping[int, float], inventory: Inventory
) -> dict[str, Any]:
    table = inventory.by_oid[oid]
    return {
        "table": table["quoted"],
        "bytes": int(size),
        "rows": max(0, int(table["rows"])),
        "indexes_bytes": int(inventory.index_bytes.get(oid, 0)),
        "growth_bytes": int(growth[oid]) if oid in growth else None,
    }


def _growth_percent(before: float, now: float) -> float:
    """How much everything has grown; 0 for less than `TABLE_SIZE`, as small data may double."""
    if abs(now - before) < TABLE_SIZE:
        return 0.0
    return round(100 * (now - before) / max(before, TABLE_SIZE), 1)


def _bloat(
    snapshot: DatabaseSnapshot, inventory: Inventory, subject: str, thresholds: Thresholds
) -> Check:
    if isinstance(snapshot.widths, NotCollected):
        return unknown(BLOAT, snapshot.widths, thresholds, subject)
    rows, not_judged = [], []
    for oid, widths in snapshot.widths.items():
        table = inventory.by_oid[oid]
        if not _can_estimate(widths, table):
            not_judged.append(table["quoted"])
            continue
        needed = heap_size(widths, table["rows"], inventory.facts["block"])
        wasted = max(0.0, widths["bytes"] - needed)
        if widths["bytes"] >= TABLE_SIZE and 100 * wasted / widths["bytes"] >= REWRITE_SHARE:
            row = {"table": table["quoted"], "wasted_bytes": int(wasted), "bytes": widths["bytes"]}
            rows.append({**row, "method": "estimated", "confidence": "low"})
    rows.sort(key=lambda row: -row["wasted_bytes"])
    total = sum(row["wasted_bytes"] for row in rows)
    summary = f"No large table is more than {REWRITE_SHARE} % empty, without TOAST"
    if rows:
        count, largest = pluralize(len(rows), "table"), rows[0]
        share = 100 * largest["wasted_bytes"] / largest["bytes"]
        summary = f"{format_value(total, 'bytes')} are empty in {count} (estimated, without TOAST)"
        summary += f", {share:.0f} % of {largest['table']}"
    check = thresholds.evaluate(BLOAT, total, summary, **evidence_of(subject, rows))
    return unless_unknown(check, not_judged, "table", inventory, thresholds)


def _can_estimate(widths: Row, table: Row) -> bool:
    """Whether all columns have statistics that are fresh enough."""
    complete = widths["known"] >= widths["columns"] and table["rows"] >= 0
    return complete and has_fresh_statistics(table)
