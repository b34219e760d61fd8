# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which tables need a vacuum or an analyze by autovacuum's own formula. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from .relations import Inventory, Row

WEEK = 7 * 86400


def setting(table: Row, inventory: Inventory, name: str, fallback: float) -> float:
    """A parameter of autovacuum: the table's own, or the server's."""
    for values in (table["options"] or {}, inventory.facts["settings"] or {}):
        if name in values:
            return float(values[name])
    return fallback


def vacuum_threshold(table: Row, inventory: Inventory) -> float:
    """Dead rows beyond which autovacuum starts."""
    most = setting(table, inventory, "autovacuum_vacuum_max_threshold", -1)
    threshold = _scaled(table, inventory, "autovacuum_vacuum", 50, 0.2)
    return min(threshold, most) if most >= 0 else threshold


def dead_rows(table: Row) -> tuple[float, str]:
    """Percent of a table's rows that are dead, and a phrase that says so."""
    dead, live = table["dead"] or 0, max(table["live"] or 0, 0)
    share = 100 * dead / (dead + live) if dead else 0.0
    return share, f"{dead:,} dead rows, {share:.0f} % of all"


def inserted_rows(table: Row, inventory: Inventory) -> str:
    """Why inserted rows call for a vacuum; empty if they do not."""
    inserted = table["inserted"] or 0
    enabled = setting(table, inventory, "autovacuum_vacuum_insert_threshold", 1000) >= 0
    if not enabled or inserted <= _scaled(table, inventory, "autovacuum_vacuum_insert", 1000, 0.2):
        return ""
    return (
        f"{inserted:,} rows inserted since the last vacuum are not yet frozen or marked all-visible"
    )


def with_partitions(tables: Sequence[Row]) -> list[tuple[Row, list[Row]]]:
    """Each table with the tables whose rows count as its own: its leaf partitions, or itself."""
    leaves: dict[int, list[Row]] = {}
    for table in tables:
        for parent in table["parents"] or ():
            leaves.setdefault(parent, []).append(table)
    found = []
    for table in tables:
        parts = [table]
        if table["partitioned"]:
            parts = [leaf for leaf in leaves.get(table["oid"], []) if not leaf["partitioned"]]
        found.append((table, parts))
    return found


def outdated_statistics(table: Row, parts: Sequence[Row], inventory: Inventory) -> str:
    """Why a table needs an ANALYZE; empty if it does not. ``parts`` come from `with_partitions`."""
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
    return ""


def _scaled(
    table: Row, inventory: Inventory, name: str, threshold: float, scale_factor: float
) -> float:
    """Rows from which autovacuum acts: a threshold, and a share of the table's rows."""
    base = setting(table, inventory, f"{name}_threshold", threshold)
    share = setting(table, inventory, f"{name}_scale_factor", scale_factor)
    return base + share * max(0.0, table["rows"])
