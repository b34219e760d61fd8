# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The verdict on replication: of a replica, or of a primary."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..core.check import CRITICAL, OK, WARNING, Check
from ..core.thresholds import Thresholds
from ..core.units import format_duration, pluralize
from ..net.url import host_port
from .options import Options
from .snapshot import Snapshot


def assess_replication(snapshot: Snapshot, options: Options, thresholds: Thresholds) -> Check:
    """``redis.replication``."""
    if snapshot.info["role"] == "slave":
        status, summary = _replica(snapshot.info)
        return thresholds.verdict("redis.replication", status, summary)
    replicas = _replicas(snapshot.info)
    online = sum(replica.get("state") == "online" for replica in replicas)
    status, summary = _primary(online, len(replicas), options.replicas)
    rows = [
        {
            "replica": f"{replica.get('ip')}:{replica.get('port')}",
            "state": replica.get("state"),
            "seconds since last heard": replica.get("lag"),
        }
        for replica in replicas
    ]
    return thresholds.verdict("redis.replication", status, summary, value=online, evidence=rows)


def _replica(info: Mapping[str, Any]) -> tuple[str, str]:
    """Status and summary of a replica."""
    primary = host_port(info["master_host"], info["master_port"])
    if info.get("master_sync_in_progress"):
        return WARNING, f"Replica of {primary}, still copying all of its data"
    if info["master_link_status"] != "up":
        seconds = info.get("master_link_down_since_seconds", -1)
        since = f"for {format_duration(seconds)}" if seconds >= 0 else "since its start"
        return CRITICAL, f"Replica has lost its primary {primary} {since}: it answers with old data"
    heard = info["master_last_io_seconds_ago"]
    return OK, f"Replica of {primary}, linked, last heard from {heard} s ago"


def _replicas(info: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    names = [f"slave{number}" for number in range(info["connected_slaves"])]
    return [info[name] for name in names if name in info]


def _primary(online: int, connected: int, expected: int) -> tuple[str, str]:
    """Status and summary of a primary."""
    if online < expected:
        summary = f"Primary with {online} of {expected} replicas linked"
        return (WARNING if online else CRITICAL), summary
    if online < connected:
        summary = f"Primary with {online} of {connected} replicas linked, the rest still copying"
        return WARNING, f"{summary} its data"
    if online:
        return OK, f"Primary with {pluralize(online, 'replica')} linked"
    return OK, "Primary without replicas, and none are expected"
