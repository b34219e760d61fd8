# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""SQL: the sessions of a server, and the end of one."""

from __future__ import annotations

# Without the right to see other users' sessions, backend_type and other details are null in their rows.
# Whether a session listens or has prepared a transaction can only be seen in its last statement.
# All ages count from one moment: a clock read for each row can put sessions that differ by milliseconds in the wrong order.
# Within a transaction the statistics views show the same sessions again, unless the snapshot is cleared.
SESSIONS = """
SELECT /* gpt_agent.runbook */ pg_stat_clear_snapshot();
WITH /* gpt_agent.runbook */ session AS MATERIALIZED (
  SELECT s.pid, s.application_name AS application, s.usename AS "user", quote_ident(s.usename) AS role, s.datname AS database,
         host(s.client_addr) AS client,
         CASE WHEN s.backend_type IS NULL OR s.state = 'disabled' THEN 'hidden' ELSE coalesce(s.state, 'starting') END AS state,
         s.backend_start AS started, s.state_change AS since,
         extract(epoch FROM (SELECT clock_timestamp()) - s.state_change)::float8 AS seconds,
         coalesce(r.rolsuper, true) AS superuser,
         coalesce(r.rolreplication, false) AS replication,
         coalesce(s.query ~* '[[:<:]]listen[[:>:]]', false) AS listens,
         s.query ~* '[[:<:]]prepare[[:space:]]+transaction[[:>:]]'
           AND EXISTS (SELECT FROM pg_prepared_xacts x WHERE x.owner = s.usename AND x.database = s.datname) AS prepared,
         s.pid IN (SELECT l.pid FROM pg_locks l WHERE l.locktype = 'advisory' AND l.pid IS NOT NULL) AS locks,
         r.oid IS NOT NULL AND (pg_has_role(current_user, r.oid, 'USAGE') OR pg_has_role(current_user, 'pg_signal_backend', 'USAGE')) AS mine
  FROM pg_stat_activity s LEFT JOIN pg_roles r ON r.oid = s.usesysid
  WHERE s.pid <> pg_backend_pid()
    AND (s.backend_type = 'client backend' OR s.backend_type IS NULL AND s.datname IS NOT NULL AND s.usename IS NOT NULL)
)
SELECT
  (SELECT json_agg(s) FROM session s),
  (SELECT json_object_agg(rolname, rolconnlimit) FROM pg_roles WHERE rolconnlimit > 0 AND rolcanlogin AND NOT rolsuper),
  (SELECT json_object_agg(datname, datconnlimit) FROM pg_database WHERE datconnlimit > 0),
  quote_ident(current_user)
"""
# One statement checks the session once more and ends it. A session that has been used since the plan was made has another state_change.
END_SESSION = """
SELECT /* gpt_agent.runbook */ pg_stat_clear_snapshot();
SELECT /* gpt_agent.runbook */ s.backend_start = %(started)s::timestamptz,
       CASE WHEN s.backend_start = %(started)s::timestamptz AND s.state_change = %(since)s::timestamptz AND s.state = %(state)s
            THEN pg_terminate_backend(s.pid) END
FROM pg_stat_activity s WHERE s.pid = %(pid)s
"""
