# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which tables to vacuum, freeze and analyze, and why. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from ...core.units import format_duration
from ..relations import Inventory, Row
from .options import Options
from .step import Step

#: ANALYZE reads this many pages for each unit of default_statistics_target, which is 100 by default.
SAMPLED_PAGES = 300 * 100
#: Fewer dead rows are not worth a vacuum that autovacuum would not start itself
#: (awesome-prometheus-alerts: 10 % and 10,000).
MIN_DEAD_ROWS = 10_000
#: Seconds after a vacuum within which a slot or standby, whose age in time is unknown, explains
#: why dead rows stayed.
HOUR = 3600
WEEK = 7 * 86400


def setting(table: Row, inventory: Inventory, name: str, fallback: float) -> float:
    """A parameter of autovacuum: the table's own, or the server's."""
    for values in (table["options"] or {}, inventory.facts["settings"] or {}):
        if name in values:
            return float(values[name])
    return fallback


def vacuum_threshold(table: Row, inventory: Inventory) -> float:
    """Dead rows beyond which autovacuum would start."""
    most = setting(table, inventory, "autovacuum_vacuum_max_threshold", -1)
    threshold = _scaled(table, inventory, "autovacuum_vacuum", 50, 0.2)
    return min(threshold, most) if most >= 0 else threshold


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
    leaves: dict[int, list[Row]] = {}
    for table in tables:
        for parent in table["parents"] or ():
            leaves.setdefault(parent, []).append(table)
    found = []
    for table in tables:
        parts = [table]
        if table["partitioned"]:
            parts = [leaf for leaf in leaves.get(table["oid"], []) if not leaf["partitioned"]]
        found += _analyze(table, parts, inventory, table["oid"] in for_estimates)
    analyzed = {step.table for step in found}
    return [
        step
        for step in found
        if not analyzed.intersection(inventory.by_oid[step.table]["parents"] or ())
    ]


def describe_holder(holder: Row) -> str:
    """Who holds back vacuum: ``session pid 7 (report), open for 2 h``."""
    text = f"{holder['kind']} {holder['whose']}"
    if holder["seconds"] is None:
        return text
    return f"{text}, open for {format_duration(holder['seconds'])}"


def _scaled(
    table: Row, inventory: Inventory, name: str, threshold: float, scale_factor: float
) -> float:
    """Rows from which autovacuum acts: a threshold, and a share of the table's rows."""
    base = setting(table, inventory, f"{name}_threshold", threshold)
    share = setting(table, inventory, f"{name}_scale_factor", scale_factor)
    return base + share * max(0.0, table["rows"])


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
    dead, live = table["dead"] or 0, max(table["live"] or 0, 0)
    share = 100 * dead / (dead + live) if dead else 0.0
    many = share >= options.dead_share and dead > MIN_DEAD_ROWS
    if not many and dead <= vacuum_threshold(table, inventory):
        return []
    reason = f"{dead:,} dead rows, {share:.0f} % of all"
    rank = table["bytes"] * share / 100
    return [replace(step, reason=reason, rank=rank, skip=_still_held(table, inventory))]


def _after_inserts(step: Step, table: Row, inventory: Inventory) -> list[Step]:
    inserted = table["inserted"] or 0
    enabled = setting(table, inventory, "autovacuum_vacuum_insert_threshold", 1000) >= 0
    if not enabled or inserted <= _scaled(table, inventory, "autovacuum_vacuum_insert", 1000, 0.2):
        return []
    reason = (
        f"{inserted:,} rows inserted since the last vacuum are not yet frozen or marked all-visible"
    )
    return [replace(step, reason=reason)]


def _still_held(table: Row, inventory: Inventory) -> str:
    """Why another vacuum would remove nothing: what held the rows during the last one still does."""
    if table["vacuumed"] is None:
        return ""
    ago = inventory.facts["now"] - table["vacuumed"]
    for holder in inventory.holders:
        if _held_during(holder, ago):
            vacuum = f"the vacuum {format_duration(max(0.0, ago))} ago"
            holder_text = describe_holder(holder)
            return f"{vacuum} could not remove them because of {holder_text}, which is still there"
    return ""


def _held_during(holder: Row, ago: float) -> bool:
    """Whether a holder was there during a vacuum that many seconds ago."""
    if holder["seconds"] is None:
        return bool(ago < HOUR and holder["age"] > MIN_DEAD_ROWS)
    return bool(ago < holder["seconds"])


def _analyze(
    table: Row, parts: Sequence[Row], inventory: Inventory, for_estimates: bool
) -> list[Step]:
    """At most one ANALYZE of a table; ``parts`` are its partitions, or the table itself."""
    size = sum(part["bytes"] for part in parts)
    modified = sum(part["modified"] or 0 for part in parts)
    sampled = min(size, SAMPLED_PAGES * inventory.facts["block"])
    sampled *= 2 if table["partitioned"] else 1
    reason = _analyze_reason(table, parts, inventory, for_estimates)
    if not reason:
        return []
    return [Step("analyze", table["oid"], table["quoted"], reason, work=sampled, rank=modified)]


def _analyze_reason(
    table: Row, parts: Sequence[Row], inventory: Inventory, for_estimates: bool
) -> str:
    rows = sum(max(0.0, part["rows"]) for part in parts)
    modified = sum(part["modified"] or 0 for part in parts)
    threshold = _scaled({**table, "rows": rows}, inventory, "autovacuum_analyze", 50, 0.1)
    latest = max((part["analyzed"] or 0 for part in parts), default=0)
    if table["rows"] < 0 and any(part["bytes"] for part in parts):
        return "never analyzed"
    if modified > threshold:
        since = "since it was analyzed" if latest else "and it is unknown when it was analyzed"
        return f"{modified:,} rows changed {since}"
    if table["partitioned"] and table["analyzed"] and latest > table["analyzed"] + WEEK:
        return "its partitions have been analyzed since, but not the table as a whole"
    if for_estimates:
        return "its statistics are too old to estimate index bloat"
    return ""
