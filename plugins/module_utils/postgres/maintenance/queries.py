# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""SQL: lock waits and progress of statements, standby lag, and the state of relations."""

from __future__ import annotations

# Whom each of the run's own sessions waits for, for how long others have waited for it, and how far its statement is. Rebuilding also waits for transactions.
# pg_blocking_pids() stops the lock manager for a moment, so it is called only for own sessions and those that want a lock that one of them has or wants.
# A wait for another session of this run does not count: that session is watched itself.
WATCH_STATEMENTS = """
WITH own(pid) AS (SELECT unnest(%(pids)s::int[])), lock AS MATERIALIZED (
  SELECT pid, granted, waitstart, (locktype, database, relation, page, tuple, virtualxid, transactionid, classid, objid, objsubid)::text AS tag
  FROM pg_locks WHERE pid IS NOT NULL
), waiting AS MATERIALIZED (
  SELECT pid, extract(epoch FROM clock_timestamp() - min(waitstart))::float8 AS seconds, pg_blocking_pids(pid) AS blockers
  FROM lock WHERE NOT granted AND tag IN (SELECT tag FROM lock WHERE pid IN (SELECT pid FROM own)) GROUP BY pid
)
SELECT own.pid, mine.seconds IS NOT NULL AND NOT mine.blockers <@ %(pids)s::int[],
  (SELECT min(format('pid %%s (%%s)', a.pid, coalesce(nullif(a.application_name, ''), 'user ' || a.usename)))
     FROM pg_stat_activity a WHERE a.pid = ANY (mine.blockers)),
  (SELECT max(seconds) FROM waiting w WHERE w.pid <> ALL (%(pids)s::int[]) AND own.pid = ANY (w.blockers)),
  v.phase, v.heap_blks_total, v.heap_blks_scanned, v.heap_blks_vacuumed,
  i.phase, i.blocks_total, i.blocks_done, i.tuples_total, i.tuples_done,
  n.phase, n.sample_blks_total, n.sample_blks_scanned
FROM own LEFT JOIN waiting mine ON mine.pid = own.pid LEFT JOIN pg_stat_progress_vacuum v ON v.pid = own.pid
  LEFT JOIN pg_stat_progress_create_index i ON i.pid = own.pid LEFT JOIN pg_stat_progress_analyze n ON n.pid = own.pid
"""
# What only receives WAL (pg_receivewal, Barman) never replays it. Without pg_monitor only the existence of a standby can be seen.
STANDBY_LAG = """
SELECT max(extract(epoch FROM replay_lag)) FILTER (WHERE replay_lsn IS NOT NULL)::float8, coalesce(bool_or(state IS NULL), false)
FROM pg_stat_replication
"""
# What a rebuild would wait for.
OLD_TRANSACTION = """
SELECT format('pid %%s (%%s)', pid, coalesce(nullif(application_name, ''), 'user ' || usename)), extract(epoch FROM clock_timestamp() - xact_start)::float8
FROM pg_stat_activity WHERE datname = current_database() AND pid <> ALL (%(pids)s::int[]) AND backend_type = 'client backend'
  AND xact_start < clock_timestamp() - make_interval(secs => %(seconds)s) ORDER BY xact_start LIMIT 1
"""
INVALID_INDEXES = """
SELECT i.indexrelid::bigint, quote_ident(n.nspname) || '.' || quote_ident(c.relname), c.relname FROM pg_index i
  JOIN pg_class c ON c.oid = i.indexrelid JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE i.indrelid = %(table)s AND NOT i.indisvalid
"""
RELATION_STATE = """
SELECT CASE WHEN c.relkind = 'i' THEN pg_relation_size(c.oid) WHEN c.relkind = 'p' THEN 0 ELSE pg_table_size(c.oid) END,
  pg_stat_get_dead_tuples(c.oid), greatest(age(nullif(c.relfrozenxid, '0')), 0)
FROM pg_class c WHERE c.oid = %(oid)s
"""
# A rebuild puts another index in the place of the old one, under the same name.
INDEX_OID = """
SELECT c.oid::bigint FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE quote_ident(n.nspname) || '.' || quote_ident(c.relname) = %(quoted)s
"""
# Sessions of a run that was killed: whoever holds the lock knows that no run owns them.
END_ORPHANS = """
SELECT pid, pg_terminate_backend(pid) FROM pg_stat_activity
WHERE application_name = %(application)s AND datname = current_database() AND pid <> pg_backend_pid()
  AND (SELECT pg_has_role(usesysid, 'USAGE'))
"""
IN_RECOVERY = "SELECT pg_is_in_recovery()"
SEES_ALL_SESSIONS = "SELECT pg_has_role(current_user, 'pg_read_all_stats', 'USAGE')"
CANCEL = "SELECT pg_cancel_backend(%(pid)s)"
UPDATE_DATABASE_AGE = "VACUUM (ONLY_DATABASE_STATS)"
QUOTED_DATABASE = "SELECT quote_ident(current_database())"
