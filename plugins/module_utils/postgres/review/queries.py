# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""SQL of the in-depth checks: lock waits, settings, and the contents of a database."""

from __future__ import annotations

# pg_blocking_pids() stops the lock manager for a moment, so it is called only for the sessions that have waited longest. A prepared transaction has
# no pid, so that of its locks is null.
BLOCKED = """
WITH /* gpt_agent.runbook */ waiting AS MATERIALIZED (
  SELECT pid, extract(epoch FROM clock_timestamp() - min(waitstart))::float8 AS seconds
  FROM pg_locks WHERE NOT granted AND pid IS NOT NULL GROUP BY pid ORDER BY seconds DESC NULLS LAST LIMIT 50
), edges AS MATERIALIZED (SELECT pid, seconds, pg_blocking_pids(pid) AS blockers FROM waiting)
SELECT (SELECT count(DISTINCT pid) FROM pg_locks WHERE NOT granted AND pid IS NOT NULL), (SELECT json_agg(edges) FROM edges), (
  SELECT json_object_agg(pid, json_build_object('application', application_name, 'user', usename, 'database', datname, 'state', state,
    'transaction_seconds', extract(epoch FROM clock_timestamp() - xact_start)::float8, 'statement', left(query, 1000)))
  FROM pg_stat_activity WHERE pid IN (SELECT pid FROM edges UNION SELECT unnest(blockers) FROM edges)), (
  SELECT json_agg(json_build_object('name', quote_literal(p.gid), 'database', p.database, 'owner', p.owner,
    'seconds', greatest(0, extract(epoch FROM clock_timestamp() - p.prepared))::float8) ORDER BY p.prepared)
  FROM pg_prepared_xacts p WHERE EXISTS (SELECT FROM edges WHERE 0 = ANY (blockers)) AND EXISTS (
    SELECT FROM pg_locks own JOIN pg_locks held ON held.pid IS NULL AND held.granted AND held.virtualtransaction = own.virtualtransaction
      JOIN pg_locks waits ON NOT waits.granted AND (waits.locktype, waits.database, waits.relation, waits.page, waits.tuple, waits.transactionid,
        waits.classid, waits.objid) IS NOT DISTINCT FROM (held.locktype, held.database, held.relation, held.page, held.tuple, held.transactionid,
        held.classid, held.objid)
    WHERE own.pid IS NULL AND own.locktype = 'transactionid' AND own.transactionid = p.transaction))
"""

# A role or database can have a value of its own for its sessions, which hides the server's.
CONFIGURATION = """
SELECT /* gpt_agent.runbook */
  (SELECT json_object_agg(name, json_build_object('value', setting, 'restart', pending_restart,
     'own', source IN ('database', 'user', 'database user', 'client', 'override', 'session'))) FROM pg_settings
   WHERE name = ANY (%(names)s) OR pending_restart),
  {drift}
"""
#: Locales that need no version, because the operating system's libraries do not sort by them.
PLAIN = "^(C|POSIX|C[.].*)$"
# Databases whose default collation has changed, or whose collation has no recorded version.
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

# The same for the collations of indexes; and tables without autovacuum.
DATABASE_SETTINGS = """
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

# Statistics of a table or index that has none yet are null or zero. A foreign key names the unique index of the table that it refers to, so that index is
# needed. Reading the text of an expression takes a lock on its table; if another session
# holds one that conflicts, the stored form is compared, without its position in the statement that created the index.
USAGE = """
WITH /* gpt_agent.runbook */ {held}, constrained AS MATERIALIZED (
  SELECT conindid, min(quote_ident(conname)) FILTER (WHERE contype = 'u') AS name, bool_or(contype <> 'u') AS fixed
  FROM pg_constraint WHERE conindid <> 0 GROUP BY conindid)
SELECT
  (SELECT json_agg(json_build_object('oid', i.indexrelid::bigint, 'table', i.indrelid::bigint, 'scans', pg_stat_get_numscans(i.indexrelid),
     'kept', i.indisunique OR i.indisprimary OR i.indisexclusion OR i.indisreplident OR i.indisclustered OR k.conindid IS NOT NULL,
     'unique', i.indisunique, 'unique_constraint', k.name, 'immediate', i.indimmediate,
     'needed', i.indisprimary OR i.indisexclusion OR i.indisreplident OR i.indisclustered OR coalesce(k.fixed, false),
     'nulls_equal', coalesce((to_jsonb(i) ->> 'indnullsnotdistinct')::bool, false),
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
#: When an index was last used, since PostgreSQL 16.
LAST_SCAN = "extract(epoch FROM pg_stat_get_lastscan(i.indexrelid))::float8"

# Row widths of tables; null if the role lacks permission to see the statistics of a column.
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

# A sequence may fill a column without being owned by it; of several columns the narrowest counts.
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

# Reading a sequence takes a lock until the end of the transaction, and waits for a session that alters it.
LAST_VALUES = """
WITH /* gpt_agent.runbook */ altered AS MATERIALIZED (
  SELECT DISTINCT relation FROM pg_locks WHERE locktype = 'relation'
    AND mode IN ('ShareLock', 'ShareRowExclusiveLock', 'ExclusiveLock', 'AccessExclusiveLock')
    AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
)
SELECT c.oid::bigint, a.held, CASE WHEN NOT a.held THEN pg_sequence_last_value(c.oid) END
FROM pg_class c CROSS JOIN LATERAL (SELECT c.oid IN (SELECT relation FROM altered) AS held) a WHERE c.oid = ANY (%(oids)s) AND c.relkind = 'S'
"""
