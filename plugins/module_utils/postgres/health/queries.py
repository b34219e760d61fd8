# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""SQL of the daily checks: views of the whole server only, so that any of its databases will do."""

from __future__ import annotations

#: What the server says of itself, and what the role has permission to see.
FACTS = """
SELECT /* gpt_agent.runbook */ json_build_object(
  'version', current_setting('server_version'),
  'number', current_setting('server_version_num')::int,
  'role', current_user::text,
  'sees_all', pg_has_role(current_user, 'pg_read_all_stats', 'USAGE'),
  'sees_settings', pg_has_role(current_user, 'pg_read_all_settings', 'USAGE'),
  'sees_archive', has_function_privilege('pg_ls_archive_statusdir()', 'EXECUTE'),
  'sees_control', has_function_privilege('pg_control_system()', 'EXECUTE'),
  'standby', pg_is_in_recovery(),
  'feedback', current_setting('hot_standby_feedback') = 'on',
  'started', extract(epoch FROM pg_postmaster_start_time()),
  'now', extract(epoch FROM clock_timestamp()),
  'max_connections', current_setting('max_connections')::int,
  'reserved', current_setting('superuser_reserved_connections')::int + coalesce(current_setting('reserved_connections', true), '0')::int,
  'archive_mode', current_setting('archive_mode'),
  'archive_command', current_setting('archive_command'),
  'archive_library', current_setting('archive_library', true),
  'sync_names', current_setting('synchronous_standby_names'),
  'sync_commit', current_setting('synchronous_commit'),
  'read_only', current_setting('default_transaction_read_only') = 'on',
  'prepared_limit', current_setting('max_prepared_transactions')::int,
  'statements_loaded', current_setting('pg_stat_statements.max', true) IS NOT NULL)
"""

#: Who set a parameter: the server, the database or the role.
SOURCE = "SELECT /* gpt_agent.runbook */ source FROM pg_settings WHERE name = %s"

# Without permission to see other users' sessions, backend_type and all that is private is null in their rows. A VACUUM may take hours: it holds
# back nothing.
SESSIONS = """
WITH /* gpt_agent.runbook */ session AS MATERIALIZED (
  SELECT pid, application_name AS application, usename AS "user", datname AS database, host(client_addr) AS client,
         CASE WHEN backend_type IS NULL OR state = 'disabled' THEN 'hidden' ELSE coalesce(state, 'starting') END AS state,
         extract(epoch FROM clock_timestamp() - state_change)::float8 AS state_seconds,
         extract(epoch FROM clock_timestamp() - xact_start)::float8 AS transaction_seconds,
         left(query, 1000) AS statement,
         age(backend_xmin) AS xmin_age,
         coalesce(application_name = ANY (%(ignored)s), false) AS ignored,
         CASE WHEN wait_event = 'SyncRep' THEN greatest(0, extract(epoch FROM clock_timestamp() - query_start))::float8 END AS commit_seconds
  FROM pg_stat_activity
  WHERE pid <> pg_backend_pid()
    AND (backend_type = 'client backend' OR backend_type IS NULL AND datname IS NOT NULL AND usename IS NOT NULL)
)
SELECT
  (SELECT json_agg(g) FROM (SELECT application, "user", database, state, count(*) FROM session GROUP BY 1, 2, 3, 4 ORDER BY 5 DESC) g),
  (SELECT json_agg(i) FROM (SELECT * FROM session WHERE state LIKE 'idle in transaction%%' AND NOT ignored
                            ORDER BY state_seconds DESC NULLS LAST LIMIT %(shown)s) i),
  (SELECT json_agg(t) FROM (SELECT * FROM session WHERE transaction_seconds IS NOT NULL AND NOT ignored
                              AND pid NOT IN (SELECT pid FROM pg_stat_progress_vacuum)
                            ORDER BY transaction_seconds DESC LIMIT %(shown)s) t),
  (SELECT count(*) FROM session WHERE ignored AND transaction_seconds IS NOT NULL),
  (SELECT max(xmin_age) FROM session),
  (SELECT max(age(transaction)) FROM pg_prepared_xacts),
  (SELECT json_object_agg(rolname, rolconnlimit) FROM pg_roles WHERE rolconnlimit >= 0 AND rolcanlogin AND NOT rolsuper),
  (SELECT json_agg(c) FROM (SELECT * FROM session WHERE commit_seconds IS NOT NULL ORDER BY commit_seconds DESC) c),
  (SELECT count(*) FROM pg_prepared_xacts)
"""

DATABASES = """
SELECT /* gpt_agent.runbook */ {created}, json_agg(json_build_object(
  'oid', s.datid::bigint,
  'name', d.datname,
  'connection_limit', d.datconnlimit,
  'allows', d.datallowconn,
  'xid_age', age(d.datfrozenxid),
  'mxid_age', mxid_age(d.datminmxid),
  'hit', s.blks_hit,
  'read', s.blks_read,
  'deadlocks', s.deadlocks,
  'commits', s.xact_commit,
  'rollbacks', s.xact_rollback,
  'spilled', s.temp_bytes,
  'checksum_failures', s.checksum_failures,
  'checksum_seconds', extract(epoch FROM clock_timestamp() - s.checksum_last_failure),
  'read_only', EXISTS (SELECT FROM pg_db_role_setting r, unnest(r.setconfig) AS c WHERE r.setdatabase = d.oid AND r.setrole = 0
     AND c ~* '^default_transaction_read_only=(on|t|true|y|yes|1)$'),
  'reset', extract(epoch FROM s.stats_reset)) ORDER BY s.datid)
FROM pg_stat_database s LEFT JOIN pg_database d ON d.oid = s.datid
"""
#: When initdb ran, in seconds since the epoch.
CREATED = "(pg_control_system()).system_identifier >> 32"

# When each standby last said something, by its own clock, so that the age of its figures is known.
STANDBYS = """(SELECT json_agg(json_build_object('pid', r.pid, 'application', r.application_name, 'client', host(r.client_addr), 'state', r.state,
     'sync', r.sync_state, 'behind_bytes', pg_wal_lsn_diff(here.lsn, r.replay_lsn), 'lag_seconds', extract(epoch FROM r.replay_lag),
     'replays', r.replay_lsn IS NOT NULL, 'reply', extract(epoch FROM r.reply_time), 'now', extract(epoch FROM clock_timestamp()),
     'interval', extract(epoch FROM current_setting('wal_receiver_status_interval')::interval))) FROM pg_stat_replication r, here)"""
HERE = """WITH /* gpt_agent.runbook */ here AS MATERIALIZED (
  SELECT CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn() ELSE pg_current_wal_lsn() END AS lsn)"""
STANDBYS_AGAIN = f"{HERE} SELECT {STANDBYS}"

# Slots as whole rows, because their columns differ between versions. What a standby has set itself to, because a delay or a pause may be meant.
WAL = """
{here}
SELECT
  {standbys},
  (SELECT json_agg(to_jsonb(s) || jsonb_build_object('kept_bytes', pg_wal_lsn_diff(here.lsn, s.restart_lsn),
     'position', pg_wal_lsn_diff(coalesce(s.confirmed_flush_lsn, s.restart_lsn), '0/0'),
     'inactive_seconds', extract(epoch FROM clock_timestamp() - (to_jsonb(s) ->> 'inactive_since')::timestamptz),
     'xmin_age', greatest(age(s.xmin), age(s.catalog_xmin)))) FROM pg_replication_slots s, here WHERE NOT s.temporary),
  (SELECT json_build_object('receiving', (SELECT count(*) FROM pg_stat_wal_receiver) > 0,
     'visible', (SELECT status IS NOT NULL FROM pg_stat_wal_receiver),
     'message_seconds', (SELECT extract(epoch FROM clock_timestamp() - last_msg_receipt_time) FROM pg_stat_wal_receiver),
     'receiver_timeout', extract(epoch FROM current_setting('wal_receiver_timeout')::interval),
     'sender_timeout', extract(epoch FROM current_setting('wal_sender_timeout')::interval),
     'streams', (SELECT setting <> '' FROM pg_settings WHERE name = 'primary_conninfo'),
     'restores', current_setting('restore_command') <> '',
     'delay', extract(epoch FROM current_setting('recovery_min_apply_delay')::interval),
     'target', concat(current_setting('recovery_target'), current_setting('recovery_target_time'), current_setting('recovery_target_xid'),
       current_setting('recovery_target_name'), current_setting('recovery_target_lsn')),
     'caught_up', pg_last_wal_replay_lsn() >= pg_last_wal_receive_lsn(), 'paused', pg_is_wal_replay_paused(),
     'replayed_seconds', extract(epoch FROM clock_timestamp() - pg_last_xact_replay_timestamp())) WHERE pg_is_in_recovery()),
  (SELECT json_build_object('archived', a.archived_count, 'failed', a.failed_count, 'last_archived_wal', a.last_archived_wal,
     'last_failed_wal', a.last_failed_wal,
     'archived_seconds', extract(epoch FROM clock_timestamp() - a.last_archived_time),
     'failed_seconds', extract(epoch FROM clock_timestamp() - a.last_failed_time),
     'position', pg_wal_lsn_diff(here.lsn, '0/0'), 'segment', pg_size_bytes(current_setting('wal_segment_size'))) FROM pg_stat_archiver a, here),
  (SELECT count(*) FROM pg_subscription),
  {waiting}
"""
#: Segments that wait to be archived, and for how long the oldest does.
WAITING = """count(*), extract(epoch FROM clock_timestamp() - min(modification))::float8
  FROM pg_ls_archive_statusdir() WHERE name LIKE '%.ready'"""
NOT_VISIBLE = "NULL::bigint, NULL::float8"

# Without permission, the times of a worker's start are null. The catalog of a subscription's tables is that of its own database only.
SUBSCRIPTIONS = """
SELECT /* gpt_agent.runbook */ json_agg(json_build_object(
  'name', s.subname, 'database', d.datname, 'enabled', s.subenabled, 'slot', s.subslotname,
  'gives_up', {gives_up}, 'apply_errors', {apply_errors}, 'sync_errors', {sync_errors},
  'working', w.pid IS NOT NULL,
  'worker_seconds', (SELECT extract(epoch FROM clock_timestamp() - a.backend_start) FROM pg_stat_activity a WHERE a.pid = w.pid),
  'message_seconds', extract(epoch FROM clock_timestamp() - w.last_msg_receipt_time),
  'receiver_timeout', extract(epoch FROM current_setting('wal_receiver_timeout')::interval),
  'sender_timeout', extract(epoch FROM current_setting('wal_sender_timeout')::interval),
  'copying', (SELECT count(*) FROM pg_subscription_rel r WHERE r.srsubid = s.oid AND r.srsubstate NOT IN ('r', 's'))) ORDER BY s.subname)
FROM pg_subscription s JOIN pg_database d ON d.oid = s.subdbid {stats}
  LEFT JOIN LATERAL (SELECT * FROM pg_stat_subscription w WHERE w.subid = s.oid AND w.relid IS NULL {leader}
                     ORDER BY w.pid IS NULL LIMIT 1) w ON true
"""
#: What of that differs between versions.
ERRORS_SINCE_15 = {
    "gives_up": "s.subdisableonerr",
    "apply_errors": "e.apply_error_count",
    "sync_errors": "e.sync_error_count",
    "stats": "LEFT JOIN pg_stat_subscription_stats e ON e.subid = s.oid",
}
ERRORS_IN_14 = {"gives_up": "false", "apply_errors": "NULL", "sync_errors": "NULL", "stats": ""}
LEADERS_SINCE_16 = "AND w.leader_pid IS NULL"

EXTENSION = """
SELECT /* gpt_agent.runbook */ e.extversion, quote_ident(n.nspname)
FROM pg_extension e JOIN pg_namespace n ON n.oid = e.extnamespace WHERE e.extname = 'pg_stat_statements'
"""

# Without permission, statements of other users have no identity, but their counters are visible.
STATEMENTS = """
SELECT /* gpt_agent.runbook */ concat_ws('/', dbid, userid, queryid), sum(calls)::bigint, sum({time})::float8 / 1000, sum(rows)::float8, {reset}
FROM {schema}.pg_stat_statements(false) WHERE {top} GROUP BY 1 ORDER BY 3 DESC LIMIT %s
"""
RESET = "(SELECT extract(epoch FROM stats_reset)::float8 FROM {schema}.pg_stat_statements_info)"
TEXTS = """
SELECT /* gpt_agent.runbook */ DISTINCT ON (1) concat_ws('/', dbid, userid, queryid), left(query, 2000), pg_get_userbyid(userid)::text,
  (SELECT datname::text FROM pg_database d WHERE d.oid = dbid)
FROM {schema}.pg_stat_statements(true) WHERE queryid = ANY (%s)
"""
