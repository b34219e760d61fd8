# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a review saw of a server and of one of its databases; plain data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from ...core.errors import NotCollected
from ...core.state import Sample
from ..bloat import Row
from ..relations import Inventory

#: Smaller tables do not count for bloat, growth or missing indexes.
TABLE_SIZE = 10 * 1024**2
#: The name under which the size of everything is kept for the next run.
TOTAL = "total"
#: In place of what belongs to an area that was not requested.
NOT_REQUESTED = NotCollected("it was not requested", "Add its area to the option areas.")


@dataclass(frozen=True)
class Locks:
    """Who waits for whom; a part that could not be read is `NotCollected`."""

    blocked: tuple[Sequence[Row], Mapping[str, Row]] | NotCollected
    """Who waits, how long and for whom; and these sessions by pid."""
    horizon: Sequence[Row] | NotCollected
    """What keeps vacuum from removing rows, the oldest first."""
    waiting: int = 0
    """How many sessions wait; only those that have waited longest are in ``blocked``."""
    prepared: Sequence[Row] = ()
    """Prepared transactions that hold a lock that a session waits for, the oldest first."""


@dataclass(frozen=True)
class Configuration:
    """Settings of the whole server."""

    parameters: Mapping[str, Row]
    """Value, whether it waits for a restart, and whether it is the session's own, by name."""
    drift: Sequence[Row]
    """Databases whose default collation has changed, or has no recorded version."""


@dataclass(frozen=True)
class DatabaseSettings:
    """What is set for one database or table alone."""

    drift: Sequence[Row]
    """Collations of indexes that have changed, or that have no recorded version."""
    without_autovacuum: Sequence[str]
    """Tables, those with most rows first."""


@dataclass(frozen=True)
class Usage:
    """How the tables and indexes of a database have been used."""

    indexes: Mapping[int, Row]
    tables: Mapping[int, Row]
    index_scans: Mapping[int, int]
    """Scans of any index of a table."""
    foreign_keys: Sequence[Row]
    since: float | None
    """When the statistics began, in seconds since the epoch."""
    track_counts: bool = True
    """Whether PostgreSQL counts at all."""


@dataclass(frozen=True)
class LastRun:
    """What the last run on a database kept; empty if there was none."""

    sizes: Mapping[str, float] = field(default_factory=dict)
    """The size of each large table with its indexes by oid and of everything (`TOTAL`), how many
    seconds an index had been known (``index`` and oid), what was due (``due``, operation, oid)."""
    window: str = ""
    """The span since then."""
    elapsed: float = 0.0
    """Seconds since then."""
    scans: Sample | None = None
    """Counters of scans."""

    def index_age(self, oid: int) -> float:
        """Seconds since an index was first seen."""
        known = self.sizes.get(f"index {oid}")
        return 0.0 if known is None else known + self.elapsed


@dataclass(frozen=True)
class DatabaseSnapshot:
    """What one database holds; a part that could not be read is `NotCollected`."""

    inventory: Inventory | NotCollected
    usage: Usage | NotCollected
    widths: Mapping[int, Row] | NotCollected
    """Row widths of large tables."""
    sequences: Sequence[Row] | NotCollected
    settings: DatabaseSettings | NotCollected = NOT_REQUESTED
    last_run: LastRun = field(default_factory=LastRun)


def total_sizes(inventory: Inventory) -> dict[int, float]:
    """Bytes of each large table with its TOAST table and indexes, and partitions, by oid."""
    own = {
        table["oid"]: table["bytes"] + inventory.index_bytes.get(table["oid"], 0.0)
        for table in inventory.tables
    }
    total = dict(own)
    for table in inventory.tables:
        for parent in table["parents"] or ():
            total[parent] = total.get(parent, 0.0) + own[table["oid"]]
    leaves = {table["oid"] for table in inventory.tables if table["parents"]}
    return {oid: size for oid, size in total.items() if oid not in leaves and size >= TABLE_SIZE}


def table_scans(usage: Usage, oid: int) -> dict[str, int]:
    """A table's sequential scans, the rows they read, its writes, and scans of its indexes."""
    row = usage.tables.get(oid, {})
    counts = {key: row.get(key) or 0 for key in ("scans", "read", "writes")}
    return {**counts, "indexed": usage.index_scans.get(oid, 0)}
