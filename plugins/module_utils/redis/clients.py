# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Verdicts on client connections."""

from __future__ import annotations

from ..core.check import Check
from ..core.thresholds import Thresholds
from ..core.units import format_value, pluralize
from .counters import count_and_window
from .options import Options
from .snapshot import Snapshot


def assess_clients(snapshot: Snapshot, options: Options, thresholds: Thresholds) -> Check:
    """``redis.clients``: connected clients, of maxclients."""
    connected, maximum = snapshot.info["connected_clients"], snapshot.info["maxclients"]
    blocked = snapshot.info.get("blocked_clients", 0)
    summary = f"{format_value(connected)} of {format_value(maximum)} client connections in use"
    if blocked:
        summary += f", {format_value(blocked)} waiting in a blocking command"
    percent = round(100 * connected / maximum, 1)
    return thresholds.evaluate("redis.clients", percent, summary, evidence=snapshot.clients)


def assess_rejected_connections(
    snapshot: Snapshot, options: Options, thresholds: Thresholds
) -> Check:
    """``redis.rejected_connections`` since the last run."""
    count, window = count_and_window(snapshot, "rejected_connections")
    connections = pluralize(count, "connection") if count else "No connections"
    return thresholds.evaluate(
        "redis.rejected_connections",
        count,
        f"{connections} rejected because maxclients was reached",
        window=window,
    )
