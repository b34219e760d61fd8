# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The tables and indexes of one database: sizes, dead rows, statistics, and bloat.

Sizes come from the file system, except where a session has locked the relation exclusively: asking
would wait for that lock, so the size is the one that the last vacuum or analyze left in the
catalog.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from ..core.errors import NotCollected
from ..core.units import format_value, pluralize
from .bloat import FILLFACTOR, INDEX_SIZE, Bloat, Row, estimate, measured
from .connection import Connection
from .queries import HELD, INDEXES, MAY, MEASURE, OWNS, TABLES, WORKED
from .xmin_horizon import Ask, xmin_holders

#: Bytes of indexes that one run reads to measure them instead of estimating.
MEASURED_BYTES = 2 * 1024**3
#: What REINDEX CONCURRENTLY calls the index that it builds or replaces.
LEFTOVER = re.compile(r"_cc(new|old)\d*$")


@dataclass(frozen=True)
class Inventory:
    """What a database holds; plain data."""

    database: str
    facts: Row
    """The answer to `queries.DATABASE_FACTS`."""
    tables: Sequence[Row]
    indexes: Sequence[Row]
    holders: Sequence[Row]
    """What keeps vacuum from removing dead rows, the oldest first."""
    measured: Mapping[int, Bloat]
    """Bloat of the indexes that were read, by oid."""

    @cached_property
    def by_oid(self) -> dict[int, Row]:
        """The tables."""
        return {table["oid"]: table for table in self.tables}

    @cached_property
    def relations(self) -> dict[int, Row]:
        """Tables and indexes, by oid."""
        return {each["oid"]: each for each in (*self.tables, *self.indexes)}

    def line(self, relation: Row) -> list[Row]:
        """A relation with its parents: an index's table, and the partitioned tables above that."""
        table = relation.get("table", relation["oid"])
        oids = (table, *self.above(table))
        return [relation, *(self.by_oid[oid] for oid in oids if oid in self.by_oid)]

    def above(self, table: int) -> Sequence[int]:
        """The partitioned tables of which a table is a partition."""
        return (self.by_oid[table]["parents"] or ()) if table in self.by_oid else ()

    @cached_property
    def index_bytes(self) -> dict[int, float]:
        """Size of all indexes of a table, by the table's oid."""
        found: dict[int, float] = {}
        for index in self.indexes:
            found[index["table"]] = found.get(index["table"], 0.0) + index["bytes"]
        return found

    @cached_property
    def own_indexes(self) -> list[Row]:
        """The indexes, without those of system and TOAST tables."""
        return [index for index in self.indexes if index["table"] in self.by_oid]

    @property
    def bytes(self) -> float:
        """Size of all tables and their indexes."""
        return float(sum(each["bytes"] for each in (*self.tables, *self.own_indexes)))

    @property
    def summary(self) -> str:
        """``12 tables, 20 indexes, 1.5 GiB``."""
        tables = pluralize(len(self.tables), "table")
        indexes = pluralize(len(self.own_indexes), "index", "indexes")
        return f"{tables}, {indexes}, {format_value(self.bytes, 'bytes')}"

    def bloat(self, index: Row) -> Bloat | None:
        """How much of an index is empty; none if that is unknown."""
        if index["oid"] in self.measured:
            return self.measured[index["oid"]]
        table = self.by_oid.get(index["table"])
        return estimate(index, table, self.facts["block"]) if table else None


def collect_inventory(
    connection: Connection, facts: Row, budget: int = MEASURED_BYTES
) -> Inventory:
    """What the database holds, seen in the connection's transaction.

    ``facts`` are the answer to `queries.DATABASE_FACTS`; indexes of ``budget`` bytes in all are
    read to measure their bloat, the most bloated first. Raises `NotCollected`.
    """
    mine = MAY if facts["version"] >= 170000 else OWNS
    texts = {"mine": mine, "owned": OWNS, "block": facts["block"], "held": HELD, "worked": WORKED}
    tables = connection.rows("its tables", TABLES.format(**texts), {"oid": None})[0][0]
    parameters = {"oid": None, "size": INDEX_SIZE}
    indexes = connection.rows("its indexes", INDEXES.format(**texts), parameters)[0][0]
    holders = xmin_holders(connection.rows, connection.database)[:5]
    inventory = Inventory(connection.database, facts, tables or [], indexes or [], holders, {})
    if not facts["tuple_tools"]:
        return inventory
    return replace(inventory, measured=_measure(connection, inventory, budget))


def current_bloat(ask: Ask, inventory: Inventory, index: Row) -> Bloat | None:
    """Bloat of an index by its present size and statistics; none if that is unknown."""
    block = inventory.facts["block"]
    texts = {"mine": "true", "owned": "true", "block": block, "held": HELD, "worked": WORKED}
    tables = ask("a table", TABLES.format(**texts), {"oid": index["table"]})[0][0]
    indexes = ask("an index", INDEXES.format(**texts), {"oid": index["oid"], "size": 0})[0][0]
    return estimate(indexes[0], tables[0], block) if tables and indexes else None


def _measure(connection: Connection, inventory: Inventory, budget: int) -> dict[int, Bloat]:
    """Bloat by pgstatindex of the indexes that seem most bloated; nothing without permission.

    Half of the time is left for other questions.
    """
    found: dict[int, Bloat] = {}
    query = MEASURE.format(schema=inventory.facts["tuple_tools"].replace("%", "%%"))
    for index in _worth_measuring(inventory)[:50]:
        if index["bytes"] > budget:
            continue
        if connection.deadline.remaining() < connection.deadline.seconds / 2:
            break
        budget -= index["bytes"]
        try:
            rows = connection.rows("an index", query, {"oid": index["oid"]})
        except NotCollected:
            continue
        fillfactor = index["fillfactor"] or FILLFACTOR
        found[index["oid"]] = measured(rows[0], fillfactor, inventory.facts["block"])
    return found


def _worth_measuring(inventory: Inventory) -> list[Row]:
    """Indexes worth a measurement, the most bloated first; unknown ones count as half empty."""
    found = []
    for index in inventory.indexes:
        table, bloat = inventory.by_oid.get(index["table"]), inventory.bloat(index)
        if table is None or table["held"]:
            continue
        large_btree = index["method"] == "btree" and index["bytes"] >= INDEX_SIZE
        share = bloat.share if bloat else 0.0
        if bloat is None and large_btree and index["valid"]:
            share = 0.5
        wasted = index["bytes"] * share
        if wasted >= INDEX_SIZE / 4:
            found.append((wasted, index))
    return [index for _wasted, index in sorted(found, key=lambda pair: -pair[0])]
