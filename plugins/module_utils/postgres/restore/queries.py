# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is asked of a server that databases are restored on; SQL and nothing else."""

from __future__ import annotations

SERVER = """
SELECT /* gpt_agent.runbook */ json_build_object(
  'version', current_setting('server_version_num')::int, 'standby', pg_is_in_recovery(), 'user', current_user,
  'superuser', r.rolsuper, 'createdb', r.rolsuper OR r.rolcreatedb,
  'roles', (SELECT json_agg(rolname) FROM pg_roles),
  'extensions', (SELECT json_agg(DISTINCT name) FROM pg_available_extensions),
  'tablespaces', (SELECT json_agg(spcname) FROM pg_tablespace),
  'data_directory', CASE WHEN pg_has_role('pg_read_all_settings', 'USAGE') THEN current_setting('data_directory') END,
  'started', extract(epoch FROM pg_postmaster_start_time())::float8)
FROM pg_roles r WHERE r.rolname = current_user
"""

# The properties have the form that a manifest has them in. The columns of the locale provider differ between versions, hence the way through JSON.
DATABASES = """
SELECT /* gpt_agent.runbook */ json_build_object('oid', d.oid::bigint, 'name', d.datname, 'properties', json_build_object(
  'owner', pg_get_userbyid(d.datdba), 'encoding', pg_encoding_to_char(d.encoding), 'collate', d.datcollate, 'ctype', d.datctype,
  'provider', to_jsonb(d) ->> 'datlocprovider', 'locale', coalesce(to_jsonb(d) ->> 'datlocale', to_jsonb(d) ->> 'daticulocale'),
  'icu_rules', to_jsonb(d) ->> 'daticurules', 'tablespace', t.spcname, 'connection_limit', d.datconnlimit, 'acl', d.datacl::text[],
  'comment', shobj_description(d.oid, 'pg_database'),
  'settings', (SELECT json_agg(json_build_object('role', r.rolname, 'settings', s.setconfig) ORDER BY r.rolname NULLS FIRST)
    FROM pg_db_role_setting s LEFT JOIN pg_roles r ON r.oid = s.setrole WHERE s.setdatabase = d.oid)),
  'accepts_connections', d.datallowconn,
  'bytes', CASE WHEN has_database_privilege(d.oid, 'CONNECT') OR pg_has_role('pg_read_all_stats', 'USAGE') THEN pg_database_size(d.oid) END,
  'sessions', (SELECT count(*) FROM pg_stat_activity a WHERE a.datid = d.oid AND a.backend_type <> 'autovacuum worker'),
  'prepared', (SELECT count(*) FROM pg_prepared_xacts x WHERE x.database = d.datname),
  'slots', (SELECT json_agg(slot_name) FROM pg_replication_slots l WHERE l.database = d.datname),
  'subscriptions', (SELECT count(*) FROM pg_stat_subscription s JOIN pg_stat_activity a ON a.pid = s.pid WHERE a.datid = d.oid))
FROM pg_database d JOIN pg_tablespace t ON t.oid = d.dattablespace ORDER BY d.datname
"""

# Whether this session's rename holds off new connections yet.
IS_HELD = """
SELECT /* gpt_agent.runbook */ EXISTS (SELECT FROM pg_locks WHERE pid = %(pid)s AND locktype = 'object'
  AND classid = 'pg_database'::regclass AND objid = %(database)s::oid AND mode = 'AccessExclusiveLock' AND granted)
"""
END_SESSIONS = """
SELECT /* gpt_agent.runbook */ count(*), count(*) FILTER (WHERE pg_terminate_backend(pid)) FROM pg_stat_activity
WHERE datid = %(database)s::oid AND pid <> pg_backend_pid() AND backend_type <> 'autovacuum worker'
"""
OID_OF = "SELECT /* gpt_agent.runbook */ oid::bigint FROM pg_database WHERE datname = %(name)s"

# Everything but the rows: what a restored database must have, as the manifest has it.
INVALID_INDEXES = """
SELECT /* gpt_agent.runbook */ quote_ident(n.nspname) || '.' || quote_ident(c.relname) FROM pg_index i
JOIN pg_class c ON c.oid = i.indexrelid JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE NOT i.indisvalid AND c.relkind = 'i' AND n.nspname !~ '^pg_(toast|temp)' ORDER BY 1
"""
