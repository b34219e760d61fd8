# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Bloated and invalid indexes of a database. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from ...core.check import UNKNOWN, Check
from ...core.errors import NotCollected
from ...core.thresholds import Thresholds
from ...core.units import format_value, pluralize
from ..bloat import INDEX_SIZE, Row
from ..health.snapshot import Statements
from ..relations import LEFTOVER, Inventory
from ..verdicts import unknown
from .common import evidence_of, unless_unknown
from .index_use import IndexUse
from .missing_indexes import missing_indexes
from .redundant_indexes import duplicate_indexes
from .snapshot import DatabaseSnapshot
from .unused_indexes import unused_indexes

BLOAT = "postgres.index_bloat"
INVALID = "postgres.invalid_indexes"
NAMES = (
    BLOAT,
    INVALID,
    "postgres.unused_indexes",
    "postgres.duplicate_indexes",
    "postgres.missing_indexes",
)


def indexes(
    snapshot: DatabaseSnapshot,
    subject: str,
    thresholds: Thresholds,
    statements: Statements | NotCollected,
    unused_after: float,
) -> Iterator[Check]:
    """Bloated, invalid, unused, duplicate and missing indexes.

    ``unused_after`` are the days without a scan after which an index is unused.
    """
    inventory, usage = snapshot.inventory, snapshot.usage
    if isinstance(inventory, NotCollected):
        yield from _unknown(inventory, subject, thresholds)
        return
    if isinstance(usage, NotCollected):
        yield from _unknown(usage, subject, thresholds)
        return
    use = IndexUse(inventory, usage)
    yield _bloat(inventory, subject, thresholds)
    yield _invalid(inventory, subject, thresholds)
    yield unused_indexes(use, snapshot.last_run, subject, thresholds, unused_after)
    yield duplicate_indexes(use, subject, thresholds)
    yield missing_indexes(use, snapshot.last_run, subject, thresholds, statements)


def _unknown(error: NotCollected, subject: str, thresholds: Thresholds) -> Iterator[Check]:
    for name in NAMES:
        yield unknown(name, error, thresholds, subject)


def _bloat(inventory: Inventory, subject: str, thresholds: Thresholds) -> Check:
    rows, not_judged = [], []
    for index in inventory.own_indexes:
        if index["bytes"] < INDEX_SIZE or index["method"] != "btree" or not index["valid"]:
            continue
        bloat = inventory.bloat(index)
        if bloat is None:
            not_judged.append(index["quoted"])
        elif bloat.is_worth_rebuilding(index["bytes"]):
            if bloat.confidence == "low":
                not_judged.append(index["quoted"])
                continue
            wasted = int(bloat.share * index["bytes"])
            row = {"index": index["quoted"], "wasted_bytes": wasted, "bytes": index["bytes"]}
            rows.append({**row, "method": bloat.method, "confidence": bloat.confidence})
    rows.sort(key=lambda row: -row["wasted_bytes"])
    total = sum(row["wasted_bytes"] for row in rows)
    summary = "No large B-tree index is worth a rebuild"
    if rows:
        count, largest = pluralize(len(rows), "index", "indexes"), rows[0]
        share = 100 * largest["wasted_bytes"] / largest["bytes"]
        summary = f"{format_value(total, 'bytes')} are empty in {count}, "
        summary += f"{share:.0f} % of {largest['index']} ({largest['method']})"
    check = thresholds.evaluate(BLOAT, total, summary, **evidence_of(subject, rows))
    return unless_unknown(check, not_judged, "index", inventory, thresholds)


def _invalid(inventory: Inventory, subject: str, thresholds: Thresholds) -> Check:
    """Indexes whose build was interrupted.

    An index of a partitioned table is invalid until every partition has its own, which may be on
    purpose; and a lock on the table may belong to a session that builds or drops the index.
    """
    bad = [index for index in inventory.indexes if not index["valid"] and not index["building"]]
    partitioned = [index for index in bad if index["partitioned"]]
    single = [index for index in bad if not index["partitioned"]]
    locked = [index for index in single if index["contended"]]
    broken = [index for index in single if not index["contended"]]
    more = evidence_of(subject, _invalid_rows([*broken, *locked, *partitioned]))
    incomplete = ""
    if partitioned:
        count = pluralize(len(partitioned), "index", "indexes")
        incomplete = f"{count} of a partitioned table, such as {partitioned[0]['quoted']}: "
        incomplete += "invalid until every partition has its own"
    if broken:
        count = pluralize(len(broken), "invalid index", "invalid indexes")
        summary = f"{count}, such as {broken[0]['quoted']} on {broken[0]['table_name']}"
        if incomplete:
            summary += f"; and {incomplete}"
        return thresholds.evaluate(INVALID, len(broken), summary, **more)
    if locked:
        table, name = locked[0]["table_name"], locked[0]["quoted"]
        summary = f"{name} is invalid, and a session locks {table}, perhaps to build or drop it"
        remedy = "Check again once that session has ended (pg_locks)."
        return thresholds.verdict(INVALID, UNKNOWN, summary, remedy=remedy, **more)
    if partitioned:
        remedy = (
            "Create the index on the partitions that lack it and ALTER INDEX ... ATTACH PARTITION, "
            "or drop it."
        )
        summary = f"All others are valid, but {incomplete}"
        return thresholds.verdict(INVALID, UNKNOWN, summary, remedy=remedy, **more)
    return thresholds.evaluate(INVALID, 0, "All indexes are valid", **more)


def _invalid_rows(indexes: Sequence[Row]) -> list[dict[str, Any]]:
    return [
        {
            "index": index["quoted"],
            "table": index["table_name"],
            "leftover": bool(LEFTOVER.search(index["name"])),
            "bytes": index["bytes"],
        }
        for index in indexes
    ]
