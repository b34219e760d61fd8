# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""SQL and nothing else: what a backup records of a database."""

from __future__ import annotations

SERVER = """
SELECT /* gpt_agent.runbook */ json_build_object('pid', pg_backend_pid(),
  'superuser', (SELECT rolsuper FROM pg_roles WHERE rolname = current_user), 'role', current_user,
  'databases', (SELECT json_agg(json_build_object('name', datname,
      'encoding', pg_encoding_to_char(encoding), 'allowed', has_database_privilege(datname, 'CONNECT'),
      'bytes', CASE WHEN has_database_privilege(datname, 'CONNECT') OR pg_has_role('pg_read_all_stats', 'USAGE')
                    THEN pg_database_size(oid) ELSE 0 END) ORDER BY datname)
    FROM pg_database WHERE NOT datistemplate AND datallowconn),
  'roles', (SELECT json_agg(rolname ORDER BY rolname) FROM pg_roles WHERE rolname !~ '^pg_'))
"""

SYSTEM_IDENTIFIER = (
    "SELECT /* gpt_agent.runbook */ system_identifier::text FROM pg_control_system()"
)

BEGIN = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; SELECT /* gpt_agent.runbook */ pg_export_snapshot()"

# What an extension created is created again by CREATE EXTENSION, so it is not in a dump. A materialised view that is not populated has no rows to
# count. Partitions that are foreign tables are not dumped. A standby has no rows of unlogged tables, and pg_dump leaves them out there, too.
TABLES = """
SELECT /* gpt_agent.runbook */ c.oid::bigint, n.nspname, c.relname, c.relkind::text, quote_ident(n.nspname) || '.' || quote_ident(c.relname),
  c.relpages, (SELECT json_agg(i.inhrelid::bigint) FROM pg_inherits i WHERE i.inhparent = c.oid)
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'm', 'p') AND c.relpersistence <> 't' AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
  AND (c.relkind <> 'm' OR c.relispopulated) AND (c.relpersistence <> 'u' OR NOT pg_is_in_recovery())
  AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e')
ORDER BY n.nspname, c.relname
"""

COUNT = "SELECT {oid}::bigint, count(*) FROM ONLY {quoted}"

# The server may ask for the permission before it joins, and for what is not a sequence that is an error: hence the CASE.
SEQUENCES = """
SELECT /* gpt_agent.runbook */ n.nspname, c.relname, pg_sequence_last_value(c.oid)
FROM pg_sequence q JOIN pg_class c ON c.oid = q.seqrelid JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relpersistence <> 't' AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
  AND (c.relpersistence <> 'u' OR NOT pg_is_in_recovery())
  AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e')
  AND CASE WHEN c.relkind = 'S' THEN has_sequence_privilege(c.oid, 'SELECT, USAGE') ELSE false END
ORDER BY n.nspname, c.relname
"""

LARGE_OBJECTS = "SELECT /* gpt_agent.runbook */ count(*) FROM pg_largeobject_metadata"

EXTENSIONS = """
SELECT /* gpt_agent.runbook */ e.extname, e.extversion, n.nspname
FROM pg_extension e JOIN pg_namespace n ON n.oid = e.extnamespace ORDER BY e.extname
"""

# The role that created the cluster depends on nothing, so the database's owner is added.
ROLES = """
SELECT /* gpt_agent.runbook */ r.rolname FROM pg_roles r WHERE r.oid IN (
  SELECT s.refobjid FROM pg_shdepend s JOIN pg_database d ON d.datname = current_database()
  WHERE s.refclassid = 'pg_authid'::regclass
    AND (s.dbid = d.oid OR (s.dbid = 0 AND s.classid = 'pg_database'::regclass AND s.objid = d.oid))
  UNION SELECT datdba FROM pg_database WHERE datname = current_database())
  AND r.rolname !~ '^pg_' ORDER BY r.rolname
"""

# The columns of pg_database differ between versions, hence to_jsonb.
PROPERTIES = """
SELECT /* gpt_agent.runbook */ json_build_object('bytes', pg_database_size(d.oid), 'owner', pg_get_userbyid(d.datdba),
  'encoding', pg_encoding_to_char(d.encoding), 'collate', d.datcollate, 'ctype', d.datctype,
  'provider', to_jsonb(d) ->> 'datlocprovider', 'locale', coalesce(to_jsonb(d) ->> 'datlocale', to_jsonb(d) ->> 'daticulocale'),
  'icu_rules', to_jsonb(d) ->> 'daticurules', 'tablespace', t.spcname, 'connection_limit', d.datconnlimit, 'acl', d.datacl::text[],
  'comment', shobj_description(d.oid, 'pg_database'),
  'settings', (SELECT json_agg(json_build_object('role', r.rolname, 'settings', s.setconfig) ORDER BY r.rolname NULLS FIRST)
    FROM pg_db_role_setting s LEFT JOIN pg_roles r ON r.oid = s.setrole WHERE s.setdatabase = d.oid))
FROM pg_database d JOIN pg_tablespace t ON t.oid = d.dattablespace WHERE d.datname = current_database()
"""
