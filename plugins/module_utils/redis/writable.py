# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The verdict on writes: whether one would succeed now, by what the server says of itself."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from ..core.check import CRITICAL, OK, STATUSES, UNKNOWN, WARNING, Check
from ..core.thresholds import Thresholds
from ..core.units import format_duration, format_value, pluralize
from ..net.url import host_port
from .canary import DENIED, DONE, ELSEWHERE, PREFIX, REFUSED, SILENT
from .cluster import SLOTS, unserved_slots
from .options import Options
from .persistence import save_remedy
from .replication import required_replicas
from .snapshot import Snapshot

#: Share of maxmemory from which on refusals in the window mean that it is still full.
_NEARLY_FULL = 0.98
#: Seconds of a pause that clients notice.
_LONG_PAUSE = 5


@dataclass(frozen=True)
class Obstacle:
    """Why writes fail."""

    status: str
    text: str
    remedy: str


def assess_writable(snapshot: Snapshot, options: Options, thresholds: Thresholds) -> Check:
    """``redis.writable``."""
    # The most severe first; sorted() keeps the order of those that are equally severe.
    obstacles = sorted(_obstacles(snapshot, options), key=lambda each: -STATUSES.index(each.status))
    if not obstacles:
        return _no_obstacle(snapshot, options, thresholds)
    status, summary = obstacles[0].status, "; ".join(each.text for each in obstacles)
    if snapshot.canary and snapshot.canary.outcome == DONE:
        status = min(status, WARNING, key=STATUSES.index)
        summary += "; a small write still succeeded"
    return thresholds.verdict(
        "redis.writable",
        status,
        summary[0].upper() + summary[1:],
        remedy=obstacles[0].remedy,
        evidence=snapshot.denials,
    )


def _no_obstacle(snapshot: Snapshot, options: Options, thresholds: Thresholds) -> Check:
    canary = snapshot.canary
    if snapshot.info["role"] == "slave":
        text = f"A replica of {_primary(snapshot)}, which takes no writes itself"
        if not options.role and not snapshot.info.get("cluster_enabled"):
            return thresholds.not_judged(
                "redis.writable", text, "whether the app writes here is not declared (redis_role)"
            )
        return thresholds.verdict("redis.writable", OK, text)
    text = "The server reports nothing that would refuse a write"
    if canary and canary.outcome == DONE:
        text = f"A key was written and deleted in {format_value(canary.seconds, 'seconds')}"
    elif canary and canary.outcome == ELSEWHERE:
        text += "; other nodes of the cluster have the slots of the test keys"
    return thresholds.verdict("redis.writable", OK, text)


def _obstacles(snapshot: Snapshot, options: Options) -> Iterator[Obstacle]:
    for find in (_cluster, _disk, _too_few_replicas, _full, _paused, _replica, _denied, _canary):
        yield from find(snapshot, options)


def _cluster(snapshot: Snapshot, options: Options) -> Iterator[Obstacle]:
    if not snapshot.info.get("cluster_enabled"):
        return
    remedy = "See redis.cluster: every slot needs a node that serves it."
    if not snapshot.cluster:
        if not (snapshot.canary and snapshot.canary.outcome == DONE):
            why = snapshot.why("CLUSTER INFO")
            text = f"whether the cluster is up is not known: {why}"
            yield Obstacle(UNKNOWN, text, why.remedy)
    elif snapshot.cluster["cluster_state"] != "ok":
        yield Obstacle(CRITICAL, "the cluster is down: every write fails (CLUSTERDOWN)", remedy)
    elif unserved := unserved_slots(snapshot.cluster):
        share = format_value(round(100 * unserved / SLOTS, 1), "percent")
        text = f"writes to {share} of the keys fail, as no node serves their slots (CLUSTERDOWN)"
        yield Obstacle(CRITICAL, text, remedy)


def _disk(snapshot: Snapshot, options: Options) -> Iterator[Obstacle]:
    """Writes that are refused because data could not be saved."""
    info = snapshot.info
    if info["role"] != "slave":
        # If CONFIG is refused: PING is refused too while writes are.
        unknown = "yes" if snapshot.error else "no"
        stops = snapshot.settings.get("stop-writes-on-bgsave-error", unknown) == "yes"
        if info["rdb_last_bgsave_status"] != "ok" and stops and snapshot.save != "":
            text = "every write is refused, as the last snapshot failed (MISCONF)"
            yield Obstacle(CRITICAL, text, save_remedy(snapshot))
        if info["aof_enabled"] and info["aof_last_write_status"] != "ok":
            text = "every write is refused, as the append-only file cannot be written (MISCONF)"
            yield Obstacle(CRITICAL, text, save_remedy(snapshot))


def _too_few_replicas(snapshot: Snapshot, options: Options) -> Iterator[Obstacle]:
    required, good = required_replicas(snapshot), snapshot.info.get("min_slaves_good_slaves", 0)
    if good < required:
        yield Obstacle(
            CRITICAL,
            f"every write is refused, as min-replicas-to-write is {required} and "
            f"{good or 'no'} {'replica is' if good <= 1 else 'replicas are'} good (NOREPLICAS)",
            "Bring the replicas back: see redis.replication. If writes matter more than copies of "
            "them until then: 'CONFIG SET min-replicas-to-write 0'.",
        )


def _full(snapshot: Snapshot, options: Options) -> Iterator[Obstacle]:
    """Memory that is used up while nothing may be evicted."""
    info = snapshot.info
    maximum, policy = info["maxmemory"], info["maxmemory_policy"]
    if not maximum or info["role"] == "slave" or _evictable(snapshot):
        return
    counted = info["used_memory"] - info.get("mem_not_counted_for_evict", 0)
    refused = _refused(snapshot, "OOM")
    if counted <= maximum and not (refused and counted >= _NEARLY_FULL * maximum):
        return
    text = f"maxmemory is used up and {policy} leaves nothing to evict: writes that need memory "
    text += "are refused (OOM)"
    if refused:
        text += f", {pluralize(refused, 'time')} in the window"
    remedy = "Raise maxmemory if the host has free memory, or delete keys that are not needed."
    if options.purpose == "cache":
        remedy += " A cache should evict: 'CONFIG SET maxmemory-policy allkeys-lru'."
    elif not options.purpose:
        remedy += " What else helps depends on what it is for: declare purpose (redis_purpose)."
    yield Obstacle(CRITICAL, text, remedy)


def _evictable(snapshot: Snapshot) -> bool:
    """Whether there are keys that may be evicted."""
    policy = snapshot.info["maxmemory_policy"]
    databases = [value for name, value in snapshot.info.items() if re.fullmatch(r"db\d+", name)]
    if policy.startswith("volatile-"):
        return any(database["expires"] for database in databases)
    return policy != "noeviction" and any(database["keys"] for database in databases)


def _paused(snapshot: Snapshot, options: Options) -> Iterator[Obstacle]:
    info = snapshot.info
    failover = info.get("master_failover_state", "no-failover") != "no-failover"
    if info.get("paused_actions", "none") == "none" and not failover:
        return
    left = info.get("paused_timeout_milliseconds", 0) / 1000
    status = CRITICAL if left >= _LONG_PAUSE else WARNING
    until = f" for another {format_duration(left)}" if left >= 1 else ""
    if failover or "failover" in str(info.get("paused_reason")):
        remedy = "Wait for its end; 'FAILOVER ABORT' keeps this primary."
        yield Obstacle(status, f"writes wait{until}, as a failover is under way", remedy)
        return
    yield Obstacle(
        status,
        f"writes wait{until}, as they are paused (CLIENT PAUSE)",
        "Find out who paused it and why, such as a failover; 'CLIENT UNPAUSE' ends it.",
    )


def _replica(snapshot: Snapshot, options: Options) -> Iterator[Obstacle]:
    info = snapshot.info
    if info["role"] != "slave" or info.get("cluster_enabled"):
        return
    primary = _primary(snapshot)
    if not info.get("slave_read_only", 1):
        text = f"a replica of {primary} that accepts writes, and loses them with the next full copy"
        yield Obstacle(
            WARNING, text, "'CONFIG SET replica-read-only yes', and write to the primary."
        )
    elif options.role == "primary":
        yield Obstacle(
            CRITICAL,
            f"every write is refused, as it is a replica of {primary} (READONLY), and should be a "
            "primary",
            f"Let the app connect to {primary}, or through Sentinel. If that primary is gone, "
            "'REPLICAOF NO ONE' makes this one the primary; then set role (redis_role).",
        )
    elif refused := _refused(snapshot, "READONLY"):
        yield Obstacle(
            WARNING,
            f"a replica of {primary}, to which an app tried to write {pluralize(refused, 'time')} "
            "in the window and was refused (READONLY)",
            f"Let the app connect to the primary, {primary}, or through Sentinel.",
        )


def _denied(snapshot: Snapshot, options: Options) -> Iterator[Obstacle]:
    """Writes of others that ACL rules refused, by ACL LOG."""
    for row in snapshot.denials[:1]:
        ago = format_duration(row["seconds ago"])
        what = "a key" if row["refused"] == "key" else "the command"
        times = pluralize(row["times"], "time")
        yield Obstacle(
            WARNING,
            f"user {row['user']} was refused {row['command']} for lack of permission for {what} "
            f"(NOPERM), {times}, last {ago} ago",
            f"'ACL LOG' shows what was refused, 'ACL GETUSER {row['user']}' the rules; add the "
            "command or the pattern of the app's keys with ACL SETUSER, and to the ACL file.",
        )


def _canary(snapshot: Snapshot, options: Options) -> Iterator[Obstacle]:
    canary, user = snapshot.canary, options.endpoint.user
    if not canary:
        return
    if canary.outcome == DENIED:
        yield Obstacle(
            UNKNOWN,
            f"user {user} lacks permission to write a test key, so if this is the app's user, the "
            "app fails as well",
            f"Grant it: 'ACL SETUSER {user} ~{PREFIX}* +set +del'; or switch canary off.",
        )
    elif canary.outcome == SILENT:
        yield Obstacle(
            CRITICAL,
            f"a write got no answer within {format_value(canary.seconds, 'seconds')}, while reads "
            "are answered",
            "Often writes are paused: 'CLIENT UNPAUSE' ends that, unless a failover is under way. "
            "Otherwise its disk is too slow for appendfsync always: see its log.",
        )
    elif canary.outcome == REFUSED:
        remedy = "The server runs and says why it refuses; look up its words, and read its log."
        yield Obstacle(CRITICAL, f"a write was refused: {canary.text}", remedy)


def _primary(snapshot: Snapshot) -> str:
    return host_port(snapshot.info["master_host"], snapshot.info["master_port"])


def _refused(snapshot: Snapshot, code: str) -> int:
    """How often a command was refused with that code in the window."""
    delta = snapshot.delta
    return int(delta.counters.get(f"errorstat_{code}", 0)) if delta else 0
