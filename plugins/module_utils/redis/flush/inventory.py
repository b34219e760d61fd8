# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is in a database: how many keys of which kind, by a scan within a time limit."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Callable

from ...core.deadline import Deadline, DeadlineExceeded
from ...core.errors import Refused
from ..commands import refusal
from ..keys import QUEUE, kind_of, shown
from ..server import Server

#: Keys that one step of a scan inspects, about.
STEP = 1000
#: Names that are remembered, to inspect each beginning once.
_REMEMBERED = 50_000
#: As much of a name as says what it is for: two parts, and one more after the number that Django
#: puts before each name.
_BEGINNING = re.compile(rb"[^:]*(?::(?:\d+:)?[^:]*)?", re.DOTALL)


@dataclass
class Group:
    """Keys whose names begin alike."""

    prefix: str
    kind: str = ""
    """``queue``, ``session``, or empty."""
    keys: int = 0
    sampled: int = 0
    ttls: int = 0
    """Of the sampled ones, those whose TTL could be read."""
    expiring: int = 0
    """Of these, those with a TTL."""
    sizes: int = 0
    """Of the sampled ones, those whose size could be read."""
    bytes: int = 0
    """Of these."""
    types: Counter[str] = field(default_factory=Counter)

    def row(self) -> dict[str, Any]:
        """The group as evidence."""
        row: dict[str, Any] = {"keys": self.keys, "prefix": self.prefix, "looks like": self.kind}
        if self.sampled:
            row["types"] = ", ".join(name for name, _count in self.types.most_common(3))
        if self.ttls:
            row["with a TTL"] = f"{100 * self.expiring / self.ttls:.0f} %"
        if self.sizes:
            row["bytes each"] = round(self.bytes / self.sizes)
        return row


@dataclass
class Inventory:
    """What was seen of the keys that are to be removed."""

    groups: dict[str, Group] = field(default_factory=dict)
    keys: int = 0
    by_node: Counter[str] = field(default_factory=Counter)
    """Keys by the address of the server that has them."""
    complete: bool = True
    """Whether the time limit was enough to see every key."""
    typed: bool = True
    """Whether the server told the types of keys, by which streams are recognized."""

    def of_kind(self, kind: str) -> list[Group]:
        """The groups of a kind, the largest first."""
        found = [group for group in self.groups.values() if group.kind == kind]
        return sorted(found, key=lambda group: -group.keys)

    def rows(self) -> list[dict[str, Any]]:
        """The largest groups, those with jobs or sessions first."""
        order = sorted(self.groups.values(), key=lambda group: (not group.kind, -group.keys))
        return [group.row() for group in order]


def escaped(prefix: str) -> str:
    """A pattern for SCAN that matches the names that begin with a prefix, whatever is in it."""
    return re.sub(r"([*?\[\]\\^-])", r"\\\1", prefix) + "*"


def scan(server: Server, database: int, prefix: str, deadline: Deadline) -> Iterator[list[bytes]]:
    """The names of the keys in steps; raises `DeadlineExceeded`."""
    match = escaped(prefix) if prefix else None

    def step(raw: Any, cursor: int) -> tuple[int, list[bytes]]:
        answer: tuple[int, list[bytes]] = raw.scan(cursor, match=match, count=STEP)
        return answer

    cursor = 0
    while True:
        deadline.remaining()
        cursor, keys = server.ask_keys("SCAN", partial(step, cursor=cursor), database)
        yield keys
        if not cursor:
            return


def take_inventory(
    places: Sequence[tuple[Server, int]],
    prefix: str,
    sample: int,
    total: int,
    deadline: Deadline,
    report: Callable[[int], None] = lambda seen: None,
) -> Inventory:
    """Inspect every key in these databases; ``total`` is about how many there are."""
    inventory = Inventory()
    known: dict[bytes, Group] = {}
    every = max(1, total // sample) if sample else 0
    try:
        for server, database in places:
            for keys in scan(server, database, prefix, deadline):
                before = inventory.keys
                groups = [_group(inventory, known, key) for key in keys]
                for group in groups:
                    group.keys += 1
                inventory.keys += len(keys)
                inventory.by_node[server.endpoint.address] += len(keys)
                chosen = range(-before % every, len(keys), every) if every else ()
                some = [(keys[at], groups[at]) for at in chosen]
                inventory.typed &= _look_closer(server, database, some)
                report(inventory.keys)
    except DeadlineExceeded:
        inventory.complete = False
    return inventory


def _group(inventory: Inventory, known: dict[bytes, Group], key: bytes) -> Group:
    found = _BEGINNING.match(key)
    beginning = found[0] if found else key
    group = known.get(beginning)
    if group is None:
        name = key.decode(errors="replace")
        prefix = shown(name)
        kind = kind_of(name)
        label = prefix if not kind or kind in prefix else f"{prefix} ({kind})"
        group = inventory.groups.setdefault(label, Group(prefix, kind))
        if len(known) < _REMEMBERED:
            known[beginning] = group
    return group


def _look_closer(server: Server, database: int, chosen: Sequence[tuple[bytes, Group]]) -> bool:
    """Type, TTL and size of some keys; what is refused stays unknown. Whether types were told."""
    if not chosen:
        return True
    typed = True

    def read(raw: Any) -> list[Any]:
        pipeline = raw.pipeline(transaction=False)
        for key, _group in chosen:
            pipeline.type(key).pttl(key).memory_usage(key, samples=5)
        return list(pipeline.execute(raise_on_error=False))

    try:
        answers = server.ask_keys("TYPE", read, database)
    except Refused:
        return False
    for at, (_key, group) in enumerate(chosen):
        kind, left, size = answers[3 * at : 3 * at + 3]
        if not isinstance(kind, bytes) or kind == b"none":
            typed = typed and not refusal(kind, "TYPE", server.endpoint)
            continue
        group.sampled += 1
        group.types[kind.decode()] += 1
        if isinstance(left, int):
            group.ttls += 1
            group.expiring += left >= 0
        if isinstance(size, int):
            group.sizes += 1
            group.bytes += size
        if kind == b"stream" and not group.kind:
            group.kind = QUEUE
    return typed
