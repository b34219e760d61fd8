"""Redis: alive, and whether it does its work."""

from __future__ import annotations

from contextlib import suppress

import pytest
from redis import RedisError, ResponseError

from tests.support.mounts import mounted, mounts_of_its_own, require_mounts
from tests.support.redis_server import Server
from tests.support.redis_truth import (
    CLUSTER,
    PERSISTENCE,
    REACHABLE,
    REPLICATION,
    SECRET,
    WRITABLE,
    Start,
    ask,
    fill,
    on_each,
    pair,
    saving,
    snapshot,
    until,
)
from tests.support.truth import NOT_JUDGED, Answer, Bed

# A new server.


@on_each(
    "a healthy server with the settings it comes with, that nobody has used yet",
    {
        REACHABLE: "ok",
        WRITABLE: "ok",
        "redis.memory": "ok",
        "redis.eviction_policy": NOT_JUDGED,
        "redis.evictions": "ok",
        "redis.hit_rate": NOT_JUDGED,
        "redis.clients": "ok",
        "redis.rejected_connections": "ok",
        PERSISTENCE: "ok",
        REPLICATION: "ok",
        "redis.fragmentation": NOT_JUDGED,
    },
)
def unused(bed: Bed, start: Start) -> Answer:
    return ask(bed, saving(start(), "3600 1 300 100 60 10000").url)


@on_each(
    "canary on a healthy server, which leaves nothing",
    {WRITABLE: "ok"},
    says="written and deleted in",
)
def canary(bed: Bed, start: Start) -> Answer:
    own = start()
    answer = ask(bed, own.url, canary=True)
    assert own.client.dbsize() == 0
    assert own.client.info("commandstats")["cmdstat_set"]["calls"] == 1
    return answer


@on_each("no canary unless it is switched on", {WRITABLE: "ok"}, never="written")
def no_canary(bed: Bed, start: Start) -> Answer:
    own = start()
    answer = ask(bed, own.url)
    assert "cmdstat_set" not in own.client.info("commandstats")
    return answer


# Alive, and every write fails.


@on_each(
    "min-replicas-to-write 1 without a replica",
    {REACHABLE: "ok", WRITABLE: "critical", REPLICATION: "critical"},
    says="NOREPLICAS",
    never="none are expected",
)
def no_replica(bed: Bed, start: Start) -> Answer:
    own = start("--min-replicas-to-write", "1")
    with pytest.raises(ResponseError, match="good replicas"):
        own.client.set("key", "value")
    return ask(bed, own.url)


@on_each(
    "min-replicas-to-write 1 with its replica",
    {WRITABLE: "ok", REPLICATION: "ok"},
    says="1 replica linked",
)
def enough_replicas(bed: Bed, start: Start) -> Answer:
    primary, _replica = pair(start, "--min-replicas-to-write", "1")
    until(lambda: primary.client.info("replication")["min_slaves_good_slaves"])
    assert primary.client.set("key", "value")
    return ask(bed, primary.url, canary=True)


@on_each(
    "a failed snapshot, which stops every write",
    {WRITABLE: "critical", PERSISTENCE: "critical"},
    says=r"(?s)MISCONF.*BGSAVE",
)
def failed_snapshot(bed: Bed, start: Start) -> Answer:
    own = saving(start())
    (own.folder / "dump.rdb").mkdir()
    snapshot(own, "err")
    with pytest.raises(ResponseError):
        own.client.set("key", "value")
    return ask(bed, own.url)


@on_each(
    "a full disk",
    {WRITABLE: "critical", PERSISTENCE: "critical"},
    says=r"only .* left: free space there",
    never="BGSAVE|restart",
)
def full_disk(bed: Bed, start: Start) -> Answer:
    require_mounts()
    bed.enter(mounts_of_its_own())
    bed.enter(mounted(bed.folder / "disk", "tmpfs", options="size=1m"))
    own = saving(start("--rdbcompression", "no", folder="disk/server"))
    own.client.mset({f"key-{number}": "x" * 1000 for number in range(2000)})
    snapshot(own, "err")
    return ask(bed, own.url)


@on_each(
    "a failed snapshot with stop-writes-on-bgsave-error no",
    {REACHABLE: "ok", WRITABLE: "ok", PERSISTENCE: "critical"},
    says="a restart loses",
    never="refuses",
)
def failed_snapshot_goes_on(bed: Bed, start: Start) -> Answer:
    own = saving(start("--stop-writes-on-bgsave-error", "no"))
    (own.folder / "dump.rdb").mkdir()
    snapshot(own, "err")
    assert own.client.set("key", "value")
    return ask(bed, own.url, canary=True)


@on_each(
    "a snapshot that works again",
    {REACHABLE: "ok", WRITABLE: "ok", PERSISTENCE: "ok"},
)
def repaired_snapshot(bed: Bed, start: Start) -> Answer:
    own = saving(start())
    (own.folder / "dump.rdb").mkdir()
    snapshot(own, "err")
    (own.folder / "dump.rdb").rmdir()
    snapshot(own, "ok")
    return ask(bed, own.url)


@on_each(
    "full with noeviction, and what it is for is not declared",
    {WRITABLE: "critical", "redis.memory": "critical", "redis.eviction_policy": NOT_JUDGED},
    says=r"nothing to evict.*\(OOM\)",
    never="allkeys-lru",
)
def full(bed: Bed, start: Start) -> Answer:
    own = start("--maxmemory", "3mb", "--maxmemory-policy", "noeviction")
    fill(own)
    return ask(bed, own.url)


@on_each(
    "a full session store",
    {WRITABLE: "critical", "redis.memory": "critical", "redis.eviction_policy": "ok"},
    never="allkeys-lru",
)
def full_sessions(bed: Bed, start: Start) -> Answer:
    own = start("--maxmemory", "3mb", "--maxmemory-policy", "noeviction")
    fill(own)
    return ask(bed, own.url, purpose="session")


@on_each(
    "full with volatile-lru and no key that expires",
    {WRITABLE: "critical", "redis.memory": "critical"},
    says="volatile-lru leaves nothing to evict",
)
def full_volatile(bed: Bed, start: Start) -> Answer:
    own = start("--maxmemory", "3mb", "--maxmemory-policy", "volatile-lru")
    fill(own)
    return ask(bed, own.url)


@on_each(
    "a full cache that evicts",
    {WRITABLE: "ok", "redis.memory": "ok"},
    says="written and deleted",
)
def full_cache(bed: Bed, start: Start) -> Answer:
    own = start("--maxmemory", "3mb", "--maxmemory-policy", "allkeys-lru")
    fill(own)
    return ask(bed, own.url, canary=True)


@on_each(
    "a full cache in which every key has a TTL, and these are evicted",
    {WRITABLE: "ok", "redis.memory": "ok"},
    says=r"normal for a cache that evicts \(volatile-lru\)",
)
def full_of_temporary_keys(bed: Bed, start: Start) -> Answer:
    own = start("--maxmemory", "3mb", "--maxmemory-policy", "volatile-lru")
    fill(own, 3600)
    return ask(bed, own.url, purpose="cache")


@on_each(
    "a replica where a primary is declared",
    {WRITABLE: "critical"},
    says="READONLY",
)
def demoted(bed: Bed, start: Start) -> Answer:
    return ask(bed, pair(start)[1].url, role="primary", canary=True)


@on_each("a replica where one is declared", {WRITABLE: "ok", REPLICATION: "ok"})
def replica_declared(bed: Bed, start: Start) -> Answer:
    return ask(bed, pair(start)[1].url, role="replica")


@on_each("a primary where a replica is declared", {WRITABLE: "ok", REPLICATION: "warning"})
def promoted(bed: Bed, start: Start) -> Answer:
    return ask(bed, start().url, role="replica")


@on_each("a replica, and nothing is declared", {WRITABLE: NOT_JUDGED, REPLICATION: "ok"})
def replica_undeclared(bed: Bed, start: Start) -> Answer:
    return ask(bed, pair(start)[1].url)


@on_each(
    "a replica that an app tries to write to",
    {WRITABLE: "warning", REPLICATION: "ok"},
    says=r"2 times in the window.*\(READONLY\)",
)
def replica_written_to(bed: Bed, start: Start) -> Answer:
    replica = pair(start)[1]
    for _ in range(2):
        with pytest.raises(ResponseError):
            replica.client.set("key", "value")
    return ask(bed, replica.url)


@on_each(
    "a replica that accepts writes and will lose them",
    {WRITABLE: "warning"},
    says="loses them",
)
def writable_replica(bed: Bed, start: Start) -> Answer:
    return ask(bed, pair(start, "--replica-read-only", "no")[1].url)


@on_each(
    "writes are paused, seen by the server or by a canary",
    {WRITABLE: "critical"},
    says="CLIENT UNPAUSE",
    never="restart",
)
def paused(bed: Bed, start: Start) -> Answer:
    own = start()
    own.client.execute_command("CLIENT", "PAUSE", "60000", "WRITE")
    answer = ask(bed, own.url, canary=True, timeout=4)
    own.client.execute_command("CLIENT", "UNPAUSE")
    assert own.client.dbsize() == 0
    return answer


@on_each(
    "the pause is over",
    {WRITABLE: "ok"},
)
def unpaused(bed: Bed, start: Start) -> Answer:
    own = start()
    own.client.execute_command("CLIENT", "PAUSE", "60000", "WRITE")
    own.client.execute_command("CLIENT", "UNPAUSE")
    return ask(bed, own.url)


@on_each(
    "SET is renamed, which only a canary can see",
    {WRITABLE: "critical"},
    says="A write was refused",
)
def renamed(bed: Bed, start: Start) -> Answer:
    return ask(bed, start("--rename-command", "SET", "hidden").url, canary=True)


@on_each(
    "ACL rules refuse the app's writes",
    {WRITABLE: "warning"},
    says="User app was refused set for lack of permission for a key",
    never="sessions:",
)
def denied(bed: Bed, start: Start) -> Answer:
    return ask(bed, app_writes(start, "~jobs:*").url)


@on_each("ACL rules allow the app's writes", {WRITABLE: "ok"})
def allowed(bed: Bed, start: Start) -> Answer:
    return ask(bed, app_writes(start, "~sessions:*").url)


def app_writes(start: Start, pattern: str) -> Server:
    """A server after an app with a pattern of keys has tried to write one."""
    own = start()
    rules = ["on", f">{SECRET}", pattern, "+@all"]
    own.client.execute_command("ACL", "SETUSER", "app", *rules)
    app = own.client
    app.execute_command("AUTH", "app", SECRET)
    with suppress(RedisError):
        app.set("sessions:1", "value")
    return own


@on_each(
    "a canary that the probe's user may not write",
    {WRITABLE: "unknown"},
    says=r"ACL SETUSER watcher ~gpt-agent-runbook:canary:\*",
)
def canary_denied(bed: Bed, start: Start) -> Answer:
    own = start()
    rights = "on +ping +info +select +dbsize +config|get +client|list"
    own.client.execute_command("ACL", "SETUSER", "watcher", f">{SECRET}", *rights.split())
    return ask(bed, f"redis://watcher:{SECRET}@127.0.0.1:{own.port}", canary=True)


# A cluster.


def clustered(start: Start, slots: int, *options: str) -> Server:
    own = start("--cluster-enabled", "yes", *options)
    if slots:
        for first in range(0, slots, 1024):  # Redis 6.2 takes no ranges
            numbers = map(str, range(first, min(first + 1024, slots)))
            own.client.execute_command("CLUSTER ADDSLOTS", *numbers)
    return own


def cluster_is_up(own: Server) -> bool:
    return own.client.cluster("info")["cluster_state"] == "ok"


@on_each(
    "a cluster without a node for half of its slots",
    {REACHABLE: "ok", WRITABLE: "critical", CLUSTER: "critical"},
    says="8,192 of 16,384 slots have no node.*CLUSTERDOWN",
)
def half_a_cluster(bed: Bed, start: Start) -> Answer:
    own = clustered(start, 8192)
    with pytest.raises(RedisError):
        own.client.set("key", "value")
    return ask(bed, own.url)


@on_each(
    "a cluster that goes on with half of its slots",
    {REACHABLE: "ok", WRITABLE: "critical", CLUSTER: "critical"},
    says="Writes to 50 %",
)
def cluster_goes_on(bed: Bed, start: Start) -> Answer:
    own = clustered(start, 8192, "--cluster-require-full-coverage", "no")
    until(lambda: cluster_is_up(own))
    return ask(bed, own.url)


@on_each(
    "a cluster with all of its slots",
    {REACHABLE: "ok", WRITABLE: "ok", CLUSTER: "ok"},
    says="all 16,384 slots are served",
)
def healthy_cluster(bed: Bed, start: Start) -> Answer:
    own = clustered(start, 16384)
    until(lambda: cluster_is_up(own))
    answer = ask(bed, own.url, canary=True)
    assert own.client.dbsize() == 0
    return answer
