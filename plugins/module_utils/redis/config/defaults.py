# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Defaults of settings that do not differ between Redis 6.2 and 8, and Valkey 8 and 9.

A setting that a file does not name has its default after a restart.
"""

from __future__ import annotations

DEFAULTS = {
    "activedefrag": "no",
    "activerehashing": "yes",
    "appendfsync": "everysec",
    "appendonly": "no",
    "auto-aof-rewrite-min-size": "67108864",
    "auto-aof-rewrite-percentage": "100",
    "client-output-buffer-limit": (
        "normal 0 0 0 replica 268435456 67108864 60 pubsub 33554432 8388608 60"
    ),
    "hz": "10",
    "latency-monitor-threshold": "0",
    "lfu-decay-time": "1",
    "lfu-log-factor": "10",
    "loglevel": "notice",
    "maxmemory": "0",
    "maxmemory-clients": "0",
    "maxmemory-policy": "noeviction",
    "maxmemory-samples": "5",
    "min-replicas-max-lag": "10",
    "min-replicas-to-write": "0",
    "no-appendfsync-on-rewrite": "no",
    "notify-keyspace-events": "",
    "rdbcompression": "yes",
    "replica-read-only": "yes",
    "replica-serve-stale-data": "yes",
    "save": "3600 1 300 100 60 10000",
    "slowlog-log-slower-than": "10000",
    "slowlog-max-len": "128",
    "stop-writes-on-bgsave-error": "yes",
    "tcp-keepalive": "300",
    "timeout": "0",
}
