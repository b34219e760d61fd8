# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The tables and indexes of one database as maintenance sees them: what has piled up in them since it was last done.

Sizes come from the file system, except where somebody holds the relation exclusively: asking would wait for that lock, so
the size is what the last vacuum or analyze has left in the catalog.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, NamedTuple

from ..core.errors import NotCollected
from ..core.units import format_value, pluralize
from .connection import Connection

Row = Mapping[str, Any]
#: The rows of a query, asked with what it is about and its parameters.
Ask = Callable[[str, str, Row], list[tuple[Any, ...]]]

#: Indexes below this size are never worth a rebuild: PgHero and pg_index_watch leave out what is smaller, too.
INDEX_SIZE = 10 * 1024 * 1024
#: Bytes of indexes that are read in one run to measure them instead of estimating.
MEASURED_BYTES = 2 * 1024**3
#: Share of a table's rows that may have changed since the statistics for an estimate from them to be trusted.
FRESH = 0.1
#: How many more different values a column may have than ANALYZE has extrapolated from its sample.
DISTINCT_MARGIN = 10

# How PostgreSQL lays out a page of a B-tree (access/nbtree.h, access/itup.h, storage/bufpage.h), in bytes.
PAGE_HEADER, SPECIAL, LINE_POINTER, TUPLE_HEADER, ALIGNMENT, TUPLE_ID = 24, 16, 4, 8, 8, 6
FILLFACTOR = 90

#: Relations of this database that somebody holds exclusively, or waits to; and tables of which that is so for the TOAST table or its index,
#: because the size of a table is that of these, too.
HELD = """exclusive AS MATERIALIZED (
  SELECT DISTINCT relation FROM pg_locks WHERE locktype = 'relation' AND mode = 'AccessExclusiveLock'
    AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
), held AS MATERIALIZED (
  SELECT relation FROM exclusive UNION SELECT t.oid FROM pg_class t WHERE t.reltoastrelid IN (SELECT relation FROM exclusive)
  UNION SELECT t.oid FROM pg_class t JOIN pg_index i ON i.indrelid = t.reltoastrelid WHERE i.indexrelid IN (SELECT relation FROM exclusive)
)"""

#: Tables on which, or on whose TOAST table, somebody's vacuum or analyze is at work; without rights the views of progress show no more than the pid.
WORKED = """
SELECT coalesce(t.oid, l.relation)::bigint FROM pg_locks l LEFT JOIN pg_class t ON t.reltoastrelid = l.relation
WHERE l.locktype = 'relation' AND l.granted AND l.mode IN ('ShareUpdateExclusiveLock', 'AccessExclusiveLock')
  AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
  AND l.pid IN (SELECT pid FROM pg_stat_progress_vacuum UNION SELECT pid FROM pg_stat_progress_analyze UNION SELECT pid FROM pg_stat_progress_cluster)
"""

TABLES = """
WITH /* gpt_agent.runbook */ {held}
SELECT json_agg(json_build_object(
  'oid', c.oid::bigint, 'schema', n.nspname, 'name', c.relname, 'quoted', quote_ident(n.nspname) || '.' || quote_ident(c.relname),
  'partitioned', c.relkind = 'p',
  'parents', (WITH RECURSIVE up(oid) AS (SELECT inhparent FROM pg_inherits WHERE inhrelid = c.oid AND c.relispartition
                UNION ALL SELECT h.inhparent FROM pg_inherits h JOIN up ON h.inhrelid = up.oid) SELECT json_agg(oid::bigint) FROM up),
  'held', c.oid IN (SELECT relation FROM held), 'worked', c.oid IN ({worked}),
  'mine', {mine} OR (SELECT pg_has_role(datdba, 'USAGE') FROM pg_database WHERE datname = current_database()),
  'bytes', CASE WHEN c.relkind = 'p' THEN 0 WHEN c.oid IN (SELECT relation FROM held) THEN c.relpages::bigint * {block}
             ELSE coalesce(pg_table_size(c.oid), 0) END,
  'row_security', row_security_active(c.oid), 'rows', c.reltuples::float8,
  'live', pg_stat_get_live_tuples(c.oid), 'dead', pg_stat_get_dead_tuples(c.oid),
  'modified', pg_stat_get_mod_since_analyze(c.oid), 'inserted', pg_stat_get_ins_since_vacuum(c.oid),
  'vacuumed', extract(epoch FROM greatest(pg_stat_get_last_vacuum_time(c.oid), pg_stat_get_last_autovacuum_time(c.oid)))::float8,
  'analyzed', extract(epoch FROM greatest(pg_stat_get_last_analyze_time(c.oid), pg_stat_get_last_autoanalyze_time(c.oid)))::float8,
  'xid_age', greatest(CASE WHEN c.relfrozenxid <> '0' THEN age(c.relfrozenxid) END, CASE WHEN t.relfrozenxid <> '0' THEN age(t.relfrozenxid) END),
  'mxid_age', greatest(CASE WHEN c.relminmxid <> '0' THEN mxid_age(c.relminmxid) END, CASE WHEN t.relminmxid <> '0' THEN mxid_age(t.relminmxid) END),
  'options', (SELECT json_object_agg(option_name, option_value) FROM pg_options_to_table(c.reloptions))))
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace LEFT JOIN pg_class t ON t.oid = c.reltoastrelid
WHERE c.relkind IN ('r', 'm', 'p') AND c.relpersistence <> 't'
  AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'pg_toast') AND (%(oid)s IS NULL OR c.oid = %(oid)s)
"""

# A size is null of what has been dropped in between. Widths are needed of large B-trees only, so only theirs are looked up. Who builds or drops an
# index holds a lock on it, which everybody may see; without rights the views of progress show no more than the pid. Vacuum and analyze lock the table
# alike, but tell nothing of its indexes.
INDEXES = """
WITH /* gpt_agent.runbook */ {held}, locked AS MATERIALIZED (
  SELECT relation, coalesce(pid IN (SELECT pid FROM pg_stat_progress_create_index), false) AS builds,
         coalesce(pid IN (SELECT pid FROM pg_stat_progress_vacuum UNION SELECT pid FROM pg_stat_progress_analyze), false) AS vacuums
  FROM pg_locks WHERE locktype = 'relation' AND granted AND pid IS DISTINCT FROM pg_backend_pid()
    AND mode IN ('ShareUpdateExclusiveLock', 'ShareLock', 'ShareRowExclusiveLock', 'ExclusiveLock', 'AccessExclusiveLock')
    AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
), found AS MATERIALIZED (
  SELECT i.*, ci.relname, ct.relname AS table_name, n.nspname, ci.relkind, ci.reltuples, ci.reltablespace, am.amname, ci.reloptions,
         ct.relowner, ct.oid AS table_oid,
         CASE WHEN ci.relkind = 'I' THEN 0 WHEN i.indexrelid IN (SELECT relation FROM held) OR i.indrelid IN (SELECT relation FROM held)
              THEN ci.relpages::bigint * {block} ELSE coalesce(pg_relation_size(i.indexrelid), 0) END AS bytes
  FROM pg_index i JOIN pg_class ci ON ci.oid = i.indexrelid JOIN pg_class ct ON ct.oid = i.indrelid
    JOIN pg_namespace n ON n.oid = ci.relnamespace JOIN pg_am am ON am.oid = ci.relam
  WHERE ci.relpersistence <> 't' AND n.nspname NOT IN ('pg_catalog', 'information_schema') AND (%(oid)s IS NULL OR i.indexrelid = %(oid)s)
)
SELECT json_agg(json_build_object(
  'oid', f.indexrelid::bigint, 'schema', f.nspname, 'name', f.relname, 'quoted', quote_ident(f.nspname) || '.' || quote_ident(f.relname),
  'table', f.indrelid::bigint, 'table_name', f.table_name, 'bytes', f.bytes, 'rows', f.reltuples::float8, 'method', f.amname,
  'valid', f.indisvalid AND f.indisready AND f.indislive, 'live', f.indislive, 'unique', f.indisunique, 'exclusion', f.indisexclusion,
  'partitioned', f.relkind = 'I',
  'fillfactor', (SELECT option_value::int FROM pg_options_to_table(f.reloptions) WHERE option_name = 'fillfactor'),
  'deduplicates', coalesce((SELECT option_value::bool FROM pg_options_to_table(f.reloptions) WHERE option_name = 'deduplicate_items'), true),
  'tablespace', f.reltablespace::bigint, 'mine', {mine}, 'owned', {owned},
  'building', f.indexrelid IN (SELECT relation FROM locked) OR f.indrelid IN (SELECT relation FROM locked WHERE builds),
  'contended', f.indrelid IN (SELECT relation FROM locked WHERE NOT vacuums),
  'twin', CASE WHEN NOT f.indisvalid AND f.indrelid NOT IN (SELECT relation FROM held) THEN
      (SELECT min(quote_ident(n.nspname) || '.' || quote_ident(c.relname)) FROM pg_index o
      JOIN pg_class c ON c.oid = o.indexrelid JOIN pg_namespace n ON n.oid = c.relnamespace
      WHERE o.indrelid = f.indrelid AND o.indexrelid <> f.indexrelid AND o.indisvalid AND c.relam = (SELECT relam FROM pg_class WHERE oid = f.indexrelid)
        AND o.indkey::text = f.indkey::text AND o.indclass::text = f.indclass::text AND o.indcollation::text = f.indcollation::text
        AND o.indoption::text = f.indoption::text AND o.indnatts = f.indnatts AND o.indisunique >= f.indisunique
        AND to_jsonb(o) -> 'indnullsnotdistinct' IS NOT DISTINCT FROM to_jsonb(f) -> 'indnullsnotdistinct'
        AND pg_get_expr(o.indexprs, o.indrelid) IS NOT DISTINCT FROM pg_get_expr(f.indexprs, f.indrelid)
        AND pg_get_expr(o.indpred, o.indrelid) IS NOT DISTINCT FROM pg_get_expr(f.indpred, f.indrelid)) END,
  'columns', f.indnatts, 'known', w.known, 'width', w.width, 'nulls', w.nulls, 'distinct', w.distinct_values))
FROM found f JOIN pg_class c ON c.oid = f.table_oid LEFT JOIN LATERAL (
  SELECT count(s.avg_width) AS known, sum((1 - s.null_frac) * s.avg_width)::float8 AS width, max(s.null_frac)::float8 AS nulls,
         min(s.n_distinct)::float8 AS distinct_values
  FROM generate_series(0, f.indnatts - 1) k
    LEFT JOIN pg_attribute a ON a.attrelid = CASE WHEN f.indkey[k] = 0 THEN f.indexrelid ELSE f.indrelid END
      AND a.attnum = CASE WHEN f.indkey[k] = 0 THEN k + 1 ELSE f.indkey[k] END
    LEFT JOIN pg_stats s ON s.schemaname = f.nspname AND s.tablename = CASE WHEN f.indkey[k] = 0 THEN f.relname ELSE f.table_name END
      AND s.attname = a.attname AND NOT s.inherited
  WHERE f.amname = 'btree' AND f.bytes >= %(size)s
) w ON true
"""

SETTINGS = """
SELECT /* gpt_agent.runbook */ json_build_object(
  'now', extract(epoch FROM now())::float8, 'pid', pg_backend_pid(),
  'standby', pg_is_in_recovery(), 'role', current_user::text, 'version', current_setting('server_version_num')::int,
  'block', current_setting('block_size')::int, 'started', extract(epoch FROM pg_postmaster_start_time())::float8,
  'standbys', (SELECT count(*) FROM pg_stat_replication),
  'data_directory', (SELECT setting FROM pg_settings WHERE name = 'data_directory'),
  'tablespaces', (SELECT json_object_agg(oid::bigint, pg_tablespace_location(oid)) FROM pg_tablespace),
  'tablespace', (SELECT dattablespace::bigint FROM pg_database WHERE datname = current_database()),
  'tuple_tools', (SELECT quote_ident(n.nspname) FROM pg_extension e JOIN pg_namespace n ON n.oid = e.extnamespace WHERE e.extname = 'pgstattuple'),
  'settings', (SELECT json_object_agg(name, setting) FROM pg_settings WHERE name LIKE 'autovacuum%' OR name LIKE 'vacuum%freeze_table_age'))
"""

# Of one database, or of the whole server where none is given. Without the right to see other users' sessions their ages are null. A vacuum's
# own snapshot holds back no other, and a lost slot nothing any more; walsenders count as standbys. At READ COMMITTED each statement renews the
# snapshot, so without a transaction id a session holds back no more than since its last one began. A session sees no less than what others hold,
# so of equals it comes last.
# Ages count from now(), as those of vacuums do: two clocks would make a vacuum younger than the session that came after it.
HOLDERS = """
SELECT /* gpt_agent.runbook */ kind, whose, database, age, seconds FROM (
  (SELECT 'session' AS kind, 'pid ' || pid || ' (' || coalesce(nullif(application_name, ''), nullif(backend_type, 'client backend'), 'user ' || usename)
            || ')' AS whose,
          datname::text AS database, greatest(age(backend_xmin), age(backend_xid)) AS age,
          greatest(0, extract(epoch FROM now() - CASE WHEN backend_xid IS NULL THEN greatest(query_start, xact_start) ELSE xact_start END))::float8
            AS seconds
   FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND backend_type NOT IN ('walsender', 'parallel worker')
     AND (%(database)s IS NULL OR datname = %(database)s) AND pid NOT IN (SELECT pid FROM pg_stat_progress_vacuum)
   ORDER BY 4 DESC NULLS LAST LIMIT 5)
  UNION ALL (SELECT 'prepared transaction', quote_literal(gid), database::text, age(transaction), extract(epoch FROM now() - prepared)::float8
             FROM pg_prepared_xacts WHERE %(database)s IS NULL OR database = %(database)s ORDER BY prepared LIMIT 5)
  UNION ALL SELECT 'replication slot', quote_literal(slot_name), database::text, greatest(age(xmin), age(catalog_xmin)), NULL
            FROM pg_replication_slots WHERE wal_status IS DISTINCT FROM 'lost'
  UNION ALL SELECT 'standby', coalesce(nullif(application_name, ''), host(client_addr), 'pid ' || pid), NULL, age(backend_xmin), NULL
            FROM pg_stat_replication
) holder WHERE age IS NOT NULL ORDER BY age DESC, kind = 'session', seconds DESC NULLS LAST
"""

MEASURE = "SELECT /* gpt_agent.runbook */ index_size, internal_pages + leaf_pages, leaf_pages, avg_leaf_density FROM {schema}.pgstatindex(%(oid)s::oid::regclass)"

#: Who may vacuum and analyze a table, and rebuild its indexes.
OWNS = "(pg_has_role(c.relowner, 'USAGE') OR (SELECT rolsuper FROM pg_roles WHERE rolname = current_user))"
MAY = f"({OWNS} OR has_table_privilege(c.oid, 'MAINTAIN'))"


class Bloat(NamedTuple):
    """How much of an index is nothing but room, and how that is known."""

    share: float
    """From 0 to 1."""
    method: str
    """``measured`` with pgstatindex, or ``estimated`` from the statistics."""
    confidence: str
    """``high``, ``medium``, or ``low`` where the statistics are old."""

    @property
    def words(self) -> str:
        return (
            f"{100 * self.share:.0f} % of it is empty ({self.method}, confidence {self.confidence})"
        )


@dataclass(frozen=True)
class Inventory:
    """What a database holds; plain data."""

    database: str
    facts: Row
    tables: Sequence[Row]
    indexes: Sequence[Row]
    holders: Sequence[Row]
    """Who keeps vacuum from removing dead rows, the oldest first."""
    measured: Mapping[int, Bloat]
    """Bloat of the indexes that were read."""

    @cached_property
    def by_oid(self) -> dict[int, Row]:
        return {table["oid"]: table for table in self.tables}

    @cached_property
    def relations(self) -> dict[int, Row]:
        """Tables and indexes."""
        return {each["oid"]: each for each in (*self.tables, *self.indexes)}

    def line(self, relation: Row) -> list[Row]:
        """An index or table with what it belongs to: its table, and the partitioned tables above that."""
        table = relation.get("table", relation["oid"])
        return [
            relation,
            *(self.by_oid[oid] for oid in (table, *self.above(table)) if oid in self.by_oid),
        ]

    def above(self, table: int) -> Sequence[int]:
        """The partitioned tables of which a table is a part."""
        return (self.by_oid[table]["parents"] or ()) if table in self.by_oid else ()

    @cached_property
    def index_bytes(self) -> dict[int, float]:
        """Size of all indexes of a table."""
        found: dict[int, float] = {}
        for index in self.indexes:
            found[index["table"]] = found.get(index["table"], 0.0) + index["bytes"]
        return found

    @cached_property
    def own_indexes(self) -> list[Row]:
        """Without those of system and TOAST tables."""
        return [index for index in self.indexes if index["table"] in self.by_oid]

    @property
    def bytes(self) -> float:
        """Size of all tables and their indexes."""
        return float(sum(each["bytes"] for each in (*self.tables, *self.own_indexes)))

    @property
    def summary(self) -> str:
        """How much there is, in a few words."""
        return f"{pluralize(len(self.tables), 'table')}, {pluralize(len(self.own_indexes), 'index', 'indexes')}, {format_value(self.bytes, 'bytes')}"

    def bloat(self, index: Row) -> Bloat | None:
        """How much of an index is empty; none where that cannot be told."""
        if index["oid"] in self.measured:
            return self.measured[index["oid"]]
        table = self.by_oid.get(index["table"])
        return estimate(index, table, self.facts["block"]) if table else None


def inspect(connection: Connection, facts: Row, budget: int = MEASURED_BYTES) -> Inventory:
    """Look at everything in the connection's transaction, and read indexes of ``budget`` bytes in all, the most wasteful first.

    ``facts`` are the answer to `SETTINGS`.
    """
    texts = {
        "mine": MAY if facts["version"] >= 170000 else OWNS,
        "owned": OWNS,
        "block": facts["block"],
        "held": HELD,
        "worked": WORKED,
    }
    tables = connection.rows("its tables", TABLES.format(**texts), {"oid": None})[0][0] or []
    indexes = (
        connection.rows("its indexes", INDEXES.format(**texts), {"oid": None, "size": INDEX_SIZE})[
            0
        ][0]
        or []
    )
    seen = Inventory(
        connection.database,
        facts,
        tables,
        indexes,
        oldest(connection.rows, connection.database)[:5],
        {},
    )
    return (
        replace(seen, measured=_measure(connection, seen, budget)) if facts["tuple_tools"] else seen
    )


def oldest(ask: Ask, database: str | None = None) -> list[Row]:
    """Who keeps vacuum from removing rows of a database, or of any of the server's, the oldest first."""
    rows = ask("the oldest transactions", HOLDERS, {"database": database})
    return [dict(zip(("kind", "whose", "database", "age", "seconds"), row)) for row in rows]


def look_again(ask: Ask, seen: Inventory, index: Row) -> Bloat | None:
    """How much of an index is empty now, with the statistics of now."""
    texts = {
        "mine": "true",
        "owned": "true",
        "block": seen.facts["block"],
        "held": HELD,
        "worked": WORKED,
    }
    tables = ask("a table", TABLES.format(**texts), {"oid": index["table"]})[0][0] or []
    indexes = ask("an index", INDEXES.format(**texts), {"oid": index["oid"], "size": 0})[0][0] or []
    return estimate(indexes[0], tables[0], seen.facts["block"]) if tables and indexes else None


def _measure(connection: Connection, seen: Inventory, budget: int) -> dict[int, Bloat]:
    """What pgstatindex says of the indexes that seem to waste most; without the right to ask, nothing.

    Half of the time is left for other questions.
    """
    found: dict[int, Bloat] = {}
    for index in _suspects(seen)[:50]:
        if index["bytes"] > budget:
            continue
        if connection.deadline.remaining() < connection.deadline.seconds / 2:
            break
        budget -= index["bytes"]
        try:
            rows = connection.rows(
                "an index",
                MEASURE.format(schema=seen.facts["tuple_tools"].replace("%", "%%")),
                {"oid": index["oid"]},
            )
        except NotCollected:
            continue
        found[index["oid"]] = measured(
            rows[0], index["fillfactor"] or FILLFACTOR, seen.facts["block"]
        )
    return found


def _suspects(seen: Inventory) -> list[Row]:
    """Indexes worth a measurement, the most wasteful first; large ones of which nothing is known count as half empty."""
    found = []
    for index in seen.indexes:
        table, bloat = seen.by_oid.get(index["table"]), seen.bloat(index)
        if table is None or table["held"]:
            continue
        unknown = (
            bloat is None
            and index["method"] == "btree"
            and index["valid"]
            and index["bytes"] >= INDEX_SIZE
        )
        wasted = index["bytes"] * (bloat.share if bloat else 0.5 if unknown else 0.0)
        if wasted >= INDEX_SIZE / 4:
            found.append((wasted, index))
    return [index for _wasted, index in sorted(found, key=lambda pair: -pair[0])]


def measured(row: Sequence[Any], fillfactor: int, block: int) -> Bloat:
    """Bloat from what pgstatindex says: size, pages in use, leaf pages and how full they are in percent."""
    size, pages, leaves, density = row
    if not size or not leaves or density is None or math.isnan(density):
        return Bloat(0.0, "measured", "high")
    needed = block * (pages - leaves + leaves * min(1.0, density / fillfactor))
    return Bloat(max(0.0, 1 - needed / size), "measured", "high")


def estimate(index: Row, table: Row, block: int) -> Bloat | None:
    """Bloat of a B-tree from the average width of its columns; none where that is not known.

    Rows with equal keys share one entry (deduplication, PostgreSQL 13). Of several columns together the number of different
    keys is not known; then no sharing is assumed, so that a doubt makes an index look less bloated, never more. For the same
    reason a number of different keys that ANALYZE has counted in its sample, which is often far too low, counts tenfold.
    """
    if (
        index["method"] != "btree"
        or index["partitioned"]
        or not index["valid"]
        or not index["bytes"]
    ):
        return None
    rows, stale = index["rows"], table["modified"] or 0
    fresh = table["analyzed"] is not None and stale <= FRESH * max(rows or 0, 1000)
    if (
        rows is not None and 0 <= rows < 1 and fresh and not table["live"]
    ):  # all rows are gone: there are no statistics, and none are needed
        return Bloat(max(0.0, 1 - 2 * block / index["bytes"]), "estimated", "medium")
    if rows is None or rows < 1 or not index["known"] or index["known"] < index["columns"]:
        return None
    bitmap = ALIGNMENT if index["nulls"] else 0
    entry = _aligned(TUPLE_HEADER + bitmap) + _aligned(index["width"])
    full = rows * (entry + LINE_POINTER)
    distinct = (
        index["distinct"]
        if index["columns"] == 1 and index["deduplicates"] and not index["unique"]
        else None
    )
    if distinct:
        keys = DISTINCT_MARGIN * distinct if distinct > 0 else -distinct * rows
        posting = (
            max(keys, rows * TUPLE_ID / (block / 6)) * (entry + LINE_POINTER) + rows * TUPLE_ID
        )
        full = min(full, posting) if rows > 2 * keys else full
    usable = (block - PAGE_HEADER - SPECIAL) * (index["fillfactor"] or FILLFACTOR) / 100
    pages = math.ceil(full / usable)
    needed = block * (
        1 + pages + math.ceil(pages / 200)
    )  # a page of its own, leaves, and what leads to them
    return Bloat(max(0.0, 1 - needed / index["bytes"]), "estimated", "medium" if fresh else "low")


def _aligned(size: float) -> float:
    return math.ceil(size / ALIGNMENT) * ALIGNMENT
