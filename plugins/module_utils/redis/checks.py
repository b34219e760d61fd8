# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The checks of Redis: what each means, its thresholds and its remedy."""

from __future__ import annotations

from ..core.definition import BENCHMARKS, METRICS, Definition, above, below

CHECKS: dict[str, Definition] = {
    "redis.reachable": Definition(
        "Redis answers PING; the value is the slowest of several.",
        "Check Redis: 'systemctl status redis', its log and memory.",
        "seconds",
        above(0.1, 1.0),
        "a healthy local Redis answers in less than a millisecond",
    ),
    "redis.writable": Definition(
        "Nothing refuses writes: replicas that min-replicas-to-write asks for, failed saves, full "
        "memory, a pause, the role, the cluster; with canary, a key is written and deleted.",
        "The summary names what refuses writes; Redis' log says since when.",
    ),
    "redis.cluster": Definition(
        "Every slot of the cluster is served; only if the server is part of a Redis Cluster.",
        "See 'CLUSTER NODES' for nodes that fail, and 'redis-cli --cluster check HOST:PORT'.",
        "count",
    ),
    "redis.memory": Definition(
        "Memory in use, of maxmemory, or of the host's memory if maxmemory is 0.",
        "Find large keys and keys that never expire; raise maxmemory if the host has free memory.",
        "percent",
        above(75, 90),
        "redis_exporter's alert at 90 %, with time to act before it",
    ),
    "redis.eviction_policy": Definition(
        "maxmemory-policy fits the purpose of this Redis.",
        "Set the policy for the purpose: allkeys-lru for a cache; noeviction for a queue; "
        "volatile-* or noeviction for sessions.",
    ),
    "redis.evictions": Definition(
        "Keys that were evicted for lack of memory in the window.",
        "Raise maxmemory or store less; a queue or session store must never evict.",
        "count",
        above(0, None),
        "applies to a queue or session store; a cache may evict",
    ),
    "redis.hit_rate": Definition(
        "Share of key lookups that found their key in the window.",
        "Check whether keys expire too early or are evicted, and whether a deployment changed the "
        "key names.",
        "percent",
        below(90, 80),
        f"{BENCHMARKS} (Cache Hit Rate)",
    ),
    "redis.clients": Definition(
        "Connected clients, of maxclients.",
        "See 'CLIENT LIST' for the address that holds them; find the app that opens a connection "
        "for each request.",
        "percent",
        above(80, 90),
        f"{METRICS} (Database Connections)",
    ),
    "redis.rejected_connections": Definition(
        "Connections that were rejected in the window because maxclients was reached.",
        "Raise maxclients (and the service's LimitNOFILE), or find the app that leaks connections.",
        "count",
        above(0, 100),
        "each is a failed request",
    ),
    "redis.persistence": Definition(
        "The last snapshot and the last writes to the append-only file worked.",
        "Read Redis' log, which names the reason; check free space and permissions on its disk.",
    ),
    "redis.replication": Definition(
        "A replica is linked to its primary and hears from it; a primary has the replicas it "
        "should have, and hears from them.",
        "Check the network and the password between replica and primary, and the logs of both.",
        "count",
    ),
    "redis.fragmentation": Definition(
        "Resident memory per byte that Redis allocated.",
        "If too high: 'CONFIG SET activedefrag yes' or a planned restart. If below 1: Redis is "
        "swapped out, add memory.",
        "",
        above(1.5, 3),
        "Redis' documentation calls 1.5 excessive",
    ),
    "redis.client_buffers": Definition(
        "Clients that were disconnected in the window because they sent or fetched more than "
        "client-output-buffer-limit or client-query-buffer-limit allows.",
        "Find clients that read too slowly, such as subscribers, or send huge commands; see the "
        "evidence of redis.clients.",
        "count",
        above(0, None),
        "each is a failed request",
    ),
    "redis.slow_commands": Definition(
        "The slowest command of the last hour, by the slow log: no other client is served "
        "meanwhile.",
        "Replace KEYS by SCAN, and split large keys and commands; the evidence names the commands.",
        "seconds",
        above(0.1, 1.0),
        "every client waits for it, as for redis.reachable",
    ),
    "redis.security": Definition(
        "A client needs a password, or can connect only from the server's own host.",
        "Set requirepass (or ACL users) and add it to the app's URL, or bind Redis to 127.0.0.1.",
    ),
    "redis.big_keys": Definition(
        "The largest of some keys; only if key_samples is set.",
        "Split it: deleting, expiring or reading it at once blocks every client. Use UNLINK to "
        "remove it.",
        "bytes",
        above(10 * 1024**2, 100 * 1024**2),
        "such keys block the server for milliseconds to seconds",
    ),
    "redis.contents": Definition(
        "What the keys are for, by how their names begin; the value is how many a flush would "
        "remove.",
        "See the evidence for what would be lost.",
        "count",
    ),
    "redis.flush": Definition(
        "A flush removed what it was to remove; the value is how many keys are left.",
        "The summary says why nothing, or not all, was removed.",
        "count",
    ),
    "redis.config": Definition(
        "The settings are as asked for; the value is how many are not.",
        "The summary says why it was refused; nothing has changed then.",
        "count",
    ),
    "redis.config_drift": Definition(
        "The configuration file says what is running; the value is how many settings a restart "
        "would change.",
        "Decide which is right: 'CONFIG REWRITE' (or redis_config) keeps what is running, "
        "'CONFIG SET' goes back to what the file says.",
        "count",
        above(0, None),
        "a restart would change how Redis works",
    ),
    "redis.config_persisted": Definition(
        "A restart keeps the settings that were asked for.",
        "Until the reason is removed, set them again after each restart, or write them where "
        "Redis is started.",
    ),
    "redis.recovery": Definition(
        "Redis works; if not, the cause, and whether a restart is the cure.",
        "Run playbooks/redis_recovery.yml with runbook_confirm naming the host, which restarts it.",
    ),
}
