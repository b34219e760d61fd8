# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the health probe asks Redis or Valkey: a few PINGs, then one pipeline."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from ..core.deadline import Deadline
from ..core.state import Delta, Sample, StateFile, now_sample
from ..core.text import redact, shorten
from ..core.units import format_duration
from ..linux.cgroup import MemoryGroup, memory_group
from .connection import Endpoint, Refusal, connect, explain, redis, reply

#: Seconds that Redis gets for each answer, and at most half of the module's time limit.
_PATIENCE = 3.0
#: Share of maxclients from which on the clients are listed, to say who they are.
_CROWDED = 0.5
#: Counters that are judged over the span since the last run.
_COUNTERS = ("keyspace_hits", "keyspace_misses", "evicted_keys", "rejected_connections")


@dataclass(frozen=True)
class Snapshot:
    """Everything that was seen."""

    address: str
    refusal: Refusal | None = None
    """Why Redis could not be used, or not for what matters."""
    latencies: Sequence[float] = ()
    """Seconds of each PING, without those of connecting."""
    blind: Refusal | None = None
    """Why it answers PING but not INFO."""
    info: Mapping[str, Any] = field(default_factory=dict)
    save: str | None = None
    """The save points; empty where snapshots are switched off, none where CONFIG was refused."""
    group: MemoryGroup | None = None
    """The memory limit of the server's cgroup, and its bytes that are swapped out, where it runs on this machine."""
    swapped: int | None = None
    clients: Sequence[Mapping[str, Any]] = ()
    """Who holds the connections, where they are many."""
    delta: Delta | None = None


def collect(
    endpoint: Endpoint, samples: int, state: StateFile, deadline: Deadline
) -> tuple[Snapshot, Sample | None]:
    """Ask Redis, and return with what it said the counters to keep for the next run."""
    patience = min(_PATIENCE, deadline.seconds / 2)
    client = connect(endpoint, patience)
    seen = Snapshot(endpoint.address)
    try:
        seen = _pings(client, samples, seen, endpoint)
        info, save, data = _pipeline(client)
        refusal = reply(str(data), endpoint) if isinstance(data, Exception) else None
        if refusal and refusal.kind == "primary down":  # which Redis 6 does not mention to PING
            return replace(
                seen,
                refusal=replace(refusal, summary=refusal.summary + _detail(client, refusal.kind)),
            ), None
        if isinstance(info, Exception):
            why = shorten(redact(str(info), [endpoint.password]), 200)
            blind = reply(str(info), endpoint) or Refusal(
                "failed", why, "Let this user run INFO by its own name."
            )
            return replace(seen, blind=blind), None
        clients = (
            _holders(client)
            if info.get("connected_clients", 0) > _CROWDED * info.get("maxclients", float("inf"))
            else []
        )
    except (redis.RedisError, OSError) as error:
        refusal = explain(error, endpoint, patience)
        return replace(
            seen, refusal=replace(refusal, summary=refusal.summary + _detail(client, refusal.kind))
        ), None
    finally:
        client.close()
    sample = now_sample(
        str(info.get("run_id", "")), {name: info[name] for name in _COUNTERS if name in info}
    )
    # CONFIG RESETSTAT may have come since the start, and leaves no trace of when.
    delta = state.delta(sample, info.get("uptime_in_seconds"), "start or CONFIG RESETSTAT, at most")
    seen = replace(
        seen,
        info=info,
        save=save.get("save") if isinstance(save, dict) else None,
        clients=clients,
        delta=delta,
    )
    return (_on_this_machine(seen, info) if endpoint.local else seen), sample


def _pings(client: redis.Redis, samples: int, seen: Snapshot, endpoint: Endpoint) -> Snapshot:
    try:
        client.ping()
        return replace(seen, latencies=[_timed_ping(client) for _sample in range(samples)])
    except redis.ResponseError as error:
        refusal = reply(str(error), endpoint)
        if (
            refusal and refusal.kind == "cannot save"
        ):  # PING counts as a write then; the rest is still answered
            return replace(seen, refusal=refusal)
        raise


def _timed_ping(client: redis.Redis) -> float:
    start = time.perf_counter()
    client.ping()
    return time.perf_counter() - start


def _pipeline(client: redis.Redis) -> list[Any]:
    """INFO, the save points and the answer to a harmless command on data; each may be an exception instead."""
    pipeline = client.pipeline(transaction=False)
    pipeline.info()
    pipeline.config_get("save")
    pipeline.dbsize()
    return pipeline.execute(raise_on_error=False)


def _detail(client: redis.Redis, kind: str) -> str:
    """More on a refusal, from the one command that is answered nevertheless."""
    try:
        if kind == "loading":
            info = client.info("persistence")
            return f": {info['loading_loaded_perc']:.0f} % done, about {format_duration(info['loading_eta_seconds'])} left"
        if kind == "primary down":
            info = client.info("replication")
            return f" ({info['master_host']}:{info['master_port']}, cut off for {format_duration(info['master_link_down_since_seconds'])})"
    except (redis.RedisError, OSError, KeyError, ValueError):
        pass
    return ""


def _holders(client: redis.Redis) -> list[dict[str, Any]]:
    """Who holds the connections, by address, name and user; never what they do."""
    try:
        listed = client.client_list()
    except redis.ResponseError:  # not allowed
        return []
    count = Counter(
        (
            c.get("addr", "").rpartition(":")[0],
            shorten(redact(c.get("name", "")), 40),
            c.get("user", ""),
        )
        for c in listed
    )
    return [
        {"address": address, "name": name, "user": user, "connections": number}
        for (address, name, user), number in count.most_common(5)
    ]


def _on_this_machine(seen: Snapshot, info: Mapping[str, Any]) -> Snapshot:
    """What only the server's own machine knows. The process id may be one of a container's, so the name has to fit as well."""
    pid = str(info.get("process_id"))
    try:
        with open(f"/proc/{pid}/status") as stream:
            status = dict(line.split(":", 1) for line in stream.read().splitlines())
        if not any(word in status["Name"] for word in ("redis", "valkey", "keydb")):
            return seen
        return replace(
            seen, group=memory_group(pid), swapped=int(status["VmSwap"].split()[0]) * 1024
        )
    except (OSError, KeyError, ValueError):
        return seen
