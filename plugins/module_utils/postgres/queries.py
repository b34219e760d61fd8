# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""SQL about tables, indexes and the xmin horizon."""

from __future__ import annotations

#: Relations of this database that a session has locked exclusively, or waits to; and tables whose TOAST table or its index is locked,
#: because their size counts as the table's.
HELD = """exclusive AS MATERIALIZED (
  SELECT DISTINCT relation FROM pg_locks WHERE locktype = 'relation' AND mode = 'AccessExclusiveLock'
    AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
), held AS MATERIALIZED (
  SELECT relation FROM exclusive UNION SELECT t.oid FROM pg_class t WHERE t.reltoastrelid IN (SELECT relation FROM exclusive)
  UNION SELECT t.oid FROM pg_class t JOIN pg_index i ON i.indrelid = t.reltoastrelid WHERE i.indexrelid IN (SELECT relation FROM exclusive)
)"""

#: Tables that are being vacuumed, analyzed or rewritten, or whose TOAST table is. Without permission the progress views show only the pid.
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

# The size of a relation that was just dropped is null. Column widths are needed for large B-trees only. A session that builds or drops an index holds
# a lock on it, which every role can see; without permission the progress views show only the pid. Vacuum and analyze take the same lock on the table,
# which says nothing about its indexes.
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

#: What the database and its server say of themselves.
DATABASE_FACTS = """
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

# Of one database, or of the whole server if none is given. Without permission to see other users' sessions, their ages are null. A vacuum's own
# snapshot holds back no other vacuum, and a lost slot holds back nothing; walsenders count as standbys. At READ COMMITTED each statement takes a new
# snapshot, so a session without a transaction ID holds back only what changed since its last statement began. A session's snapshot includes what
# others hold back, so among equals it comes last.
# Ages count from now(), as those of vacuums do: with two clocks a vacuum would look younger than the session that came after it.
XMIN_HOLDERS = """
SELECT /* gpt_agent.runbook */ kind, whose, database, age, seconds FROM (
  (SELECT 'session' AS kind, 'pid ' || pid || ' (' || coalesce(nullif(application_name, ''), nullif(backend_type, 'client backend'), 'user ' || usename)
            || ')' AS whose,
          datname::text AS database, greatest(age(backend_xmin), age(backend_xid)) AS age,
          greatest(0, extract(epoch FROM now() - CASE WHEN backend_xid IS NULL THEN greatest(query_start, xact_start) ELSE xact_start END))::float8
            AS seconds
   FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND backend_type NOT IN ('walsender', 'parallel worker')
     AND (%(database)s IS NULL OR datname = %(database)s) AND pid NOT IN (SELECT pid FROM pg_stat_progress_vacuum)
   ORDER BY 4 DESC NULLS LAST LIMIT 5)
  UNION ALL (SELECT 'prepared transaction', quote_literal(gid), database::text, age(transaction), greatest(0, extract(epoch FROM now() - prepared))::float8
             FROM pg_prepared_xacts WHERE %(database)s IS NULL OR database = %(database)s ORDER BY prepared LIMIT 5)
  UNION ALL SELECT 'replication slot', quote_literal(slot_name), database::text, greatest(age(xmin), age(catalog_xmin)), NULL
            FROM pg_replication_slots WHERE wal_status IS DISTINCT FROM 'lost'
  UNION ALL SELECT 'standby', coalesce(nullif(application_name, ''), host(client_addr), 'pid ' || pid), NULL, age(backend_xmin), NULL
            FROM pg_stat_replication
) holder WHERE age IS NOT NULL ORDER BY age DESC, kind = 'session', seconds DESC NULLS LAST
"""

#: Size and density of a B-tree as pgstattuple measures them.
MEASURE = """
SELECT /* gpt_agent.runbook */ index_size, internal_pages + leaf_pages, leaf_pages, avg_leaf_density
FROM {schema}.pgstatindex(%(oid)s::oid::regclass)
"""

#: Whether the role may vacuum and analyze a table, and rebuild its indexes.
OWNS = "(pg_has_role(c.relowner, 'USAGE') OR (SELECT rolsuper FROM pg_roles WHERE rolname = current_user))"
MAY = f"({OWNS} OR has_table_privilege(c.oid, 'MAINTAIN'))"
