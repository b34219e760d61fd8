# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The servers that have the keys: the one of the URL, or every primary of its cluster."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from ..cluster import SLOTS
from ..connection import Endpoint
from ..server import Server
from .options import Options

_DOWN = {"fail", "fail?", "noaddr", "handshake"}


@dataclass(frozen=True)
class Node:
    """A node, as CLUSTER NODES describes it."""

    host: str
    port: int
    name: str = ""
    """The name that it announces, if it does."""
    own: bool = False
    """Whether this is the node that was asked."""
    primary: bool = False
    down: bool = False
    slots: int = 0
    moving: int = 0
    """Slots that are on their way to or from another node."""

    def endpoint(self, asked: Endpoint) -> Endpoint:
        """Its address; with TLS by the name, as that is what certificates are for."""
        host = self.name if self.name and asked.tls is not None else self.host
        return replace(asked, host=host, port=self.port, path="")


def parse_nodes(text: str) -> list[Node]:
    """The nodes in what CLUSTER NODES answers, a line for each."""
    rows = [line.split() for line in text.splitlines()]
    return [_node(row) for row in rows if len(row) > 7]


def _node(row: Sequence[str]) -> Node:
    address, *details = row[1].split(",")
    host, _colon, port = address.partition("@")[0].rpartition(":")
    name = details[0] if details and "=" not in details[0] else ""
    flags = set(row[2].split(","))
    slots = [part for part in row[8:] if not part.startswith("[")]
    return Node(
        host.strip("[]"),
        int(port or 0),
        name,
        "myself" in flags,
        "master" in flags,
        bool(flags & _DOWN),
        sum(_size(part) for part in slots),
        len(row[8:]) - len(slots),
    )


def _size(slots: str) -> int:
    """How many slots ``5461-10922`` or ``7`` are."""
    first, _dash, last = slots.partition("-")
    return int(last or first) - int(first) + 1


def find_nodes(asked: Server) -> tuple[list[Server], str]:
    """The servers with the keys, and why they must not be removed now, if so.

    Raises what `Server.ask` raises. A replica is the only one: it names its primary itself.
    """
    info = asked.info()
    if not info.get("cluster_enabled") or info.get("role") == "slave":
        return [asked], ""
    said = asked.ask("CLUSTER NODES", lambda client: client.execute_command("CLUSTER", "NODES"))
    primaries = [node for node in parse_nodes(str(said)) if node.primary and node.slots]
    servers = [
        asked if node.own else Server(node.endpoint(asked.endpoint), asked.timeout)
        for node in sorted(primaries, key=lambda node: (node.host, node.port))
        if not node.down
    ]
    return servers or [asked], _obstacle(primaries)


def _obstacle(primaries: Sequence[Node]) -> str:
    """Why the keys of a cluster cannot all be seen or removed; empty if they can."""
    served = sum(node.slots for node in primaries if not node.down)
    moving = sum(node.moving for node in primaries)
    if served < SLOTS:
        return (
            f"{SLOTS - served:,} of the cluster's {SLOTS:,} slots are served by no node, so their "
            "keys can neither be seen nor removed; see redis.cluster"
        )
    if moving:
        return (
            "slots are being moved between the nodes of the cluster, so keys may be missed: wait, "
            "or end that with 'redis-cli --cluster fix HOST:PORT'"
        )
    return ""


def count(info: Mapping[str, Any], options: Options) -> int:
    """Keys in the database of the URL, or in all of them, by INFO."""
    wanted = None if options.all_databases else f"db{options.endpoint.database}"
    return sum(
        int(row["keys"])
        for name, row in info.items()
        if name.startswith("db") and name[2:].isdigit() and wanted in (None, name)
    )


def databases(info: Mapping[str, Any], options: Options) -> list[int]:
    """The databases in which keys are to be removed."""
    if not options.all_databases:
        return [options.endpoint.database]
    return sorted(int(name[2:]) for name in info if name.startswith("db") and name[2:].isdigit())
