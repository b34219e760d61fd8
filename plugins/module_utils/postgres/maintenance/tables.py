# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which tables to vacuum, freeze and analyze, and why. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from ..autovacuum import (
    dead_rows,
    inserted_rows,
    outdated_statistics,
    setting,
    vacuum_threshold,
    with_partitions,
)
from ..relations import Inventory, Row
from ..xmin_horizon import describe_holder, still_held
from .options import Options
from .step import Step

#: Pages that ANALYZE reads: 300 for each unit of default_statistics_target, which is usually 100.
SAMPLED_PAGES = 300 * 100
#: Fewer dead rows are not worth a vacuum that autovacuum would not start itself
#: (awesome-prometheus-alerts: 10 % and 10,000).
MIN_DEAD_ROWS = 10_000


def vacuum_steps(table: Row, inventory: Inventory, options: Options) -> list[Step]:
    """At most one vacuum of a table: against wraparound, for dead rows, or for inserted rows."""
    size = table["bytes"] + inventory.index_bytes.get(table["oid"], 0.0)
    step = Step("vacuum", table["oid"], table["quoted"], "", work=size)
    return (
        _freeze(step, table, inventory)
        or _remove_dead_rows(step, table, inventory, options)
        or _after_inserts(step, table, inventory)
    )


def analyze_steps(
    tables: Sequence[Row], inventory: Inventory, for_estimates: set[int]
) -> list[Step]:
    """Which tables to analyze; ``for_estimates`` are those whose indexes need fresh statistics.

    A partitioned table, which autovacuum never analyzes, stands for its partitions.
    """
    found = []
    for table, parts in with_partitions(tables):
        found += _analyze(table, parts, inventory, table["oid"] in for_estimates)
    analyzed = {step.table for step in found}
    return [
        step
        for step in found
        if not analyzed.intersection(inventory.by_oid[step.table]["parents"] or ())
    ]


def _freeze(step: Step, table: Row, inventory: Inventory) -> list[Step]:
    for key, name, what in (
        ("xid_age", "vacuum_freeze_table_age", "transaction"),
        ("mxid_age", "vacuum_multixact_freeze_table_age", "multixact"),
    ):
        age, limit = table[key] or 0, setting(table, inventory, name, 150_000_000)
        if age <= limit:
            continue
        holders = [holder for holder in inventory.holders if holder["age"] > limit]
        skip = f"{describe_holder(holders[0])} holds back freezing" if holders else ""
        reason = f"its oldest {what} ID is {age:,} IDs old, beyond {name} ({limit:,.0f})"
        return [replace(step, operation="freeze", reason=reason, rank=age, skip=skip)]
    return []


def _remove_dead_rows(step: Step, table: Row, inventory: Inventory, options: Options) -> list[Step]:
    dead = table["dead"] or 0
    share, reason = dead_rows(table)
    many = share >= options.dead_share and dead > MIN_DEAD_ROWS
    if not many and dead <= vacuum_threshold(table, inventory):
        return []
    rank = table["bytes"] * share / 100
    skip = still_held(table["vacuumed"], inventory.holders, inventory.facts["now"])
    return [replace(step, reason=reason, rank=rank, skip=skip)]


def _after_inserts(step: Step, table: Row, inventory: Inventory) -> list[Step]:
    reason = inserted_rows(table, inventory)
    return [replace(step, reason=reason)] if reason else []


def _analyze(
    table: Row, parts: Sequence[Row], inventory: Inventory, for_estimates: bool
) -> list[Step]:
    """At most one ANALYZE of a table; ``parts`` are its partitions, or the table itself."""
    size = sum(part["bytes"] for part in parts)
    modified = sum(part["modified"] or 0 for part in parts)
    sampled = min(size, SAMPLED_PAGES * inventory.facts["block"])
    sampled *= 2 if table["partitioned"] else 1
    reason = outdated_statistics(table, parts, inventory)
    if not reason and for_estimates:
        reason = "its statistics are too old to estimate index bloat"
    if not reason:
        return []
    return [Step("analyze", table["oid"], table["quoted"], reason, work=sampled, rank=modified)]
