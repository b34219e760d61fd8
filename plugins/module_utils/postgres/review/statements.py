# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Slow statements, rollbacks and temporary files. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ...core.check import Check
from ...core.errors import NotCollected
from ...core.state import Delta
from ...core.text import shorten
from ...core.thresholds import Thresholds
from ...core.units import format_value, pluralize
from ..bloat import Row
from ..health.collect_statements import MIN_CALLS
from ..health.snapshot import Databases, Statements
from ..statements import shape
from ..verdicts import unknown
from .common import DAY, SHOWN, needs_pg_monitor

#: Statements whose text is fetched.
STATEMENTS = 50
#: Fewer transactions say nothing about the share of rollbacks.
MIN_TRANSACTIONS = 1000
#: Seconds from which a statement is slow, if the operator has switched off the mean's threshold.
SLOW = 0.1


def slow_statements(
    statements: Statements | NotCollected, facts: Row, thresholds: Thresholds
) -> Check:
    """Statements that are slow on average in the window, among those with the most time."""
    name = "postgres.slow_statements"
    slow = thresholds.of("postgres.query_time_mean").critical or SLOW
    if isinstance(statements, NotCollected):
        return unknown(name, statements, thresholds)
    # Hidden statements are one row for each user, whose mean says nothing about any statement.
    judged = [
        row
        for row in statements.top
        if row["calls"] >= MIN_CALLS and (row["statement"] or facts["sees_all"])
    ]
    found = [row for row in judged if row["seconds"] / row["calls"] > slow]
    limit, window = format_value(slow, "seconds"), statements.window
    if not found:
        if not facts["sees_all"]:
            error = needs_pg_monitor(facts, "sees the statements of other users only as a whole")
            return unknown(name, error, thresholds)
        most = f"{pluralize(len(judged), 'statement')} with the most time and {MIN_CALLS} calls"
        summary = f"Of the {most} or more, none takes longer than {limit}"
        return thresholds.evaluate(name, 0, summary, window=window)
    evidence = [_slow_row(row, statements.seconds) for row in found]
    first = evidence[0]
    mean, share = format_value(first["mean_seconds"], "seconds"), first["share_percent"]
    summary = f"{pluralize(len(found), 'statement')} over {limit}; this one takes {mean} and "
    summary += f"{share:.0f} % of all time: {shorten(first['statement'], 70)}"
    return thresholds.evaluate(
        name, len(found), summary, window=window, evidence=tuple(evidence[:SHOWN])
    )


def _slow_row(row: Row, total: float) -> dict[str, Any]:
    return {
        "statement": shape(row["statement"] or "") or "(hidden)",
        "calls": int(row["calls"]),
        "mean_seconds": round(row["seconds"] / row["calls"], 6),
        "share_percent": round(100 * row["seconds"] / total, 1) if total else 0.0,
        "user": row["user"],
        "database": row["database"],
    }


def transactions(databases: Databases | NotCollected, thresholds: Thresholds) -> Iterator[Check]:
    """Transactions that were rolled back, and temporary files, over all databases."""
    if isinstance(databases, NotCollected):
        yield unknown("postgres.rollbacks", databases, thresholds)
        yield unknown("postgres.temp_files", databases, thresholds)
        return
    yield _rollbacks(databases.rows, databases.recent, thresholds)
    yield _temp_files(databases.rows, databases.recent, thresholds)


def _rollbacks(rows: Any, delta: Delta, thresholds: Thresholds) -> Check:
    name, rolled_back = "postgres.rollbacks", delta.counters["rollbacks"]
    total = rolled_back + delta.counters["commits"]
    if total < MIN_TRANSACTIONS:
        share = round(100 * rolled_back / total, 2) if total else None
        summary = f"{rolled_back:,.0f} of {pluralize(int(total), 'transaction')} were rolled back"
        reason = f"needs at least {MIN_TRANSACTIONS:,} transactions in one window"
        return thresholds.not_judged(name, summary, reason, value=share, window=delta.window)
    evidence = [
        {
            "database": row["name"],
            "rollbacks_since_reset": row["rollbacks"],
            "commits_since_reset": row["commits"],
        }
        for row in sorted(rows, key=lambda row: -(row["rollbacks"] or 0))
    ]
    return thresholds.evaluate(
        name,
        round(100 * rolled_back / total, 2),
        f"{rolled_back:,.0f} of {total:,.0f} transactions were rolled back",
        window=delta.window,
        evidence=tuple(evidence[:SHOWN]),
    )


def _temp_files(rows: Any, delta: Delta, thresholds: Thresholds) -> Check:
    name, written = "postgres.temp_files", delta.counters["spilled"]
    if not delta.seconds:
        amount = format_value(written, "bytes")
        summary = f"{amount} were written to temporary files {delta.window}"
        reason = "the daily amount is known from the next run on"
        return thresholds.not_judged(name, summary, reason, window=delta.window)
    daily = written / max(1.0, delta.seconds / DAY)  # less than a day counts as one
    evidence = [
        {"database": row["name"], "bytes_since_reset": row["spilled"]}
        for row in sorted(rows, key=lambda row: -(row["spilled"] or 0))
        if row["spilled"]
    ]
    return thresholds.evaluate(
        name,
        round(daily),
        f"{format_value(daily, 'bytes')} a day were written to temporary files",
        window=delta.window,
        evidence=tuple(evidence[:SHOWN]),
    )
