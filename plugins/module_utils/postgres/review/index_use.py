# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The indexes that can be dropped as a whole, and which of them another index replaces. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

from ..bloat import Row
from ..relations import Inventory
from .cover import covers
from .snapshot import Usage


@dataclass(frozen=True)
class WholeIndex:
    """An index that can be dropped, with the indexes of partitions that are attached to it."""

    index: Row
    """Its row of the inventory."""
    row: Row
    """Its row of the usage."""
    scans: int
    bytes: int
    last: float | None
    """When it was last used, where PostgreSQL knows (16)."""
    kept: bool
    """Whether something else than queries needs it, or a part of it."""
    needed: bool = False
    """Whether nothing else could take its place, as a primary key or a foreign key needs it."""
    table: str = ""
    """The quoted name of its table."""

    @property
    def drop(self) -> str:
        constraint = self.row["unique_constraint"]
        if constraint:
            return f"ALTER TABLE {self.table} DROP CONSTRAINT {constraint}"
        concurrently = "" if self.index["partitioned"] else "CONCURRENTLY "
        return f"DROP INDEX {concurrently}{self.index['quoted']}"


@dataclass(frozen=True)
class IndexUse:
    """The indexes of a database, and how they are used."""

    inventory: Inventory
    usage: Usage

    @cached_property
    def wholes(self) -> dict[int, WholeIndex]:
        """By oid, the topmost ones; scans and bytes of their partitions count for them."""
        relations, parts = self.inventory.relations, dict[int, list[Row]]()
        for row in self.usage.indexes.values():
            parts.setdefault(row["top"] or row["oid"], []).append(row)
        found = {}
        for top, rows in parts.items():
            if top not in relations or top not in self.usage.indexes:
                continue
            sizes = [relations[row["oid"]]["bytes"] for row in rows if row["oid"] in relations]
            found[top] = WholeIndex(
                relations[top],
                self.usage.indexes[top],
                sum(row["scans"] or 0 for row in rows),
                sum(sizes),
                max((row["last"] for row in rows if row["last"] is not None), default=None),
                any(row["kept"] for row in rows),
                any(row["needed"] for row in rows),
                self.inventory.relations.get(relations[top]["table"], {}).get("quoted", ""),
            )
        return found

    @cached_property
    def redundant(self) -> dict[int, int]:
        """By oid of a redundant index, the oid of the one that stays instead.

        Of equal ones the one that is used more stays, for the planner may prefer either, and a
        constraint stays before an index.
        """
        by_table: dict[int, list[tuple[Row, Row]]] = {}
        for index in self.inventory.indexes:
            row = self.usage.indexes.get(index["oid"])
            if row is not None and index["valid"]:
                by_table.setdefault(index["table"], []).append((index, row))
        instead: dict[int, int] = {}
        for pairs in by_table.values():
            for oid in self._by_preference(pairs):
                other = self._replacement(oid, pairs, instead)
                if other is not None:
                    instead[oid] = other
        return {oid: _last(other, instead) for oid, other in instead.items()}

    def _by_preference(self, pairs: list[tuple[Row, Row]]) -> Iterator[int]:
        """The indexes of a table, those first that should rather go."""
        # An index that is attached to another cannot be dropped alone.
        own = [row for index, row in pairs if index["oid"] in self.wholes]
        own.sort(
            key=lambda row: (
                bool(row["unique_constraint"]),
                len(row["keys"]),
                self.wholes[row["oid"]].scans,
                -row["oid"],
            )
        )
        return (row["oid"] for row in own)

    def _replacement(
        self, oid: int, pairs: list[tuple[Row, Row]], instead: dict[int, int]
    ) -> int | None:
        """An index of the same table that makes this one redundant, and is not redundant itself."""
        whole = self.wholes[oid]
        if whole.needed:
            return None
        for index, row in pairs:
            other = int(index["oid"])
            if other == oid or other in instead:
                continue
            if covers(index, row, whole.index, whole.row):
                return other
        return None


def _last(oid: int, instead: dict[int, int]) -> int:
    """The index that stays when those that replace each other have gone."""
    while oid in instead:
        oid = instead[oid]
    return oid
