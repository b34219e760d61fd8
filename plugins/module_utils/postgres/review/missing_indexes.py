# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Large tables with many sequential scans, which may lack an index. Pure."""

from __future__ import annotations

import re
import time
from collections.abc import Mapping
from typing import Any

from ...core.check import Check
from ...core.errors import NotCollected
from ...core.state import interval, now_sample
from ...core.text import shorten
from ...core.thresholds import Thresholds
from ...core.units import pluralize
from ..bloat import Row
from ..health.snapshot import Statements
from ..statements import shape
from ..verdicts import unknown
from .common import DAY, NO_COUNTERS, counted_since, evidence_of
from .index_use import IndexUse
from .snapshot import TABLE_SIZE, LastRun, Usage, table_scans

NAME = "postgres.missing_indexes"
#: Sequential scans in the window, and for each of its days, below which a table is not judged.
MIN_SCANS = 50
#: Rows of a sequential scan from which it is long (runbook).
ROWS_PER_SCAN = 10_000
#: Percent of reads by an index below which one may be missing (PgHero).
INDEX_SHARE = 95


def missing_indexes(
    use: IndexUse,
    last_run: LastRun,
    subject: str,
    thresholds: Thresholds,
    statements: Statements | NotCollected,
) -> Check:
    """Judged since the last run, or since statistics began."""
    if not use.usage.track_counts:
        return unknown(NAME, NO_COUNTERS, thresholds, subject)
    now = use.inventory.facts["now"]
    window, days = _window(use.usage, last_run, now)
    rows = []
    for table in use.inventory.tables:
        if table["partitioned"] or table["bytes"] < TABLE_SIZE:
            continue
        counted = _counted(use.usage, last_run, table["oid"])
        if counted is not None and _lacks_index(counted, days or 0.0):
            statement = _statement_on(table["name"], use.inventory.database, statements)
            rows.append(_row(table, counted, statement))
    rows.sort(key=lambda row: -row["scans"] * row["rows_per_scan"])
    more = evidence_of(subject, rows)
    if not rows:
        summary = "No large table has many sequential scans"
        return thresholds.evaluate(NAME, 0, summary, window=window, **more)
    summary = _summary(rows)
    if days is None:
        reason = "over an unknown span of time; the next run compares with this one"
        return thresholds.not_judged(NAME, summary, reason, value=len(rows), **more)
    return thresholds.evaluate(NAME, len(rows), summary, window=window, **more)


def _window(usage: Usage, last_run: LastRun, now: float) -> tuple[str, float | None]:
    """The span over which scans are counted, and its days, if known."""
    if last_run.scans:
        days = (time.time() - last_run.scans.time) / DAY
        return interval(last_run.scans, now_sample("", {})), days
    since = usage.since
    return counted_since(usage, now), None if since is None else (now - since) / DAY


def _counted(usage: Usage, last_run: LastRun, oid: int) -> dict[str, float] | None:
    """How a table was used in the window; none if the last run did not know the table."""
    now = table_scans(usage, oid)
    if last_run.scans is None:
        return {key: float(value) for key, value in now.items()}
    then = last_run.scans.counters
    if f"scans {oid}" not in then:
        return None
    return {key: max(0.0, value - then.get(f"{key} {oid}", 0.0)) for key, value in now.items()}


def _lacks_index(counted: Mapping[str, float], days: float) -> bool:
    """Whether there are many long sequential scans, in all and for each day.

    A table that is written more than it is read would pay more for an index than it gains.
    """
    few = counted["scans"] < MIN_SCANS * max(1.0, days)
    if few or counted["read"] / counted["scans"] < ROWS_PER_SCAN:
        return False
    return counted["writes"] <= counted["read"] and _index_share(counted) < INDEX_SHARE


def _index_share(counted: Mapping[str, float]) -> float:
    return 100 * counted["indexed"] / (counted["indexed"] + counted["scans"])


def _row(table: Row, counted: Mapping[str, float], statement: str) -> dict[str, Any]:
    return {
        "table": table["quoted"],
        "scans": int(counted["scans"]),
        "rows_per_scan": int(counted["read"] / counted["scans"]),
        "index_share_percent": round(_index_share(counted), 1),
        "writes": int(counted["writes"]),
        "bytes": table["bytes"],
        "statement": statement,
    }


def _summary(rows: list[dict[str, Any]]) -> str:
    tables, first = pluralize(len(rows), "table lacks", "tables lack"), rows[0]
    summary = f"Perhaps {tables} an index: {first['table']} had {first['scans']:,} sequential scans"
    summary += f" of {first['rows_per_scan']:,} rows each"
    if first["statement"]:
        summary += f", as by: {shorten(first['statement'], 70)}"
    return summary


def _statement_on(table: str, database: str, statements: Statements | NotCollected) -> str:
    """The statement with the most time that names a table after FROM, JOIN or UPDATE."""
    if isinstance(statements, NotCollected):
        return ""
    name = re.compile(
        rf'\b(?:from|join|update)\s+(?:only\s+)?(?:"?[\w$]+"?\.)?"?{re.escape(table)}"?(?![\w$])',
        re.IGNORECASE,
    )
    for row in statements.top:
        text = row["statement"]
        if text and row["database"] == database and name.search(text):
            return shape(text)
    return ""
