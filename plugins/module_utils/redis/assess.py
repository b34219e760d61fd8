# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The health of Redis or Valkey: the verdicts on what was seen of it."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from ..core.check import CRITICAL, OK, STATUSES, UNKNOWN, WARNING, Check
from ..core.thresholds import Thresholds
from ..core.units import format_duration, format_value
from .collect import Snapshot

#: Resident bytes below which fragmentation means nothing: the allocator's and the program's own share outweigh the data.
_SMALL = 100 * 1024**2
#: Keys with a time to live, of all, from which on a volatile policy can evict nearly everything.
_NEARLY_ALL = 0.9


@dataclass(frozen=True)
class Declared:
    """What the operator declared about this Redis."""

    purpose: str = ""
    """``cache``, ``queue``, ``session``, or not declared."""
    replicas: int = 0
    min_lookups: int = 1000


def assess(seen: Snapshot, declared: Declared, thresholds: Thresholds) -> Iterator[Check]:
    """The verdicts; one alone where Redis could not be asked."""
    yield _reachable(seen, thresholds)
    if seen.refusal and not seen.info:
        return
    verdicts = {
        "redis.memory": _memory,
        "redis.eviction_policy": _eviction_policy,
        "redis.evictions": _evictions,
        "redis.hit_rate": _hit_rate,
        "redis.clients": _clients,
        "redis.rejected_connections": _rejected,
        "redis.persistence": _persistence,
        "redis.replication": _replication,
        "redis.fragmentation": _fragmentation,
    }
    if declared.purpose == "queue":
        del verdicts["redis.hit_rate"]  # a worker that asks an empty queue has missed nothing
    for name, verdict in verdicts.items():
        if seen.blind:
            yield thresholds.verdict(
                name, UNKNOWN, f"INFO was refused: {seen.blind.summary}", remedy=seen.blind.remedy
            )
            continue
        try:
            yield verdict(seen, declared, thresholds)
        except KeyError as missing:
            remedy = "Connect to the server itself and not through a proxy or to a Sentinel; its version has to be 6.2 or newer."
            yield thresholds.verdict(
                name, UNKNOWN, f"INFO does not tell {missing.args[0]}", remedy=remedy
            )


def silent(address: str, thresholds: Thresholds, seconds: float) -> Check:
    """The check of a Redis that used up the whole time."""
    return thresholds.verdict(
        "redis.reachable",
        CRITICAL,
        f"{address} gave no complete answer within {format_value(seconds, 'seconds')}",
    )


def _reachable(seen: Snapshot, thresholds: Thresholds) -> Check:
    if seen.refusal:
        return thresholds.verdict(
            "redis.reachable", seen.refusal.status, seen.refusal.summary, remedy=seen.refusal.remedy
        )
    slowest = max(seen.latencies)
    product, version = (
        ("Valkey", seen.info["valkey_version"])
        if "valkey_version" in seen.info
        else ("Redis", seen.info.get("redis_version", ""))
    )
    summary = (
        f"{product} {version}".strip()
        + f" on {seen.address} answers in {format_value(slowest, 'seconds')}"
    )
    return thresholds.evaluate(
        "redis.reachable",
        slowest,
        summary + (f", the slowest of {len(seen.latencies)}" if len(seen.latencies) > 1 else ""),
    )


def _memory(seen: Snapshot, declared: Declared, thresholds: Thresholds) -> Check:
    info = seen.info
    used, resident, maximum = info["used_memory"], info["used_memory_rss"], info["maxmemory"]
    room, whose = info["total_system_memory"], "the machine's"
    if seen.group and seen.group.limit < room:
        room, whose = seen.group.limit, "the container's or service's"
    needed = max(used, resident)  # less is resident than used where it was swapped out
    summary = f"{format_value(needed, 'bytes')} of {whose} {format_value(room, 'bytes')}, as no maxmemory is set"
    if maximum > room:
        summary = f"{format_value(needed, 'bytes')} of {whose} {format_value(room, 'bytes')}, which maxmemory exceeds"
    of_room = thresholds.evaluate("redis.memory", _percent(needed, room), summary)
    if not maximum:
        return of_room
    counted = used - info.get("mem_not_counted_for_evict", 0)
    percent = _percent(counted, maximum)
    summary = f"{format_value(counted, 'bytes')} of {format_value(maximum, 'bytes')} maxmemory"
    of_maximum = thresholds.evaluate("redis.memory", percent, summary)
    if (
        of_maximum.status != OK
        and info["maxmemory_policy"].startswith("allkeys-")
        and declared.purpose in ("", "cache")
    ):
        summary += f": full, as a cache that evicts ({info['maxmemory_policy']}) is meant to be"
        of_maximum = thresholds.verdict("redis.memory", OK, summary, value=percent)
    return max(of_maximum, of_room, key=lambda check: STATUSES.index(check.status))


def _eviction_policy(seen: Snapshot, declared: Declared, thresholds: Thresholds) -> Check:
    policy, maximum, purpose = (
        seen.info["maxmemory_policy"],
        seen.info["maxmemory"],
        declared.purpose,
    )
    status, summary = (
        OK,
        f"{policy} fits a {purpose}"
        + (
            ""
            if purpose == "cache" or maximum
            else "; no maxmemory is set, so nothing is evicted anyway"
        ),
    )
    remedy = f"CONFIG SET maxmemory-policy {'allkeys-lru' if purpose == 'cache' else 'noeviction'}, and the same in redis.conf."
    if not purpose:
        status, summary = UNKNOWN, f"{policy}; what this Redis is for is not declared"
        remedy = "Declare it: purpose (redis_purpose in the inventory) is cache, queue or session."
    elif not re.match("noeviction|allkeys-|volatile-", policy):
        status, summary, remedy = (
            UNKNOWN,
            f"{policy} is not a policy that this collection knows",
            "Read its description in redis.conf.",
        )
    elif purpose == "cache":
        share = _share_with_ttl(seen.info)
        if not maximum:
            status, summary = (
                WARNING,
                "A cache without maxmemory grows until the machine's memory is full",
            )
            remedy = "CONFIG SET maxmemory 2gb (or what the machine can spare) and maxmemory-policy allkeys-lru, and the same in redis.conf."
        elif policy == "noeviction":
            status, summary = WARNING, "noeviction: when this cache is full, every write fails"
        elif policy.startswith("volatile-") and share is not None and share < _NEARLY_ALL:
            status, summary = (
                WARNING,
                f"{policy} can evict only {format_value(round(100 * share), 'percent')} of the keys, those with a time to live",
            )
    elif policy.startswith("allkeys-"):
        status = CRITICAL if purpose == "queue" and maximum else WARNING
        summary = f"{policy} throws away {'jobs' if purpose == 'queue' else 'sessions'} silently when memory is full"
    elif policy.startswith("volatile-") and purpose == "queue":
        status, summary = (
            WARNING,
            f"{policy} throws away jobs that have a time to live when memory is full",
        )
    return thresholds.verdict("redis.eviction_policy", status, summary, remedy=remedy)


def _evictions(seen: Snapshot, declared: Declared, thresholds: Thresholds) -> Check:
    count, window = _counted(seen, "evicted_keys")
    what = (
        f"{format_value(count)} {_plural(count, 'key')} evicted" if count else "No key was evicted"
    )
    if declared.purpose == "cache":
        return thresholds.verdict(
            "redis.evictions",
            OK,
            what + (", as a full cache does" if count else ""),
            value=count,
            window=window,
        )
    if count and not declared.purpose:
        remedy = "Right for a cache, loss of data for anything else: declare purpose (redis_purpose in the inventory)."
        return thresholds.verdict(
            "redis.evictions",
            UNKNOWN,
            f"{what}; what this Redis is for is not declared",
            value=count,
            window=window,
            remedy=remedy,
        )
    return thresholds.evaluate("redis.evictions", count, what, window=window)


def _hit_rate(seen: Snapshot, declared: Declared, thresholds: Thresholds) -> Check:
    hits, window = _counted(seen, "keyspace_hits")
    total = hits + _counted(seen, "keyspace_misses")[0]
    rate = round(100 * hits / total, 1) if total else None
    if total < declared.min_lookups:
        summary = f"{format_value(total) if total else 'No'} {_plural(total, 'look-up')} in the window; {format_value(declared.min_lookups)} are needed for a verdict"
        remedy = "Nothing needs a hand: it is judged once there is enough traffic between two runs. Lower min_lookups for a quiet service."
        return thresholds.verdict(
            "redis.hit_rate", UNKNOWN, summary, value=rate, window=window, remedy=remedy
        )
    return thresholds.evaluate(
        "redis.hit_rate",
        rate,
        f"{format_value(rate, 'percent')} of {format_value(total)} look-ups found their key",
        window=window,
    )


def _clients(seen: Snapshot, declared: Declared, thresholds: Thresholds) -> Check:
    connected, maximum, blocked = (
        seen.info["connected_clients"],
        seen.info["maxclients"],
        seen.info.get("blocked_clients", 0),
    )
    summary = f"{format_value(connected)} of {format_value(maximum)} slots in use" + (
        f", {format_value(blocked)} waiting in a blocking command" if blocked else ""
    )
    return thresholds.evaluate(
        "redis.clients", _percent(connected, maximum), summary, evidence=seen.clients
    )


def _rejected(seen: Snapshot, declared: Declared, thresholds: Thresholds) -> Check:
    count, window = _counted(seen, "rejected_connections")
    summary = f"{format_value(count) if count else 'No'} {_plural(count, 'connection')} refused for want of a slot"
    return thresholds.evaluate("redis.rejected_connections", count, summary, window=window)


def _persistence(seen: Snapshot, declared: Declared, thresholds: Thresholds) -> Check:
    info = seen.info
    status, remedy, facts = OK, "", []
    if info["aof_enabled"]:
        facts.append("append-only file on")
    if seen.save:
        facts.append(
            f"last snapshot {format_duration(_age(info))} ago"
            if info.get("rdb_saves", 1)
            else "snapshots on, none written since the start"
        )
    overdue = _overdue(seen)
    if info["rdb_last_bgsave_status"] != "ok":
        status, facts = (
            CRITICAL,
            ["the last snapshot failed, so Redis may refuse every write", *facts],
        )
    elif info["aof_enabled"] and info["aof_last_write_status"] != "ok":
        status, facts = (
            CRITICAL,
            ["the last write to the append-only file failed, so Redis refuses every write", *facts],
        )
    elif info["aof_enabled"] and info["aof_last_bgrewrite_status"] != "ok":
        status, facts = (
            WARNING,
            ["the last rewrite of the append-only file failed, so it grows", *facts],
        )
    elif overdue:
        status, facts = WARNING, [f"a snapshot has been due for {format_duration(overdue)}", *facts]
    elif not facts and seen.save is None:
        facts = [
            "no append-only file; whether snapshots are on is not known, for CONFIG is refused"
        ]
        if declared.purpose in ("queue", "session"):
            status, remedy = UNKNOWN, "Allow the command: 'ACL SETUSER USER +config|get'."
    elif not facts:
        facts = ["neither snapshots nor append-only file: a restart begins empty"]
        if declared.purpose in ("queue", "session"):
            status, remedy = (
                WARNING,
                f"A {declared.purpose} store has to outlive a restart: 'CONFIG SET appendonly yes', and the same in redis.conf.",
            )
    summary = ", ".join(facts)
    return thresholds.verdict(
        "redis.persistence", status, summary[0].upper() + summary[1:], remedy=remedy
    )


def _replication(seen: Snapshot, declared: Declared, thresholds: Thresholds) -> Check:
    info = seen.info
    if info["role"] == "slave":
        primary = f"{info['master_host']}:{info['master_port']}"
        if info.get("master_sync_in_progress"):
            return thresholds.verdict(
                "redis.replication", WARNING, f"Replica of {primary}, still copying all of its data"
            )
        if info["master_link_status"] != "up":
            since = info.get("master_link_down_since_seconds", -1)
            lasting = f" for {format_duration(since)}" if since >= 0 else " since its start"
            return thresholds.verdict(
                "redis.replication",
                CRITICAL,
                f"Replica cut off from its primary {primary}{lasting}: it answers with old data",
            )
        return thresholds.verdict(
            "redis.replication",
            OK,
            f"Replica of {primary}, linked, last heard {info['master_last_io_seconds_ago']} s ago",
        )
    replicas: list[dict[str, Any]] = [
        info[f"slave{number}"]
        for number in range(info["connected_slaves"])
        if f"slave{number}" in info
    ]
    rows = [
        {
            "replica": f"{r.get('ip')}:{r.get('port')}",
            "state": r.get("state"),
            "seconds since last heard": r.get("lag"),
        }
        for r in replicas
    ]
    online = sum(replica.get("state") == "online" for replica in replicas)
    more = {"value": online, "evidence": rows}
    if online < declared.replicas:
        summary = f"Primary with {online} of {declared.replicas} replicas linked"
        return thresholds.verdict(
            "redis.replication", WARNING if online else CRITICAL, summary, **more
        )
    if online < len(replicas):
        summary = f"Primary with {online} of {len(replicas)} replicas linked, the rest is still copying its data"
        return thresholds.verdict("redis.replication", WARNING, summary, **more)
    summary = (
        f"Primary with {online} {_plural(online, 'replica')} linked"
        if online
        else "Primary without replicas, and none are expected"
    )
    return thresholds.verdict("redis.replication", OK, summary, **more)


def _fragmentation(seen: Snapshot, declared: Declared, thresholds: Thresholds) -> Check:
    info = seen.info
    resident, ratio = info["used_memory_rss"], info["mem_fragmentation_ratio"]
    if resident < _SMALL:
        summary = f"Only {format_value(resident, 'bytes')} resident: fragmentation means nothing below {format_value(_SMALL, 'bytes')}"
        return thresholds.verdict("redis.fragmentation", OK, summary, value=ratio)
    summary = (
        f"{ratio:.2f} resident bytes for each byte in use, {format_value(resident, 'bytes')} in all"
    )
    if ratio < 1 and seen.swapped is None:
        remedy = "On its machine, 'grep VmSwap /proc/PID/status' tells how much is swapped out."
        return thresholds.verdict(
            "redis.fragmentation",
            UNKNOWN,
            f"{summary}: swapped out, or never touched",
            value=ratio,
            remedy=remedy,
        )
    if ratio < 1 and seen.swapped:
        return thresholds.verdict(
            "redis.fragmentation",
            WARNING,
            f"{summary}: {format_value(seen.swapped, 'bytes')} are swapped out, which makes it slow",
            value=ratio,
        )
    parts = {
        "within the allocator's pages": "allocator_frag_ratio",
        "pages the allocator keeps": "allocator_rss_ratio",
        "beside the allocator": "rss_overhead_ratio",
    }
    rows = [{"where": where, "ratio": info[name]} for where, name in parts.items() if name in info]
    return thresholds.evaluate("redis.fragmentation", ratio, summary, evidence=rows)


def _counted(seen: Snapshot, name: str) -> tuple[float, str]:
    if not seen.delta or name not in seen.delta.counters:
        raise KeyError(name)
    return seen.delta.counters[name], seen.delta.window


def _share_with_ttl(info: Any) -> float | None:
    """Share of the keys that have a time to live, none where there are no keys."""
    spaces = [value for name, value in info.items() if re.fullmatch(r"db\d+", name)]
    keys = sum(space["keys"] for space in spaces)
    return sum(space["expires"] for space in spaces) / keys if keys else None


def _age(info: Any) -> float:
    """Seconds since the last snapshot, by the server's clock where it tells."""
    now = info["server_time_usec"] / 1e6 if "server_time_usec" in info else time.time()
    return max(0.0, now - info["rdb_last_save_time"])


def _overdue(seen: Snapshot) -> float | None:
    """Seconds since a snapshot should have been written, by the save points; none where it is in time or being written."""
    info, numbers = seen.info, [int(number) for number in (seen.save or "").split()]
    if info.get("rdb_bgsave_in_progress"):
        return None
    points = [
        seconds
        for seconds, changes in zip(numbers[::2], numbers[1::2])
        if info["rdb_changes_since_last_save"] >= changes
    ]
    late = _age(info) - 2 * min(points) if points else 0
    return late if late > 60 else None


def _percent(part: float, whole: float) -> float:
    return round(100 * part / whole, 1)


def _plural(count: float, word: str) -> str:
    return word if count == 1 else f"{word}s"
