# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Verdicts on memory: what is in use, eviction and fragmentation."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from ..core.check import CRITICAL, OK, STATUSES, UNKNOWN, WARNING, Check
from ..core.thresholds import Thresholds
from ..core.units import format_value, pluralize
from .counters import count_and_window
from .options import Options
from .snapshot import Snapshot

#: Resident bytes below which fragmentation means nothing: the overhead of allocator and program
#: outweighs the data.
_SMALL = 100 * 1024**2
#: Share of keys with a TTL from which on a volatile policy can evict nearly everything.
_NEARLY_ALL = 0.9
_LOST = {"queue": "jobs", "session": "sessions"}
_UNDECLARED = "what it is used for is not declared (redis_purpose)"


def assess_memory(snapshot: Snapshot, options: Options, thresholds: Thresholds) -> Check:
    """``redis.memory``: the worse of maxmemory and what the host or the cgroup has."""
    of_host = _memory_of_host(snapshot, thresholds)
    if not snapshot.info["maxmemory"]:
        return of_host
    of_maxmemory = _memory_of_maxmemory(snapshot.info, options, thresholds)
    return max(of_maxmemory, of_host, key=lambda check: STATUSES.index(check.status))


def _memory_of_host(snapshot: Snapshot, thresholds: Thresholds) -> Check:
    info = snapshot.info
    # If memory was swapped out, less is resident than used.
    needed = max(info["used_memory"], info["used_memory_rss"])
    limit, whose = info["total_system_memory"], "the host's"
    if snapshot.cgroup and snapshot.cgroup.limit < limit:
        limit, whose = snapshot.cgroup.limit, "the container's or service's"
    reason = "as no maxmemory is set"
    if info["maxmemory"] > limit:
        reason = "which maxmemory exceeds"
    summary = f"{format_value(needed, 'bytes')} of {whose} {format_value(limit, 'bytes')}, {reason}"
    return thresholds.evaluate("redis.memory", _percent(needed, limit), summary)


def _memory_of_maxmemory(
    info: Mapping[str, Any], options: Options, thresholds: Thresholds
) -> Check:
    maximum, policy = info["maxmemory"], info["maxmemory_policy"]
    share = _share_with_ttl(info)
    evicts = policy.startswith("allkeys-") or (
        policy.startswith("volatile-") and share is not None and share >= _NEARLY_ALL
    )
    counted = info["used_memory"] - info.get("mem_not_counted_for_evict", 0)
    percent = _percent(counted, maximum)
    summary = f"{format_value(counted, 'bytes')} of {format_value(maximum, 'bytes')} maxmemory"
    check = thresholds.evaluate("redis.memory", percent, summary)
    if check.status == OK or not evicts or options.purpose not in ("", "cache"):
        return check
    whose = "a cache" if options.purpose else "one"
    summary += f": full, which is normal for {whose} that evicts ({policy})"
    return thresholds.verdict("redis.memory", OK, summary, value=percent)


def assess_eviction_policy(snapshot: Snapshot, options: Options, thresholds: Thresholds) -> Check:
    """``redis.eviction_policy``: whether it fits the purpose."""
    policy, maximum = snapshot.info["maxmemory_policy"], snapshot.info["maxmemory"]
    if not options.purpose:
        return thresholds.not_judged("redis.eviction_policy", policy, _UNDECLARED)
    status, summary, remedy = judge_policy(policy, maximum, options.purpose, snapshot.info)
    return thresholds.verdict("redis.eviction_policy", status, summary, remedy=remedy)


def judge_policy(
    policy: str, maximum: int, purpose: str, info: Mapping[str, Any]
) -> tuple[str, str, str]:
    """Status, summary and remedy of a policy, with that maxmemory, for a declared purpose."""
    if not re.match("noeviction|allkeys-|volatile-", policy):
        summary = f"{policy} is not a policy that this collection knows"
        return UNKNOWN, summary, "Read its description in redis.conf."
    if purpose == "cache":
        return _policy_of_cache(policy, maximum, info)
    return _policy_of_store(policy, maximum, purpose)


def _policy_of_cache(policy: str, maximum: int, info: Mapping[str, Any]) -> tuple[str, str, str]:
    """Status, summary and remedy for a cache, which should evict any key."""
    remedy = "CONFIG SET maxmemory-policy allkeys-lru, and the same in redis.conf."
    if not maximum:
        return (
            WARNING,
            "A cache without maxmemory grows until the host's memory is full",
            "CONFIG SET maxmemory 2gb (or what the host can spare) and maxmemory-policy "
            "allkeys-lru, and the same in redis.conf.",
        )
    if policy == "noeviction":
        return WARNING, "noeviction: once this cache is full, every write fails", remedy
    share = _share_with_ttl(info)
    if policy.startswith("volatile-") and share is not None and share < _NEARLY_ALL:
        percent = format_value(round(100 * share), "percent")
        return WARNING, f"{policy} can evict only {percent} of the keys, those with a TTL", remedy
    return OK, f"{policy} fits a cache", ""


def _policy_of_store(policy: str, maximum: int, purpose: str) -> tuple[str, str, str]:
    """Status, summary and remedy for a queue or session store, which should lose nothing."""
    remedy = "CONFIG SET maxmemory-policy noeviction, and the same in redis.conf."
    lost = _LOST[purpose]
    if policy.startswith("allkeys-"):
        status = CRITICAL if purpose == "queue" and maximum else WARNING
        return status, f"{policy} silently evicts {lost} when memory is full", remedy
    if policy.startswith("volatile-") and purpose == "queue":
        return WARNING, f"{policy} evicts {lost} that have a TTL when memory is full", remedy
    summary = f"{policy} fits a {purpose}"
    if not maximum:
        summary += "; no maxmemory is set, so nothing is evicted"
    return OK, summary, ""


def assess_evictions(snapshot: Snapshot, options: Options, thresholds: Thresholds) -> Check:
    """``redis.evictions`` since the last run; a cache may evict."""
    count, window = count_and_window(snapshot, "evicted_keys")
    summary = f"{pluralize(count, 'key')} evicted" if count else "No key was evicted"
    if options.purpose == "cache":
        if count:
            summary += ", as a full cache does"
        return thresholds.verdict("redis.evictions", OK, summary, value=count, window=window)
    if count and not options.purpose:
        summary += ": normal for a cache, loss of data for anything else"
        return thresholds.not_judged(
            "redis.evictions", summary, _UNDECLARED, value=count, window=window
        )
    return thresholds.evaluate("redis.evictions", count, summary, window=window)


def assess_fragmentation(snapshot: Snapshot, options: Options, thresholds: Thresholds) -> Check:
    """``redis.fragmentation``, or swapping if less is resident than allocated."""
    info = snapshot.info
    resident, ratio = info["used_memory_rss"], info["mem_fragmentation_ratio"]
    size = format_value(resident, "bytes")
    if resident < _SMALL:
        reason = f"means little below {format_value(_SMALL, 'bytes')}"
        return thresholds.not_judged(
            "redis.fragmentation", f"Only {size} resident", reason, value=ratio
        )
    summary = f"{ratio:.2f} resident bytes for each byte in use, {size} in all"
    if ratio < 1 and snapshot.swapped is None:
        return thresholds.verdict(
            "redis.fragmentation",
            UNKNOWN,
            f"{summary}: swapped out, or never touched",
            value=ratio,
            remedy="On its host, 'grep VmSwap /proc/PID/status' shows how much is swapped out.",
        )
    if ratio < 1 and snapshot.swapped:
        swapped = format_value(snapshot.swapped, "bytes")
        return thresholds.verdict(
            "redis.fragmentation",
            WARNING,
            f"{summary}: {swapped} are swapped out, which makes it slow",
            value=ratio,
        )
    return thresholds.evaluate(
        "redis.fragmentation", ratio, summary, evidence=_fragmentation_rows(info)
    )


def _fragmentation_rows(info: Mapping[str, Any]) -> list[dict[str, Any]]:
    parts = {
        "inside the allocator's pages": "allocator_frag_ratio",
        "pages that the allocator keeps": "allocator_rss_ratio",
        "outside the allocator": "rss_overhead_ratio",
    }
    return [{"where": where, "ratio": info[name]} for where, name in parts.items() if name in info]


def _share_with_ttl(info: Mapping[str, Any]) -> float | None:
    """Share of the keys that have a TTL; none if there are no keys."""
    databases = [value for name, value in info.items() if re.fullmatch(r"db\d+", name)]
    keys = sum(database["keys"] for database in databases)
    return sum(database["expires"] for database in databases) / keys if keys else None


def _percent(part: float, whole: float) -> float:
    return round(100 * part / whole, 1)
