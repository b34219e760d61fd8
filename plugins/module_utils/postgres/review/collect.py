# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reads what a review needs: lock waits and settings of the server, then one database at a time.

The number of queries does not depend on the number of tables. What another session has locked
exclusively is left out, not waited for.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from ...core.errors import NotCollected
from ..bloat import Row
from ..connection import Connection
from ..health.collect import attempt
from ..queries import DATABASE_FACTS, HELD
from ..relations import Inventory, collect_inventory
from ..xmin_horizon import xmin_holders
from .history import DatabaseHistory
from .options import Options
from .queries import (
    BLOCKED,
    CONFIGURATION,
    DATABASE_SETTINGS,
    DRIFT,
    IN_14,
    LAST_SCAN,
    LAST_VALUES,
    PLAIN,
    SEQUENCES,
    SINCE_15,
    USAGE,
    WIDTHS,
)
from .snapshot import (
    NOT_REQUESTED,
    TABLE_SIZE,
    Configuration,
    DatabaseSettings,
    DatabaseSnapshot,
    Locks,
    Usage,
)

#: Bytes of indexes that a review may read to measure them.
MEASURED_BYTES = 256 * 1024**2
#: Sequences that are read at a time.
SEQUENCES_AT_ONCE = 250
#: Parameters that are checked; others are read only if they wait for a restart.
PARAMETERS = (
    "fsync",
    "full_page_writes",
    "autovacuum",
    "track_counts",
    "track_activities",
    "zero_damaged_pages",
    "ignore_checksum_failure",
)


def collect_locks(connection: Connection) -> Locks:
    """Who waits for whom, and what holds back vacuum."""
    answer = attempt(lambda: connection.rows("its locks", BLOCKED)[0])
    horizon = attempt(lambda: xmin_holders(connection.rows))
    if isinstance(answer, NotCollected):
        return Locks(answer, horizon)
    waiting, edges, sessions, prepared = answer
    return Locks((edges or [], sessions or {}), horizon, waiting, prepared or [])


def collect_configuration(connection: Connection) -> Configuration:
    """Parameters and collations of the whole server; raises `NotCollected`."""
    drift = DRIFT.format(**(SINCE_15 if connection.version >= 150000 else IN_14))
    query = CONFIGURATION.format(drift=drift)
    names = {"names": list(PARAMETERS), "plain": PLAIN}
    parameters, drifted = connection.rows("its settings", query, names)[0]
    return Configuration(parameters or {}, drifted or [])


def collect_database(
    options: Options, connection: Connection, history: DatabaseHistory
) -> DatabaseSnapshot:
    """What the areas need of the connection's database; ends the connection's transaction."""
    inventory = usage = widths = settings = sequences = NOT_REQUESTED
    if options.includes("vacuum", "tables", "indexes"):
        budget = MEASURED_BYTES if options.includes("indexes") else 0
        inventory = attempt(lambda: _inventory(connection, budget))
    if options.includes("vacuum", "indexes"):
        usage = attempt(lambda: _usage(connection))
    if options.includes("tables"):
        widths = attempt(lambda: _widths(connection, inventory))
    if options.includes("settings"):
        settings = attempt(lambda: _settings(connection))
    if options.includes("tables"):
        sequences = attempt(lambda: connection.rows("its sequences", SEQUENCES)[0][0] or [])
    connection.end()
    if not isinstance(sequences, NotCollected):
        sequences = attempt(lambda: _with_last_values(connection, sequences))
    last_run = history.last_run(usage)
    return DatabaseSnapshot(inventory, usage, widths, sequences, settings, last_run)


def _inventory(connection: Connection, budget: int) -> Inventory:
    facts = connection.rows("its settings", DATABASE_FACTS)[0][0]
    return collect_inventory(connection, facts, budget)


def _settings(connection: Connection) -> DatabaseSettings:
    rows = connection.rows("its collations", DATABASE_SETTINGS, {"plain": PLAIN})
    drift, without_autovacuum = rows[0]
    return DatabaseSettings(drift or [], without_autovacuum or [])


def _usage(connection: Connection) -> Usage:
    last = LAST_SCAN if connection.version >= 160000 else "NULL"
    query = USAGE.format(held=HELD, last=last)
    indexes, tables, keys, since, counts = connection.rows("its statistics", query)[0]
    index_scans: Counter[int] = Counter()
    for row in indexes or []:
        index_scans[row["table"]] += row["scans"] or 0
    return Usage(
        {row["oid"]: row for row in indexes or []},
        {row["oid"]: row for row in tables or []},
        index_scans,
        keys or [],
        since,
        counts,
    )


def _widths(connection: Connection, inventory: Inventory | NotCollected) -> dict[int, Row]:
    """Row widths of large tables that no session has locked exclusively."""
    if isinstance(inventory, NotCollected):
        return {}
    large = [
        table["oid"]
        for table in inventory.tables
        if table["bytes"] >= TABLE_SIZE and not table["held"]
    ]
    if not large:
        return {}
    rows = connection.rows("its columns", WIDTHS, {"oids": large})[0][0]
    return {row["oid"]: row for row in rows or []}


def _with_last_values(connection: Connection, sequences: Sequence[Row]) -> list[Row]:
    """Sequences with their last number; one that is being altered has none and is ``held``."""
    values: dict[int, tuple[bool, int | None]] = {}
    readable = [row["oid"] for row in sequences if row["readable"]]
    for start in range(0, len(readable), SEQUENCES_AT_ONCE):
        values.update(_last_values(connection, readable[start : start + SEQUENCES_AT_ONCE]))
    found: list[Row] = []
    for row in sequences:
        held, last = values.get(row["oid"], (False, None))
        found.append({**row, "held": held, "last": last})
    return found


def _last_values(connection: Connection, oids: Sequence[int]) -> dict[int, tuple[bool, int | None]]:
    """Whether sequences are locked, and their last numbers; asked again if one just was."""
    parameters = {"oids": oids}
    try:
        rows = connection.rows_in_own_transaction("its sequences", LAST_VALUES, parameters)
    except NotCollected:
        rows = connection.rows_in_own_transaction("its sequences", LAST_VALUES, parameters)
    return {oid: (held, last) for oid, held, last in rows}
