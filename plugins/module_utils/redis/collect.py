# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the health probe asks Redis or Valkey: a few PINGs, then one pipeline."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from ..core.deadline import Deadline
from ..core.errors import RunbookError
from ..core.state import StateFile, now_sample
from ..core.units import format_duration
from ..linux.cgroup import memory_group
from ..linux.proc import read_text
from .clients import group_clients
from .commands import refusals
from .connection import Endpoint, connect, redis
from .details import add_details
from .errors import (
    Loading,
    PrimaryDown,
    SaveFailed,
    error_of_exception,
    error_of_reply,
    sentinel_instead,
    with_detail,
)
from .options import Options
from .slow_log import ENTRIES, slow_commands
from .snapshot import Disk, Snapshot

#: Seconds to wait for each answer, at most half of the module's time limit.
_TIMEOUT = 3.0
#: Share of maxclients from which on the clients are listed however many they are.
_MANY_CLIENTS = 0.5
#: Number of clients up to which they are always listed.
_FEW_CLIENTS = 1000
#: Counters that are judged over the span since the last run.
_COUNTERS = (
    "keyspace_hits",
    "keyspace_misses",
    "evicted_keys",
    "rejected_connections",
    "acl_access_denied_auth",
    "client_query_buffer_limit_disconnections",
    "client_output_buffer_limit_disconnections",
)
#: Refusals that are counted as well; INFO has only those that happened.
_REFUSALS = ("errorstat_OOM", "errorstat_READONLY")
#: Settings that decide about writes and replication.
_SETTINGS = (
    "save",
    "stop-writes-on-bgsave-error",
    "min-replicas-*",
    "repl-ping-replica-period",
    "bind",
    "protected-mode",
    "slowlog-*",
    "enable-*",
)


def collect(options: Options, state: StateFile, deadline: Deadline) -> Snapshot:
    """Ask Redis; never raises because Redis fails."""
    endpoint = options.endpoint
    timeout = min(_TIMEOUT, deadline.seconds / 2)
    client = connect(endpoint, timeout)
    snapshot = Snapshot(endpoint.address)
    try:
        snapshot = _ping(client, options, snapshot)
        snapshot = _ask(client, endpoint, snapshot)
        snapshot = add_details(client, options, snapshot)
    except (redis.RedisError, OSError) as exception:
        error = error_of_exception(exception, endpoint, timeout)
        return replace(snapshot, error=with_detail(error, _detail(client, error)))
    finally:
        client.close()
    if not snapshot.info:
        return snapshot
    snapshot = _compare_counters(snapshot, state)
    return _add_process(snapshot) if endpoint.local else snapshot


def _ping(client: redis.Redis, options: Options, snapshot: Snapshot) -> Snapshot:
    try:
        client.ping()
        latencies = [_ping_seconds(client) for _sample in range(options.samples)]
        return replace(snapshot, latencies=latencies)
    except redis.ResponseError as exception:
        error = error_of_reply(str(exception), options.endpoint)
        if isinstance(error, SaveFailed):  # PING counts as a write then; INFO still works
            return replace(snapshot, error=error)
        raise


def _ping_seconds(client: redis.Redis) -> float:
    start = time.perf_counter()
    client.ping()
    return time.perf_counter() - start


def _ask(client: redis.Redis, endpoint: Endpoint, snapshot: Snapshot) -> Snapshot:
    """INFO, some settings and, if there are many, the clients."""
    pipeline = client.pipeline(transaction=False)
    pipeline.info()
    pipeline.dbsize()  # a harmless command on data
    pipeline.slowlog_get(ENTRIES)
    pipeline.acl_getuser("default")
    for pattern in _SETTINGS:
        pipeline.config_get(pattern)
    info, data, slow, user, *answers = pipeline.execute(raise_on_error=False)
    if isinstance(data, Exception):
        error = error_of_reply(str(data), endpoint)
        if isinstance(error, PrimaryDown):  # Redis 6 answers PING all the same
            return replace(snapshot, error=with_detail(error, _detail(client, error)))
    if isinstance(info, dict) and "sentinel" in (info.get("redis_mode"), info.get("server_mode")):
        return replace(snapshot, error=sentinel_instead(endpoint))
    said = {"INFO": info, "CONFIG GET": answers[0], "SLOWLOG GET": slow, "ACL GETUSER": user}
    settings = {
        name: value
        for answer in answers
        if isinstance(answer, dict)
        for name, value in answer.items()
    }
    known = info if isinstance(info, dict) else {}
    facts, said["CLIENT LIST"] = _client_facts(client, known)
    return replace(
        snapshot,
        info=known,
        refused=refusals(said, endpoint),
        settings=settings,
        save=settings.get("save"),
        slow=None if isinstance(slow, Exception) else slow_commands(slow),
        default_user=user["flags"] if isinstance(user, dict) else None,
        **facts,
    )


def _detail(client: redis.Redis, error: RunbookError) -> str:
    """More about an error, from the one command that still works; empty if it fails too."""
    try:
        if isinstance(error, Loading):
            info = client.info("persistence")
            left = info["loading_eta_seconds"]
            rest = f", about {format_duration(left)} left" if left >= 0 else ""
            return f": {info['loading_loaded_perc']:.0f} % done{rest}"
        if isinstance(error, PrimaryDown):
            info = client.info("replication")
            seconds = info["master_link_down_since_seconds"]
            down = f"for {format_duration(seconds)}" if seconds >= 0 else "since its start"
            return f" ({info['master_host']}:{info['master_port']}, down {down})"
    except (redis.RedisError, OSError, KeyError, ValueError):
        pass
    return ""


def _client_facts(
    client: redis.Redis, info: Mapping[str, Any]
) -> tuple[dict[str, Any], Exception | None]:
    """Who is connected, if that is worth a list of all clients; and why that was refused."""
    connected = info.get("connected_clients", 0)
    if _FEW_CLIENTS < connected <= _MANY_CLIENTS * info.get("maxclients", float("inf")):
        return {}, None
    try:
        clients = client.client_list()
    except redis.ResponseError as refused:
        return {}, refused
    monitors = sum("O" in each.get("flags", "") for each in clients)
    return {"clients": group_clients(clients), "monitors": monitors}, None


def _compare_counters(snapshot: Snapshot, state: StateFile) -> Snapshot:
    """The snapshot with its counters, and their rise since the last run."""
    info = snapshot.info
    counters = {name: info[name] for name in _COUNTERS if name in info}
    counters.update((name, info.get(name, {}).get("count", 0)) for name in _REFUSALS)
    sample = now_sample(str(info.get("run_id", "")), counters)
    # CONFIG RESETSTAT may have reset them since the start; it does not record when.
    epoch = "start or CONFIG RESETSTAT, at most"
    delta = state.delta(sample, info.get("uptime_in_seconds"), epoch)
    return replace(snapshot, delta=delta, sample=sample)


def _add_process(snapshot: Snapshot) -> Snapshot:
    """The snapshot with what /proc knows of the server.

    The process id may be from inside a container, so the name must match as well.
    """
    pid = str(snapshot.info.get("process_id"))
    try:
        lines = read_text(f"/proc/{pid}/status").splitlines()
        status = dict(line.split(":", 1) for line in lines)
        if not any(name in status["Name"] for name in ("redis", "valkey", "keydb")):
            return snapshot
        swapped = int(status["VmSwap"].split()[0]) * 1024
        disk = _disk(pid) if _save_failed(snapshot.info) else None
        return replace(snapshot, cgroup=memory_group(pid), swapped=swapped, disk=disk)
    except (OSError, KeyError, ValueError):
        return snapshot


def _save_failed(info: Mapping[str, Any]) -> bool:
    return "err" in (info.get("rdb_last_bgsave_status"), info.get("aof_last_write_status"))


def _disk(pid: str) -> Disk | None:
    """The folder for data, in which the server runs; none without permission to see it."""
    folder = f"/proc/{pid}/cwd"
    try:
        room = os.statvfs(folder)
        return Disk(os.readlink(folder), room.f_bavail * room.f_frsize)
    except OSError:
        return None
