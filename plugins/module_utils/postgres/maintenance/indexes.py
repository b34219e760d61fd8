# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which indexes to rebuild, which leftovers to drop, and why. Pure."""

from __future__ import annotations

import math
from dataclasses import replace

from ...core.units import format_value
from ..bloat import INDEX_SIZE, Bloat, Row
from ..relations import LEFTOVER, Inventory
from .options import Options
from .step import Step


def index_steps(index: Row, inventory: Inventory, options: Options) -> list[Step]:
    """Whether to rebuild an index, or to drop what an interrupted rebuild left behind."""
    table = inventory.by_oid.get(index["table"])
    table_bytes = table["bytes"] if table else 0
    step = Step(
        "reindex",
        index["table"],
        index["quoted"],
        "",
        relation=index["oid"],
        work=index["bytes"] + table_bytes,
        space=2 * index["bytes"],
        tablespace=index["tablespace"] or inventory.facts["tablespace"],
    )
    if not index["valid"]:
        return _invalid(index, replace(step, space=max(step.space, int(table_bytes))), inventory)
    bloat = inventory.bloat(index)
    if bloat is not None:
        return _bloated(index, bloat, step, options)
    if table and table["analyzed"] is None and _large_btree(index, options):
        reason = "its table was never analyzed: it is rebuilt if statistics show that it is bloated"
        rank = index["bytes"] * options.bloat_share / 100
        return [replace(step, reason=reason, rank=rank, unsure=True)]
    return []


def is_worth_rebuilding(bloat: Bloat, size: float, options: Options) -> bool:
    """Whether a rebuild frees enough of an index of ``size`` bytes."""
    return bloat.is_worth_rebuilding(size, options.bloat_share, options.bloat_bytes)


def without_estimate(inventory: Inventory, options: Options) -> list[str]:
    """Large B-trees whose bloat cannot be estimated, if rebuilds are enabled at all."""
    if "reindex" not in options.operations:
        return []
    found = []
    for index in inventory.indexes:
        table = inventory.by_oid.get(index["table"])
        if not table or table["analyzed"] is None or not index["valid"]:
            continue
        selected = _large_btree(index, options) and options.selects(*inventory.line(index))
        if selected and inventory.bloat(index) is None:
            found.append(index["quoted"])
    return found


def _large_btree(index: Row, options: Options) -> bool:
    return index["method"] == "btree" and index["bytes"] >= max(INDEX_SIZE, options.bloat_bytes)


def _bloated(index: Row, bloat: Bloat, step: Step, options: Options) -> list[Step]:
    if not is_worth_rebuilding(bloat, index["bytes"], options):
        return []
    freed = bloat.share * index["bytes"]
    skip = ""
    if index["exclusion"]:
        skip = "the index of an exclusion constraint cannot be rebuilt while it is in use"
    return [
        replace(
            step,
            reason=f"{bloat.words}, a rebuild frees {format_value(freed, 'bytes')}",
            rank=freed,
            unsure=bloat.confidence == "low",
            skip=skip,
        )
    ]


def _invalid(index: Row, step: Step, inventory: Inventory) -> list[Step]:
    # The index of a partitioned table is invalid until every partition has its own.
    if index["building"] or index["partitioned"]:
        return []
    cleanup = replace(step, operation="cleanup", work=0, space=0)
    if LEFTOVER.search(index["name"]):
        return [_leftover(index, cleanup, inventory)]
    if not index["live"]:
        reason = "left behind by an interrupted DROP INDEX CONCURRENTLY"
        return [replace(cleanup, reason=reason)]
    if index["twin"]:
        skip = f"{index['twin']} is valid and has the same definition: drop this one"
        return [replace(step, reason="invalid", skip=skip)]
    reason = "invalid, its build failed: every write pays for it and no query uses it"
    return [replace(step, reason=reason, rank=math.inf)]


def _leftover(index: Row, cleanup: Step, inventory: Inventory) -> Step:
    reason = "left behind by an interrupted rebuild"
    original = index["twin"] or _index_named(
        LEFTOVER.sub("", index["name"]), index["table"], inventory
    )
    if original:
        return replace(cleanup, reason=f"{reason} of {original}")
    skip = "no matching index exists: check whether it is needed, then rebuild or drop it"
    return replace(cleanup, reason=reason, skip=skip)


def _index_named(name: str, table: int, inventory: Inventory) -> str:
    """The index of that name on the table, quoted; empty if there is none."""
    for index in inventory.indexes:
        if (index["table"], index["name"]) == (table, name):
            return str(index["quoted"])
    return ""
