# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The verdicts on Redis or Valkey."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Callable

from ..core.check import CRITICAL, UNKNOWN, Check
from ..core.errors import NotCollected, RunbookError, Unreachable
from ..core.thresholds import Thresholds
from ..core.units import format_value
from .big_keys import assess_big_keys
from .clients import assess_client_buffers, assess_clients, assess_rejected_connections
from .cluster import assess_cluster
from .hit_rate import assess_hit_rate
from .memory import (
    assess_eviction_policy,
    assess_evictions,
    assess_fragmentation,
    assess_memory,
)
from .options import Options
from .persistence import assess_persistence
from .remedies import as_offered
from .replication import assess_replication
from .security import assess_security
from .slow_log import assess_slow_commands
from .snapshot import Snapshot
from .writable import assess_writable

#: The verdicts that need INFO; each raises KeyError if a figure is missing from it.
_VERDICTS: Mapping[str, Callable[[Snapshot, Options, Thresholds], Check]] = {
    "redis.writable": assess_writable,
    "redis.cluster": assess_cluster,
    "redis.memory": assess_memory,
    "redis.eviction_policy": assess_eviction_policy,
    "redis.evictions": assess_evictions,
    "redis.hit_rate": assess_hit_rate,
    "redis.clients": assess_clients,
    "redis.rejected_connections": assess_rejected_connections,
    "redis.persistence": assess_persistence,
    "redis.replication": assess_replication,
    "redis.fragmentation": assess_fragmentation,
    "redis.client_buffers": assess_client_buffers,
    "redis.slow_commands": assess_slow_commands,
    "redis.security": assess_security,
    "redis.big_keys": assess_big_keys,
}

#: Those of them that can do without, if INFO is refused.
_WITHOUT_INFO = ("redis.slow_commands", "redis.security", "redis.big_keys")

_DEFAULT_URL = (
    "This is the default address: if Redis runs elsewhere, set redis_url in the inventory; a "
    "REDIS_URL that is exported only on the controller is not seen by a module that runs on the "
    "host."
)


def assess(snapshot: Snapshot, options: Options, thresholds: Thresholds) -> Iterator[Check]:
    """All checks of Redis, or ``redis.reachable`` alone if it cannot be used."""
    yield _reachable(snapshot, options, thresholds)
    if snapshot.error and not snapshot.info:
        return
    for name, verdict in _VERDICTS.items():
        # A worker that polls an empty queue has missed nothing.
        if name == "redis.hit_rate" and options.purpose == "queue":
            continue
        if name == "redis.cluster" and not snapshot.info.get("cluster_enabled"):
            continue
        if name == "redis.big_keys" and not options.key_samples:
            continue
        if snapshot.info_error and name not in _WITHOUT_INFO:
            yield _info_refused(name, snapshot.info_error, thresholds)
            continue
        try:
            yield as_offered(verdict(snapshot, options, thresholds), snapshot)
        except KeyError as missing:
            if snapshot.info_error:
                yield _info_refused(name, snapshot.info_error, thresholds)
            else:
                yield _figure_missing(name, str(missing.args[0]), thresholds)


def no_answer(options: Options, thresholds: Thresholds) -> Check:
    """The check of a Redis that used up the whole time limit."""
    return thresholds.verdict(
        "redis.reachable",
        CRITICAL,
        f"{options.endpoint.address} gave no complete answer within "
        f"{format_value(options.timeout, 'seconds')}",
        remedy="It answers, but too slowly: check the network between here and there, and the "
        "load of its host with 'top'.",
    )


def _reachable(snapshot: Snapshot, options: Options, thresholds: Thresholds) -> Check:
    error = snapshot.error
    if error:
        status = UNKNOWN if isinstance(error, NotCollected) else CRITICAL
        remedy = error.remedy
        if isinstance(error, Unreachable) and options.is_default_url:
            remedy = f"{remedy} {_DEFAULT_URL}".strip()
        return thresholds.verdict("redis.reachable", status, str(error), remedy=remedy)
    slowest = max(snapshot.latencies)
    summary = (
        f"{_product(snapshot)} on {snapshot.address} answers in {format_value(slowest, 'seconds')}"
    )
    if len(snapshot.latencies) > 1:
        summary += f", the slowest of {len(snapshot.latencies)}"
    return thresholds.evaluate("redis.reachable", slowest, summary)


def _product(snapshot: Snapshot) -> str:
    if "valkey_version" in snapshot.info:
        return f"Valkey {snapshot.info['valkey_version']}"
    return f"Redis {snapshot.info.get('redis_version', '')}".strip()


def _info_refused(name: str, error: RunbookError, thresholds: Thresholds) -> Check:
    """The same words for each, so that the report can say them once."""
    text = f"Cannot be judged without INFO: {error}"
    return thresholds.verdict(name, UNKNOWN, text, remedy=error.remedy)


def _figure_missing(name: str, figure: str, thresholds: Thresholds) -> Check:
    remedy = (
        "Connect to the server itself, not to a proxy or a Sentinel. "
        "Its version must be 6.2 or newer."
    )
    return thresholds.verdict(name, UNKNOWN, f"INFO does not contain {figure}", remedy=remedy)
