# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The verdict on replication: of a replica, or of a primary."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ..core.check import CRITICAL, OK, WARNING, Check
from ..core.thresholds import Thresholds
from ..core.units import format_duration, pluralize
from ..net.url import host_port
from .options import Options
from .snapshot import Snapshot

#: Redis' defaults, in seconds, for what CONFIG does not tell.
_PING_PERIOD = 10
_MAX_LAG = 10
#: Seconds of silence that are never judged: a busy moment.
_SHORT_SILENCE = 10

_REMEDY_FROZEN = (
    "The process or its host is frozen, stopped or overloaded, or the network drops packets: check "
    "{where}, with 'top' for its state."
)


def assess_replication(snapshot: Snapshot, options: Options, thresholds: Thresholds) -> Check:
    """``redis.replication``."""
    if snapshot.info["role"] == "slave":
        status, summary, remedy = _replica(snapshot)
        return thresholds.verdict("redis.replication", status, summary, remedy=remedy)
    replicas = _replicas(snapshot.info)
    current = sum(_is_current(replica, snapshot) for replica in replicas)
    if options.role == "replica":
        return thresholds.verdict(
            "redis.replication",
            WARNING,
            "It is a primary, and should be a replica (role)",
            value=current,
            remedy="After a failover this is right: then change role (redis_role). Otherwise "
            "'REPLICAOF HOST PORT' makes it a replica again, which discards its own data.",
        )
    expected = max(options.replicas, required_replicas(snapshot))
    if not expected and not replicas and _had_replicas(snapshot.info):
        return thresholds.not_judged(
            "redis.replication",
            "Primary without replicas; one was linked until lately, or a backup was taken with "
            "redis-cli --rdb",
            "how many it should have is not declared (redis_replicas)",
            value=0,
        )
    status, summary, remedy = _primary(snapshot, replicas, current, expected)
    rows = [_row(replica, snapshot.info) for replica in replicas]
    return thresholds.verdict(
        "redis.replication", status, summary, value=current, remedy=remedy, evidence=rows
    )


def required_replicas(snapshot: Snapshot) -> int:
    """Number of good replicas without which this primary refuses writes."""
    # Contained in INFO only if both min-replicas-to-write and min-replicas-max-lag are set.
    if snapshot.info["role"] == "slave" or "min_slaves_good_slaves" not in snapshot.info:
        return 0
    return int(snapshot.settings.get("min-replicas-to-write", 1))


def _replica(snapshot: Snapshot) -> tuple[str, str, str]:
    """Status, summary and remedy of a replica."""
    info = snapshot.info
    primary = host_port(info["master_host"], info["master_port"])
    limit = _silence_limit(snapshot)
    remedy = _REMEDY_FROZEN.format(where=primary)
    if info.get("master_sync_in_progress"):
        silent = info.get("master_sync_last_io_seconds_ago", -1)
        if silent > limit:
            stalled = f"which stalled {format_duration(silent)} ago"
            return CRITICAL, f"Replica of {primary}, copying all of its data, {stalled}", remedy
        return WARNING, f"Replica of {primary}, still copying all of its data", ""
    if info["master_link_status"] != "up":
        seconds = info.get("master_link_down_since_seconds", -1)
        since = f"for {format_duration(seconds)}" if seconds >= 0 else "since its start"
        text = f"Replica has lost its primary {primary} {since}: it answers with old data"
        return CRITICAL, text, ""
    heard = info["master_last_io_seconds_ago"]
    if heard > limit:
        text = f"Replica has heard nothing from its primary {primary} for {format_duration(heard)}"
        return CRITICAL, f"{text}: what it answers is at least that old", remedy
    ago = f", last heard from {heard} s ago" if heard >= 0 else ""
    return OK, f"Replica of {primary}, linked{ago}", ""


def _silence_limit(snapshot: Snapshot) -> float:
    """Seconds after which a primary that sends a PING each period is no longer heard."""
    period = int(snapshot.settings.get("repl-ping-replica-period", _PING_PERIOD))
    return max(2.0 * period, _SHORT_SILENCE)


def _replicas(info: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    names = [f"slave{number}" for number in range(info["connected_slaves"])]
    return [info[name] for name in names if name in info]


def _row(replica: Mapping[str, Any], info: Mapping[str, Any]) -> dict[str, Any]:
    row = {
        "replica": _address(replica),
        "state": replica.get("state"),
        "seconds since last heard": replica.get("lag"),
    }
    if "offset" in replica and "master_repl_offset" in info:
        row["bytes behind"] = max(0, info["master_repl_offset"] - replica["offset"])
    return row


def _address(replica: Mapping[str, Any]) -> str:
    return host_port(str(replica.get("ip")), str(replica.get("port")))


def _is_current(replica: Mapping[str, Any], snapshot: Snapshot) -> bool:
    """Whether a replica is linked and was heard from lately; each reports every second."""
    return replica.get("state") == "online" and not _is_silent(replica, snapshot)


def _is_silent(replica: Mapping[str, Any], snapshot: Snapshot) -> bool:
    limit = int(snapshot.settings.get("min-replicas-max-lag", 0)) or _MAX_LAG
    return replica.get("state") == "online" and replica.get("lag", 0) > limit


def _had_replicas(info: Mapping[str, Any]) -> bool:
    """Whether a replica was linked within the last hour, after which the backlog is freed."""
    return bool(info.get("repl_backlog_active")) and (
        info.get("sync_full", 0) + info.get("sync_partial_ok", 0) > 0
    )


def _primary(
    snapshot: Snapshot, replicas: Sequence[Mapping[str, Any]], current: int, expected: int
) -> tuple[str, str, str]:
    """Status, summary and remedy of a primary."""
    silent = [replica for replica in replicas if _is_silent(replica, snapshot)]
    heard, remedy = "", ""
    if silent:
        names = ", ".join(
            f"{_address(each)} for {format_duration(each['lag'])}" for each in silent[:3]
        )
        heard = f"; nothing was heard from {names}"
        remedy = _REMEDY_FROZEN.format(where=_address(silent[0]))
    required = required_replicas(snapshot)
    if current < expected:
        summary = f"Primary with {current} of {expected} replicas linked"
        if required:
            summary += f" (min-replicas-to-write is {required})"
        bad = not current or current < required
        return (CRITICAL if bad else WARNING), summary + heard, remedy
    if current < len(replicas):
        summary = f"Primary with {current} of {len(replicas)} replicas linked"
        summary += heard or ", the rest still copying its data"
        return WARNING, summary, remedy
    if current:
        return OK, f"Primary with {pluralize(current, 'replica')} linked", ""
    return OK, "Primary without replicas, and none are expected", ""
