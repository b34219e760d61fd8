# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Verdicts on client connections."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ..core.check import STATUSES, WARNING, Check
from ..core.text import redact, shorten
from ..core.thresholds import Thresholds
from ..core.units import format_duration, format_value, pluralize
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
    if "CLIENT LIST" in snapshot.refused:
        summary += f"; by whom is not known: {snapshot.why('CLIENT LIST')}"
    percent = round(100 * connected / maximum, 1)
    check = thresholds.evaluate("redis.clients", percent, summary, evidence=snapshot.clients)
    if not snapshot.monitors:
        return check
    return thresholds.verdict(
        "redis.clients",
        max(check.status, WARNING, key=STATUSES.index),
        f"{summary}; {pluralize(snapshot.monitors, 'client')} with MONITOR, which slows down "
        "every command",
        value=percent,
        remedy="End it: 'CLIENT LIST' shows it with the flag O, 'CLIENT KILL ID …' ends it.",
        evidence=snapshot.clients,
    )


def group_clients(clients: Sequence[Mapping[str, str]]) -> list[dict[str, Any]]:
    """Connections by address, name and user, the most first; never their commands."""
    groups: dict[tuple[str, str, str], list[Mapping[str, str]]] = {}
    for each in clients:
        address = each.get("addr", "").rpartition(":")[0]
        name = shorten(redact(each.get("name", "")), 40)
        groups.setdefault((address, name, each.get("user", "")), []).append(each)
    order = sorted(groups.items(), key=lambda item: -len(item[1]))
    return [
        {
            "address": address,
            "name": name,
            "user": user,
            "connections": len(members),
            "blocked": sum("b" in each.get("flags", "") for each in members),
            "oldest": format_duration(_largest(members, "age")),
            "longest idle": format_duration(_largest(members, "idle")),
            "output buffer": format_value(_largest(members, "omem"), "bytes"),
        }
        for (address, name, user), members in order[:5]
    ]


def _largest(members: Sequence[Mapping[str, str]], field: str) -> int:
    return max(int(each.get(field, 0)) for each in members)


def assess_client_buffers(snapshot: Snapshot, options: Options, thresholds: Thresholds) -> Check:
    """``redis.client_buffers`` since the last run."""
    names = [f"client_{kind}_buffer_limit_disconnections" for kind in ("query", "output")]
    if not any(name in snapshot.info for name in names):
        reason = "this version does not count them"
        return thresholds.not_judged("redis.client_buffers", "Unknown number", reason)
    counts = [count_and_window(snapshot, name) for name in names if name in snapshot.info]
    total, window = sum(count for count, _window in counts), counts[0][1]
    text = (
        f"{pluralize(total, 'client')} disconnected as {'its' if total == 1 else 'their'} buffer "
        "was full"
        if total
        else "No client disconnected because of a full buffer"
    )
    return thresholds.evaluate("redis.client_buffers", total, text, window=window)


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
