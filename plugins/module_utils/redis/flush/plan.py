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
    nodes: Mapping[str, int] = field(default_factory=dict)
    """Keys by the address of each primary of a cluster; empty if it is none."""
    obstacle: str = ""
    """Why the server, or the cluster, cannot remove the keys now."""
    used: int = 0
    """Bytes of memory that the servers use."""

    @property
    def where(self) -> str:
        """``, on 3 nodes of a cluster``; empty if it is none."""
        return f", on {pluralize(len(self.nodes), 'node')} of a cluster" if self.nodes else ""

    @property
    def before(self) -> dict[str, Any]:
        """How many keys there are, in a cluster on each node."""
        return {"keys": self.keys, **({"nodes": dict(self.nodes)} if self.nodes else {})}


def refusals(snapshot: Snapshot, options: Options) -> list[str]:
    """Every reason not to remove the keys, except that it is not confirmed."""
    return [*_of_server(snapshot, options), *_of_data(snapshot, options)]


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


def _of_server(snapshot: Snapshot, options: Options) -> Iterator[str]:
    info = snapshot.info
    if info.get("role") == "slave":
        primary = host_port(info["master_host"], info["master_port"])
        yield (
            f"this is a replica of {primary}: use that address in redis_url, keys are removed on "
            "the primary, and here with it"
        )
    if snapshot.obstacle:
        yield snapshot.obstacle
    if snapshot.nodes and options.dump_dir:
        yield (
            f"dump_dir: a dump is one server's, and this cluster has {len(snapshot.nodes)} "
            "primaries: take one with 'redis-cli --cluster backup HOST:PORT FOLDER', then leave "
            "dump_dir out"
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
    if not inventory.typed and options.purpose != "cache":
        yield (
            "TYPE is refused, so jobs in streams would not be recognized: allow it ('ACL SETUSER "
            f"{options.endpoint.user} +type'), or declare what it is for (redis_purpose: cache)"
        )
    if not inventory.complete and options.purpose != "cache":
        yield (
            f"only {pluralize(inventory.keys, 'key')} could be inspected within time_limit "
            f"({format_value(options.time_limit, 'seconds')}), so there may be jobs or sessions "
            "among the others: raise time_limit, or declare what it is for (redis_purpose: cache)"
        )
