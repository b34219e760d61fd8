# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an app reports of itself to PM2 (``axm_monitor``), and the address of its database."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

#: The figures of @pm2/io: its name of each, what to divide by, and our name.
_FIGURES = {
    "Event Loop Latency p95": (1000, "delay"),
    "Event Loop Latency": (1000, "delay_median"),
    "Used Heap Size": (1 / (1 << 20), "heap_used"),
    "Heap Size": (1 / (1 << 20), "heap_total"),
    "Active handles": (1, "handles"),
    "Active requests": (1, "requests"),
}
_NUMBER = re.compile(r"-?\d+(?:\.\d+)?")
#: PostgreSQL's port, and PgBouncer's.
DEFAULT_PORTS = (5432, 6432)


@dataclass(frozen=True)
class Reported:
    """The figures of one instance, by our names; seconds, bytes and counts."""

    figures: Mapping[str, float] = field(default_factory=dict)
    raw: str = ""
    """All figures as they were reported: a later look that differs is a later report."""
    database_port: int | None = None
    """The port in its DATABASE_URL; none if it has none."""


def reported(rows: Iterable[Mapping[str, Any]]) -> dict[int, Reported]:
    """By PM2's id, from PM2's own rows. Nothing else of the environments is kept."""
    found = {}
    for row in rows:
        env = row["pm2_env"]
        pm_id = env.get("pm_id")
        if isinstance(pm_id, int):
            monitor = env.get("axm_monitor")
            monitor = monitor if isinstance(monitor, dict) else {}
            found[pm_id] = Reported(_figures(monitor), repr(sorted(monitor.items())), _port(env))
    return found


def _figures(monitor: Mapping[str, Any]) -> dict[str, float]:
    found = {}
    for name, (divisor, ours) in _FIGURES.items():
        entry = monitor.get(name)
        value = entry.get("value") if isinstance(entry, dict) else entry
        match = _NUMBER.match(str(value))
        if match:
            found[ours] = float(match[0]) / divisor
    return found


def _port(env: Mapping[str, Any]) -> int | None:
    inner = env.get("env")
    url = env.get("DATABASE_URL") or (inner if isinstance(inner, dict) else {}).get("DATABASE_URL")
    try:
        parts = urlsplit(str(url or ""))
        return (parts.port or DEFAULT_PORTS[0]) if parts.hostname else None
    except ValueError:
        return None
