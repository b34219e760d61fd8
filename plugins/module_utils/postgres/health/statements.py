# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How long statements take. Pure."""

from __future__ import annotations

from typing import Any

from ...core.check import Check
from ...core.text import shorten
from ...core.thresholds import Thresholds
from ...core.units import format_value
from ..statements import shape
from .collect_statements import MIN_CALLS, REPEATED, SHOWN
from .snapshot import Row, Statements

#: Percent of all time from which a statement is named in the summary.
WORTH_NAMING = 10


def query_time_mean(statements: Statements, facts: Row, thresholds: Thresholds) -> Check:
    name, calls, window = "postgres.query_time_mean", statements.calls, statements.window
    if calls < MIN_CALLS:
        summary = f"{calls:,.0f} calls of repeated queries" if calls else "No repeated queries"
        reason = (
            f"needs {MIN_CALLS} calls of queries that were called at least {REPEATED} times each"
        )
        return thresholds.not_judged(name, summary, reason, window=window)
    mean = statements.seconds / calls
    average = format_value(mean, "seconds")
    summary = f"A statement takes {average} on average ({calls:,.0f} calls)"
    judged = [row for row in statements.top if row["calls"] >= REPEATED][:SHOWN]
    evidence = [_row(row, statements.seconds, facts) for row in judged]
    if evidence and evidence[0]["share_percent"] >= WORTH_NAMING:
        share, text = evidence[0]["share_percent"], shorten(evidence[0]["statement"], 70)
        summary += f"; {share:.0f} % of the time goes to: {text}"
    return thresholds.evaluate(
        name, round(mean, 6), summary, window=window, evidence=tuple(evidence)
    )


def _row(row: Row, seconds: float, facts: Row) -> dict[str, Any]:
    text = shape(row["statement"]) if row["statement"] else ""
    if not text or text == "<insufficient privilege>":
        text = f"(hidden from role '{facts['role']}': GRANT pg_monitor shows it)"
    return {
        "statement": text,
        "calls": int(row["calls"]),
        "mean_seconds": round(row["seconds"] / row["calls"], 6),
        "total_seconds": round(row["seconds"], 3),
        "share_percent": round(100 * row["seconds"] / seconds, 1) if seconds else 0.0,
        "user": row["user"],
        "database": row["database"],
    }
