# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether keys may be removed, and why not. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from ...core.units import format_value, pluralize
from ...net.url import host_port
from ..keys import QUEUE, SESSION
from .inventory import Inventory
from .options import Options

LOST = {QUEUE: "jobs", SESSION: "sessions, so users would need to log in again"}


@dataclass(frozen=True)
class Snapshot:
    """What was seen before anything is removed."""

    info: Mapping[str, Any]
    inventory: Inventory
    keys: int
    """Keys that are to be removed."""
    total: int
    """Keys in all databases."""
    primaries: int = 0
    """Primaries of the cluster; 0 if it is none."""
    others: Mapping[int, int] = field(default_factory=dict)
    """Keys in each database."""


def refusals(snapshot: Snapshot, options: Options) -> list[str]:
    """Every reason not to remove the keys, except that it is not confirmed."""
    return [*_of_server(snapshot), *_of_data(snapshot, options)]


def unconfirmed(keys: int, options: Options) -> str:
    """What is wrong with ``confirm``; empty if it matches."""
    if options.confirm is None:
        return f"confirm: must be the number of keys that are to be removed; give {keys}"
    if not options.confirms(keys):
        return (
            f"confirm: says {options.confirm:,}, but there are {keys:,} keys now: this may be "
            "another server, or others have written since; look again before you confirm"
        )
    return ""


def _of_server(snapshot: Snapshot) -> Iterator[str]:
    info = snapshot.info
    if info.get("role") == "slave":
        primary = host_port(info["master_host"], info["master_port"])
        yield f"this is a replica of {primary}: keys are removed on the primary, and here with it"
    if snapshot.primaries:
        yield (
            f"this is one node of a cluster with {snapshot.primaries} primaries, each with a part "
            "of the keys: 'redis-cli --cluster call HOST:PORT FLUSHDB ASYNC "
            "--cluster-only-masters' reaches all of them"
        )


def _of_data(snapshot: Snapshot, options: Options) -> Iterator[str]:
    inventory = snapshot.inventory
    for kind in (QUEUE, SESSION):
        if kind in options.allow:
            continue
        groups = inventory.of_kind(kind)
        if groups:
            named = ", ".join(f"{group.prefix} ({group.keys:,})" for group in groups[:3])
            yield (
                f"it holds {kind} data, {named}: flushing loses {LOST[kind]}; 'allow: [{kind}]' "
                "removes it all the same"
            )
        elif options.purpose == kind:
            yield (
                f"it is declared as a {kind} store: flushing loses {LOST[kind]}; "
                f"'allow: [{kind}]' removes it all the same"
            )
    if not inventory.complete and options.purpose != "cache":
        yield (
            f"only {pluralize(inventory.keys, 'key')} could be inspected within time_limit "
            f"({format_value(options.time_limit, 'seconds')}), so there may be jobs or sessions "
            "among the others: raise time_limit, or declare what it is for (redis_purpose: cache)"
        )
