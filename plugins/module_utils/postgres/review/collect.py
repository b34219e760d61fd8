# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What PostgreSQL is asked beyond the daily checklist: who waits for whom and holds back vacuum, and what lies in a database.

The number of questions does not depend on the number of tables. What somebody locks exclusively is left out, not waited for.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ...core.errors import NotCollected
from ...core.state import Sample, StateFile, interval, now_sample
from ..bloat import INDEX_SIZE
from ..connection import Connection
from ..health.collect import Missing, Row
from ..queries import DATABASE_FACTS, HELD
from ..relations import Inventory, collect_inventory
from ..xmin_horizon import xmin_holders
from .due import due_steps

#: Bytes of indexes that a look may read to measure them.
MEASURED_BYTES = 256 * 1024**2
#: Tables below this size are no matter of bloat, growth or missing indexes.
TABLE_SIZE = 10 * 1024**2
#: Sequences that are read at a time.
SEQUENCES_AT_ONCE = 250
#: The name under which the size of everything is kept for the next run.
TOTAL = "total"
#: Parameters that are looked at; any other is named only if it waits for a restart.
PARAMETERS = (
    "fsync",
    "full_page_writes",
    "autovacuum",
    "track_counts",
    "track_activities",
    "zero_damaged_pages",
    "ignore_checksum_failure",
)

# pg_blocking_pids() stops the lock manager for a moment, so only those that have waited longest are asked about.
BLOCKED = """
WITH /* gpt_agent.runbook */ waiting AS MATERIALIZED (
  SELECT pid, extract(epoch FROM clock_timestamp() - min(waitstart))::float8 AS seconds
  FROM pg_locks WHERE NOT granted AND pid IS NOT NULL GROUP BY pid ORDER BY seconds DESC NULLS LAST LIMIT 50
), edges AS MATERIALIZED (SELECT pid, seconds, pg_blocking_pids(pid) AS blockers FROM waiting)
SELECT (SELECT count(DISTINCT pid) FROM pg_locks WHERE NOT granted AND pid IS NOT NULL), (SELECT json_agg(edges) FROM edges), (
  SELECT json_object_agg(pid, json_build_object('application', application_name, 'user', usename, 'database', datname, 'state', state,
    'transaction_seconds', extract(epoch FROM clock_timestamp() - xact_start)::float8, 'statement', left(query, 1000)))
  FROM pg_stat_activity WHERE pid IN (SELECT pid FROM edges UNION SELECT unnest(blockers) FROM edges))
"""

# A role or database can have a value of its own for its sessions; then the server's is not in sight.
CONFIGURATION = """
SELECT /* gpt_agent.runbook */
  (SELECT json_object_agg(name, json_build_object('value', setting, 'restart', pending_restart,
     'own', source IN ('database', 'user', 'database user', 'client', 'override', 'session'))) FROM pg_settings
   WHERE name = ANY (%(names)s) OR pending_restart),
  (SELECT json_agg(json_build_object('database', coalesce(datname, '(shared)'), 'failures', checksum_failures,
     'last', to_char(checksum_last_failure AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI"Z"')) ORDER BY checksum_failures DESC)
   FROM pg_stat_database WHERE checksum_failures > 0),
  current_setting('data_checksums') = 'on', {drift}
"""
#: Locales that need no version, because nothing of the operating system sorts by them.
PLAIN = "^(C|POSIX|C[.].*)$"
# Databases whose default collation has changed, or of which that cannot be told.
DRIFT = """
  (SELECT json_agg(json_build_object('database', datname, 'template', datistemplate, 'then', {then}, 'now', {now}) ORDER BY datname)
   FROM pg_database WHERE CASE WHEN {then} IS NULL THEN NOT ({libc} AND datcollate ~* %(plain)s) ELSE {then} IS DISTINCT FROM {now} END)
"""
SINCE_15 = {
    "then": "datcollversion",
    "now": "pg_database_collation_actual_version(oid)",
    "libc": "datlocprovider = 'c'",
}
IN_14 = {"then": "NULL::text", "now": "NULL::text", "libc": "true"}

# The same of collations of indexes. Where a table is not to be vacuumed automatically, nobody notices what it lacks.
PECULIARITIES = """
SELECT /* gpt_agent.runbook */
  (SELECT json_agg(json_build_object('collation', quote_ident(collname), 'then', collversion, 'now', pg_collation_actual_version(oid)) ORDER BY collname)
   FROM pg_collation WHERE oid IN (SELECT unnest(indcollation::oid[]) FROM pg_index WHERE indexrelid >= 16384) AND collprovider <> 'd'
     AND CASE WHEN collversion IS NULL THEN NOT (collprovider = 'c' AND collcollate ~* %(plain)s)
         ELSE collversion IS DISTINCT FROM pg_collation_actual_version(oid) END),
  (SELECT json_agg(quote_ident(n.nspname) || '.' || quote_ident(c.relname) ORDER BY c.reltuples DESC, c.oid)
   FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace, pg_options_to_table(c.reloptions)
   WHERE c.relkind IN ('r', 'm') AND option_name = 'autovacuum_enabled' AND NOT option_value::bool)
"""

DATABASES = "SELECT /* gpt_agent.runbook */ datname::text FROM pg_database WHERE datallowconn AND NOT datistemplate ORDER BY 1"

# Statistics of a table or index that has none yet are null or zero. An expression is made readable under a lock on its table; where somebody
# holds that, it is compared as it is stored, without its place in the statement that made the index.
USE = """
WITH /* gpt_agent.runbook */ {held}, constrained AS MATERIALIZED (SELECT DISTINCT conindid FROM pg_constraint WHERE conindid <> 0)
SELECT
  (SELECT json_agg(json_build_object('oid', i.indexrelid::bigint, 'table', i.indrelid::bigint, 'scans', pg_stat_get_numscans(i.indexrelid),
     'kept', i.indisunique OR i.indisprimary OR i.indisexclusion OR i.indisreplident OR i.indisclustered OR k.conindid IS NOT NULL,
     'unique', i.indisunique, 'constraint', k.conindid IS NOT NULL OR i.indisreplident,
     'top', (WITH RECURSIVE up(oid, level) AS (SELECT inhparent, 1 FROM pg_inherits WHERE inhrelid = i.indexrelid
               UNION ALL SELECT h.inhparent, level + 1 FROM pg_inherits h JOIN up ON h.inhrelid = up.oid)
             SELECT oid::bigint FROM up ORDER BY level DESC LIMIT 1), 'last', {last},
     'storage', c.reloptions, 'class_options', (SELECT json_agg(attoptions ORDER BY attnum) FROM pg_attribute WHERE attrelid = i.indexrelid),
     'keys', i.indkey::int2[], 'key_count', i.indnkeyatts, 'classes', i.indclass::oid[]::bigint[], 'collations', i.indcollation::oid[]::bigint[],
     'options', i.indoption::int2[],
     'expressions', CASE WHEN h.held THEN regexp_replace(i.indexprs::text, ' :location -?[0-9]+', '', 'g') ELSE pg_get_expr(i.indexprs, i.indrelid) END,
     'predicate', CASE WHEN h.held THEN regexp_replace(i.indpred::text, ' :location -?[0-9]+', '', 'g') ELSE pg_get_expr(i.indpred, i.indrelid) END))
   FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid JOIN pg_namespace n ON n.oid = c.relnamespace
     LEFT JOIN constrained k ON k.conindid = i.indexrelid CROSS JOIN LATERAL (SELECT i.indrelid IN (SELECT relation FROM held) AS held) h
   WHERE n.nspname NOT IN ('pg_catalog', 'information_schema', 'pg_toast') AND c.relpersistence <> 't'),
  (SELECT json_agg(json_build_object('oid', c.oid::bigint, 'scans', pg_stat_get_numscans(c.oid), 'read', pg_stat_get_tuples_returned(c.oid),
     'writes', pg_stat_get_tuples_inserted(c.oid) + pg_stat_get_tuples_updated(c.oid) + pg_stat_get_tuples_deleted(c.oid)))
   FROM pg_class c WHERE c.relkind IN ('r', 'm') AND c.relpersistence <> 't' AND c.oid >= 16384),
  (SELECT json_agg(json_build_object('table', conrelid::bigint, 'columns', conkey)) FROM pg_constraint WHERE contype = 'f'),
  (SELECT extract(epoch FROM greatest(d.stats_reset, a.stats_reset))::float8 FROM pg_stat_database d, pg_stat_archiver a
   WHERE d.datname = current_database()),
  current_setting('track_counts')::bool
"""
#: When an index was used last, since PostgreSQL 16.
LAST = "extract(epoch FROM pg_stat_get_lastscan(i.indexrelid))::float8"

# Widths of large tables; null where the role may not see the statistics of a column.
WIDTHS = """
SELECT /* gpt_agent.runbook */ json_agg(json_build_object('oid', c.oid::bigint, 'bytes', w.bytes, 'columns', w.columns, 'known', w.known,
  'width', w.width, 'nulls', w.nulls,
  'fillfactor', (SELECT option_value::int FROM pg_options_to_table(c.reloptions) WHERE option_name = 'fillfactor')))
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace JOIN LATERAL (
  SELECT coalesce(pg_relation_size(c.oid), 0) AS bytes, count(*) AS columns, count(s.avg_width) AS known,
    sum((1 - s.null_frac) * s.avg_width)::float8 AS width, max(s.null_frac)::float8 AS nulls
  FROM pg_attribute a LEFT JOIN pg_stats s ON s.schemaname = n.nspname AND s.tablename = c.relname AND s.attname = a.attname AND NOT s.inherited
  WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated <> 'v'
) w ON true
WHERE c.oid = ANY (%(oids)s)
"""

# A sequence may fill a column without belonging to it; of several columns the narrowest counts.
SEQUENCES = """
SELECT /* gpt_agent.runbook */ json_agg(json_build_object('oid', c.oid::bigint, 'name', quote_ident(n.nspname) || '.' || quote_ident(c.relname),
  'readable', r.readable,
  'least', s.seqmin, 'most', s.seqmax, 'step', s.seqincrement, 'column', o.column, 'type', o.type))
FROM pg_sequence s JOIN pg_class c ON c.oid = s.seqrelid JOIN pg_namespace n ON n.oid = c.relnamespace
  CROSS JOIN LATERAL (SELECT has_sequence_privilege(c.oid, 'SELECT, USAGE') AS readable) r
LEFT JOIN LATERAL (
  SELECT quote_ident(t.relname) || '.' || quote_ident(a.attname) AS column, (
    WITH RECURSIVE base(oid, of) AS (SELECT oid, typbasetype FROM pg_type WHERE oid = a.atttypid
      UNION ALL SELECT y.oid, y.typbasetype FROM pg_type y JOIN base ON y.oid = base.of)
    SELECT format_type(oid, NULL) FROM base WHERE of = 0) AS type
  FROM (SELECT refobjid, refobjsubid FROM pg_depend WHERE classid = 'pg_class'::regclass AND objid = c.oid AND refclassid = 'pg_class'::regclass
          AND deptype IN ('a', 'i')
        UNION SELECT adrelid, adnum FROM pg_depend d JOIN pg_attrdef f ON f.oid = d.objid
        WHERE d.classid = 'pg_attrdef'::regclass AND d.refclassid = 'pg_class'::regclass AND d.refobjid = c.oid) filled(relation, number)
    JOIN pg_attribute a ON a.attrelid = filled.relation AND a.attnum = filled.number JOIN pg_class t ON t.oid = a.attrelid
  ORDER BY a.attlen < 0, a.attlen, 1 LIMIT 1
) o ON true
WHERE NOT s.seqcycle AND c.relpersistence = 'p'
"""


# Reading a sequence takes a lock until the end of the transaction, and waits for whoever alters it.
LAST_VALUES = """
WITH /* gpt_agent.runbook */ altered AS MATERIALIZED (
  SELECT DISTINCT relation FROM pg_locks WHERE locktype = 'relation'
    AND mode IN ('ShareLock', 'ShareRowExclusiveLock', 'ExclusiveLock', 'AccessExclusiveLock')
    AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
)
SELECT c.oid::bigint, a.held, CASE WHEN NOT a.held THEN pg_sequence_last_value(c.oid) END
FROM pg_class c CROSS JOIN LATERAL (SELECT c.oid IN (SELECT relation FROM altered) AS held) a WHERE c.oid = ANY (%(oids)s) AND c.relkind = 'S'
"""

#: The answer to a question of an area that is not wanted.
UNWANTED = Missing("it was not asked", "Name its area.")


@dataclass(frozen=True)
class Configuration:
    parameters: Mapping[str, Row]
    """Value, whether it waits for a restart, and whether it is the session's own, by name."""
    failures: Sequence[Row]
    """Checksum failures by database, where there are any."""
    checksums: bool
    drift: Sequence[Row]
    """Databases whose default collation has changed, or of which that is not known."""


@dataclass(frozen=True)
class Locks:
    """Who is in whose way; a part that could not be had is `Missing`."""

    blocked: tuple[Sequence[Row], Mapping[str, Row]] | Missing
    """Who waits, how long and for whom; and the sessions among them by pid."""
    horizon: Sequence[Row] | Missing
    """What keeps vacuum from removing rows, the oldest first."""
    waiting: int = 0
    """How many wait, of whom those that have waited longest are looked at."""


@dataclass(frozen=True)
class Use:
    """How tables and indexes of a database have been used."""

    indexes: Mapping[int, Row]
    tables: Mapping[int, Row]
    indexed: Mapping[int, int]
    """Scans of any index of a table."""
    foreign_keys: Sequence[Row]
    since: float | None
    """When the statistics began, in seconds since the epoch."""
    counts: bool = True
    """Whether PostgreSQL counts at all (``track_counts``)."""


@dataclass(frozen=True)
class Peculiarities:
    """What is set for one database or table alone."""

    drift: Sequence[Row]
    """Collations of indexes that have changed, or of which that is not known."""
    unattended: Sequence[str]
    """Tables without autovacuum, those with most rows first."""


@dataclass(frozen=True)
class Contents:
    """What lies in one database, as far as it was asked."""

    inventory: Inventory | Missing
    use: Use | Missing
    widths: Mapping[int, Row] | Missing
    """Widths of the rows of large tables."""
    sequences: Sequence[Row] | Missing
    sizes: Mapping[str, float]
    """What the last run has kept beside counters, empty where there was none: the size of each large table with its indexes by oid and
    of all (`TOTAL`), for how many seconds an index had been known (``index`` and oid), what was due (``due``, operation and oid)."""
    window: str
    """The span since then."""
    earlier: Sample | None
    """Counters of scans at the last run."""
    peculiarities: Peculiarities | Missing = UNWANTED
    elapsed: float = 0.0
    """Seconds since sizes were kept."""

    def index_age(self, oid: int) -> float:
        """Seconds since an index was seen first."""
        known = self.sizes.get(f"index {oid}")
        return 0.0 if known is None else known + self.elapsed


class Memory:
    """What a database was like at the last run: sizes, which nothing resets, and counters."""

    def __init__(self, directory: str | None, address: str, database: str) -> None:
        service = f"{address}/{database}"
        self.sizes, self.scans = (
            StateFile(directory, probe, service) for probe in ("pg_health_sizes", "pg_health_scans")
        )


def collect_locks(connection: Connection) -> Locks:
    """Ask who waits for whom, and who holds back vacuum."""
    answer = asked(lambda: connection.rows("its locks", BLOCKED)[0])
    horizon = asked(lambda: xmin_holders(connection.rows))
    if isinstance(answer, Missing):
        return Locks(answer, horizon)
    waiting, edges, sessions = answer
    return Locks((edges or [], sessions or {}), horizon, waiting)


def collect_configuration(connection: Connection) -> Configuration:
    """Ask for parameters, checksum failures and collations of the whole server; raises `NotCollected`."""
    query = CONFIGURATION.format(
        drift=DRIFT.format(**(SINCE_15 if connection.version >= 150000 else IN_14))
    )
    parameters, failures, checksums, drift = connection.rows(
        "its settings", query, {"names": list(PARAMETERS), "plain": PLAIN}
    )[0]
    return Configuration(parameters or {}, failures or [], checksums, drift or [])


def collect_database(connection: Connection, memory: Memory, areas: Collection[str]) -> Contents:
    """Ask what the areas need to know of the database that the connection leads to; ends its transaction."""
    inventory, use, widths, sequences, peculiarities = (UNWANTED,) * 5
    if {"vacuum", "tables", "indexes"}.intersection(areas):
        budget = MEASURED_BYTES if "indexes" in areas else 0
        inventory = asked(
            lambda: collect_inventory(
                connection, connection.rows("its settings", DATABASE_FACTS)[0][0], budget
            )
        )
    if {"vacuum", "indexes"}.intersection(areas):
        use = asked(lambda: _use(connection))
    if "tables" in areas:
        widths = asked(lambda: _widths(connection, inventory))
    if "settings" in areas:
        peculiarities = asked(
            lambda: Peculiarities(
                *(
                    rows or []
                    for rows in connection.rows("its collations", PECULIARITIES, {"plain": PLAIN})[
                        0
                    ]
                )
            )
        )
    found = (
        asked(lambda: connection.rows("its sequences", SEQUENCES)[0][0] or [])
        if "tables" in areas
        else UNWANTED
    )
    connection.end()
    sequences = (
        found if isinstance(found, Missing) else asked(lambda: _with_values(connection, found))
    )
    sizes = next(iter(memory.sizes.earlier(now_sample("", {}))), None)
    scans = (
        None
        if isinstance(use, Missing)
        else next(iter(memory.scans.earlier(now_sample(str(use.since), {}))), None)
    )
    now = now_sample("", {})
    kept, window, elapsed = (
        (sizes.counters, interval(sizes, now), now.time - sizes.time) if sizes else ({}, "", 0.0)
    )
    return Contents(inventory, use, widths, sequences, kept, window, scans, peculiarities, elapsed)


def _use(connection: Connection) -> Use:
    query = USE.format(held=HELD, last=LAST if connection.version >= 160000 else "NULL")
    indexes, tables, keys, since, counts = connection.rows("its statistics", query)[0]
    indexed: Counter[int] = Counter()
    for row in indexes or []:
        indexed[row["table"]] += row["scans"] or 0
    return Use(
        {row["oid"]: row for row in indexes or []},
        {row["oid"]: row for row in tables or []},
        indexed,
        keys or [],
        since,
        counts,
    )


def _widths(connection: Connection, inventory: Inventory | Missing) -> dict[int, Row]:
    """Widths of large tables that nobody holds."""
    large = (
        []
        if isinstance(inventory, Missing)
        else [
            table["oid"]
            for table in inventory.tables
            if table["bytes"] >= TABLE_SIZE and not table["held"]
        ]
    )
    return (
        {
            row["oid"]: row
            for row in connection.rows("its columns", WIDTHS, {"oids": large})[0][0] or []
        }
        if large
        else {}
    )


def _with_values(connection: Connection, sequences: Sequence[Row]) -> list[Row]:
    """Sequences with the last number of each; one that somebody alters right now has none and is ``held``."""
    values: dict[int, tuple[bool, int | None]] = {}
    readable = [row["oid"] for row in sequences if row["readable"]]
    for start in range(0, len(readable), SEQUENCES_AT_ONCE):
        values.update(_last_values(connection, readable[start : start + SEQUENCES_AT_ONCE]))
    return [
        {**row, "held": held, "last": last}
        for row in sequences
        for held, last in (values.get(row["oid"], (False, None)),)
    ]


def _last_values(connection: Connection, oids: Sequence[int]) -> dict[int, tuple[bool, int | None]]:
    """Whether sequences are held, and their last numbers. One that was locked or dropped just then is asked about once more."""
    try:
        rows = connection.rows_in_own_transaction("its sequences", LAST_VALUES, {"oids": oids})
    except NotCollected:
        rows = connection.rows_in_own_transaction("its sequences", LAST_VALUES, {"oids": oids})
    return {oid: (held, last) for oid, held, last in rows}


def samples(depth: Contents) -> tuple[Sample | None, Sample | None]:
    """Sizes and counters to keep for the next run, as far as they were asked."""
    if isinstance(depth.inventory, Missing):
        return None, None
    sizes = now_sample("", _kept(depth, depth.inventory))
    if isinstance(depth.use, Missing):
        return sizes, None
    large = [table for table in depth.inventory.tables if table["bytes"] >= TABLE_SIZE]
    scans = {
        f"{key} {table['oid']}": float(value)
        for table in large
        for key, value in table_scans(depth, table["oid"]).items()
    }
    return sizes, now_sample(str(depth.use.since), scans)


def _kept(depth: Contents, seen: Inventory) -> dict[str, float]:
    """Sizes, what is due, and for how long each large index has been known; those of partitions stand and fall with their parent's."""
    parts = {} if isinstance(depth.use, Missing) else depth.use.indexes
    whole = [
        index for index in seen.indexes if index["bytes"] >= INDEX_SIZE or index["partitioned"]
    ]
    ages = {
        f"index {index['oid']}": depth.index_age(index["oid"])
        for index in whole
        if not parts.get(index["oid"], {}).get("top")
    }
    due = {
        f"due {kind} {step.table}": 1.0 for kind, steps in due_steps(seen).items() for step in steps
    }
    return {
        TOTAL: seen.bytes,
        **{str(oid): size for oid, size in total_sizes(seen).items()},
        **ages,
        **due,
    }


def total_sizes(inventory: Inventory) -> dict[int, float]:
    """Bytes of each large table with its TOAST table and indexes; a partitioned table has those of its partitions."""
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


def table_scans(depth: Contents, oid: int) -> dict[str, int]:
    """How often a table was read from end to end, how many rows that were, how often one of its indexes was used, and its writes."""
    if isinstance(depth.use, Missing):
        return {}
    row = depth.use.tables.get(oid, {})
    return {
        **{key: row.get(key) or 0 for key in ("scans", "read", "writes")},
        "indexed": depth.use.indexed.get(oid, 0),
    }


def asked(question: Callable[[], Any]) -> Any:
    """The answer, or `Missing`: a question's failure takes only the checks with it that need the answer."""
    try:
        return question()
    except NotCollected as problem:
        return Missing(str(problem), problem.remedy)
