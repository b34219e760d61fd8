# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is asked only if the first answers call for it: the cluster, refused and real writes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from ..core.text import shorten
from .big_keys import take_sample
from .canary import write_canary
from .commands import refusals
from .connection import redis
from .options import Options
from .snapshot import Snapshot

#: Seconds after which a refusal is history.
_RECENT = 600
#: They may write, but are in another category of commands.
_SCRIPTS = {"eval", "evalsha", "fcall"}


def add_details(client: redis.Redis, options: Options, snapshot: Snapshot) -> Snapshot:
    """The snapshot with more about what it shows."""
    info = snapshot.info
    if snapshot.error and not info:
        return snapshot
    if options.key_samples:
        snapshot = replace(snapshot, keys=take_sample(options, min(3.0, options.timeout / 2)))
    if not info:
        return snapshot
    if info.get("cluster_enabled"):
        snapshot = _with_cluster(client, options, snapshot)
    if info.get("errorstat_NOPERM"):
        snapshot = replace(snapshot, denials=_denials(client, options))
    # A write to a paused server would wait for its end.
    if options.canary and info["role"] == "master" and info.get("paused_actions") in (None, "none"):
        snapshot = replace(snapshot, canary=write_canary(client, options.endpoint))
    return snapshot


def _with_cluster(client: redis.Redis, options: Options, snapshot: Snapshot) -> Snapshot:
    try:
        answer = client.execute_command("CLUSTER INFO")
    except redis.ResponseError as error:
        refused = refusals({"CLUSTER INFO": error}, options.endpoint)
        return replace(snapshot, refused={**snapshot.refused, **refused})
    if isinstance(answer, str):  # redis-py before 5
        lines = answer.splitlines()
        return replace(snapshot, cluster=dict(each.split(":", 1) for each in lines if ":" in each))
    return replace(snapshot, cluster={str(name): str(value) for name, value in answer.items()})


def _denials(client: redis.Redis, options: Options) -> list[dict[str, Any]]:
    """Writes that ACL rules refused lately; never the keys. Empty without permission to see."""
    pipeline = client.pipeline(transaction=False)
    pipeline.acl_log()
    pipeline.acl_cat("write")
    log, writes = pipeline.execute(raise_on_error=False)
    if isinstance(log, Exception) or isinstance(writes, Exception):
        return []
    writing = {*writes, *_SCRIPTS}
    rows = [_denial(entry) for entry in log]
    own = options.endpoint.username or "default"
    return [
        row
        for row in rows
        if row["command"] in writing
        and row["seconds ago"] <= _RECENT
        and not (options.canary and row["user"] == own and row["command"] == "set")
    ]


def _denial(entry: Mapping[str, Any]) -> dict[str, Any]:
    command = entry["object"] if entry["reason"] == "command" else entry["client-info"]["cmd"]
    return {
        "user": shorten(str(entry["username"]), 40),
        "command": str(command).lower(),
        "refused": entry["reason"],
        "times": int(entry["count"]),
        "seconds ago": float(entry["age-seconds"]),
    }
