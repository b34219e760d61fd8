# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What PostgreSQL is asked about its health: cluster-wide views only, so that any database of the server will do.

Each question is one round trip, and one that is not answered takes only the checks with it that need the answer.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from ...core.errors import NotCollected
from ...core.state import Delta, Sample, StateFile, interval, now_sample
from ...core.units import format_duration
from ..connection import Connection

Row = Mapping[str, Any]

#: Statements whose counters are kept for the next run: those that used the most time.
STATEMENTS_KEPT = 500
#: Statements shown as evidence.
STATEMENTS_SHOWN = 5
#: Statements whose text is fetched where more than the daily checklist is asked.
STATEMENTS_IN_DEPTH = 50
#: What tells our own statements from those that somebody has to optimize, and how many there are.
MARK = "/* gpt_agent.runbook */"
OWN_STATEMENTS = 20
#: Statements that look after tables and indexes take as long as they take; nobody's request waits for their end.
UPKEEP = re.compile(
    r"\s*(?:VACUUM|ANALYZE|REINDEX|CLUSTER|(?:CREATE|CREATE\s+UNIQUE|DROP)\s+INDEX)\b",
    re.IGNORECASE,
)
#: Fewer calls than these say nothing about the mean.
STATEMENTS_ENOUGH = 20
#: Rows of sessions that are fetched.
SESSIONS_SHOWN = 10

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
  'statements_loaded', current_setting('pg_stat_statements.max', true) IS NOT NULL)
"""

# Without the right to see other users' sessions, backend_type and all that is personal is null in their rows. A VACUUM may take hours: it holds back nothing.
SESSIONS = """
WITH /* gpt_agent.runbook */ session AS MATERIALIZED (
  SELECT pid, application_name AS application, usename AS "user", datname AS database, host(client_addr) AS client,
         CASE WHEN backend_type IS NULL OR state = 'disabled' THEN 'hidden' ELSE coalesce(state, 'starting') END AS state,
         extract(epoch FROM clock_timestamp() - state_change)::float8 AS state_seconds,
         extract(epoch FROM clock_timestamp() - xact_start)::float8 AS transaction_seconds,
         left(query, 1000) AS statement,
         age(backend_xmin) AS xmin_age,
         coalesce(application_name = ANY (%(ignored)s), false) AS ignored
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
  (SELECT json_object_agg(rolname, rolconnlimit) FROM pg_roles WHERE rolconnlimit >= 0 AND rolcanlogin AND NOT rolsuper)
"""

DATABASES = """
SELECT /* gpt_agent.runbook */ {made}, json_agg(json_build_object(
  'oid', s.datid::bigint,
  'name', d.datname,
  'connection_limit', d.datconnlimit,
  'xid_age', age(d.datfrozenxid),
  'mxid_age', mxid_age(d.datminmxid),
  'hit', s.blks_hit,
  'read', s.blks_read,
  'deadlocks', s.deadlocks,
  'commits', s.xact_commit,
  'rollbacks', s.xact_rollback,
  'spilled', s.temp_bytes,
  'reset', extract(epoch FROM s.stats_reset)) ORDER BY s.datid)
FROM pg_stat_database s LEFT JOIN pg_database d ON d.oid = s.datid
"""
# The moment of initdb.
MADE = "(pg_control_system()).system_identifier >> 32"

# The rows as a whole, because their columns differ between versions.
WAL = """
WITH /* gpt_agent.runbook */ here AS MATERIALIZED (SELECT CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn() ELSE pg_current_wal_lsn() END AS lsn)
SELECT
  (SELECT json_agg(json_build_object('pid', r.pid, 'application', r.application_name, 'client', host(r.client_addr), 'state', r.state,
     'sync', r.sync_state, 'behind_bytes', pg_wal_lsn_diff(here.lsn, r.replay_lsn), 'lag_seconds', extract(epoch FROM r.replay_lag),
     'replays', r.replay_lsn IS NOT NULL)) FROM pg_stat_replication r, here),
  (SELECT json_agg(to_jsonb(s) || jsonb_build_object('kept_bytes', pg_wal_lsn_diff(here.lsn, s.restart_lsn),
     'inactive_seconds', extract(epoch FROM clock_timestamp() - (to_jsonb(s) ->> 'inactive_since')::timestamptz),
     'xmin_age', greatest(age(s.xmin), age(s.catalog_xmin)))) FROM pg_replication_slots s, here WHERE NOT s.temporary),
  (SELECT json_build_object('receiving', (SELECT count(*) FROM pg_stat_wal_receiver) > 0,
     'caught_up', pg_last_wal_replay_lsn() >= pg_last_wal_receive_lsn(), 'paused', pg_is_wal_replay_paused(),
     'replayed_seconds', extract(epoch FROM clock_timestamp() - pg_last_xact_replay_timestamp())) WHERE pg_is_in_recovery()),
  (SELECT json_build_object('archived', a.archived_count, 'failed', a.failed_count, 'last_archived_wal', a.last_archived_wal,
     'last_failed_wal', a.last_failed_wal,
     'archived_seconds', extract(epoch FROM clock_timestamp() - a.last_archived_time),
     'failed_seconds', extract(epoch FROM clock_timestamp() - a.last_failed_time)) FROM pg_stat_archiver a),
  {waiting}
"""
WAITING = "(SELECT count(*) FROM pg_ls_archive_statusdir() WHERE name LIKE '%.ready')"

EXTENSION = """
SELECT /* gpt_agent.runbook */ e.extversion, quote_ident(n.nspname)
FROM pg_extension e JOIN pg_namespace n ON n.oid = e.extnamespace WHERE e.extname = 'pg_stat_statements'
"""

# Statements of other users have no identity without the right to see them, but their counters are there.
STATEMENTS = """
SELECT /* gpt_agent.runbook */ concat_ws('/', dbid, userid, queryid), sum(calls)::bigint, sum({time})::float8 / 1000, {reset}
FROM {schema}.pg_stat_statements(false) WHERE {top} GROUP BY 1 ORDER BY 3 DESC LIMIT %s
"""
RESET = "(SELECT extract(epoch FROM stats_reset)::float8 FROM {schema}.pg_stat_statements_info)"
TEXTS = """
SELECT /* gpt_agent.runbook */ DISTINCT ON (1) concat_ws('/', dbid, userid, queryid), left(query, 2000), pg_get_userbyid(userid)::text,
  (SELECT datname::text FROM pg_database d WHERE d.oid = dbid)
FROM {schema}.pg_stat_statements(true) WHERE queryid = ANY (%s)
"""


class Missing(NamedTuple):
    """An answer that could not be had."""

    reason: str
    remedy: str


class Sessions(NamedTuple):
    groups: Sequence[Row]
    """How many sessions of each application, user, database and state."""
    idle: Sequence[Row]
    """The sessions that are idle in a transaction, the longest first."""
    transactions: Sequence[Row]
    """The sessions with an open transaction, the oldest first."""
    ignored: int
    """Open transactions of applications that are not to be judged."""
    xmin_age: int | None
    """Age of what the oldest snapshot of a session still sees."""
    prepared_age: int | None
    """Age of the oldest prepared transaction."""
    role_limits: Mapping[str, int]


class Databases(NamedTuple):
    rows: Sequence[Row]
    recent: Delta
    """Counters of all databases since the last run."""
    total: Delta
    """The same since they were reset."""
    sample: Sample


class Wal(NamedTuple):
    standbys: Sequence[Row]
    slots: Sequence[Row]
    replay: Row | None
    """None on a primary."""
    archiver: Row
    waiting: int | None
    """Segments that wait to be archived, where the role may count them."""


class Statements(NamedTuple):
    calls: float
    seconds: float
    window: str
    top: Sequence[Row]
    """The statements with the most time in the window."""
    sample: Sample


class Snapshot(NamedTuple):
    """All that was seen; plain data."""

    address: str
    connect_seconds: float
    facts: Row
    sessions: Sessions | Missing
    databases: Databases | Missing
    wal: Wal | Missing
    statements: Statements | Missing


def collect(
    connection: Connection,
    ignored: Sequence[str],
    databases: StateFile,
    statements: StateFile,
    shown: int = STATEMENTS_SHOWN,
) -> Snapshot:
    """Ask everything; raises `Unreachable` where the server cannot be asked at all.

    ``databases`` and ``statements`` hold the counters of the last run; of ``shown`` statements the text is fetched.
    """
    facts: Row = connection.begin("itself", FACTS)[0][0]

    def ask(part: Callable[..., Any], *more: Any) -> Any:
        try:
            return part(connection, facts, *more)
        except NotCollected as problem:
            return Missing(str(problem), problem.remedy)

    return Snapshot(
        address=connection.address,
        connect_seconds=connection.connect_seconds,
        facts=facts,
        sessions=ask(_sessions, ignored),
        databases=ask(_databases, databases),
        wal=ask(_wal),
        statements=ask(_statements, statements, shown),
    )


def _sessions(connection: Connection, facts: Row, ignored: Sequence[str]) -> Sessions:
    parameters = {"ignored": list(ignored), "shown": SESSIONS_SHOWN}
    groups, idle, transactions, ignored_count, xmin_age, prepared_age, role_limits = (
        connection.rows("its sessions", SESSIONS, parameters)[0]
    )
    return Sessions(
        groups or [],
        idle or [],
        transactions or [],
        ignored_count,
        xmin_age,
        prepared_age,
        role_limits or {},
    )


def _databases(connection: Connection, facts: Row, state: StateFile) -> Databases:
    query = DATABASES.format(made=MADE if facts["sees_control"] else "NULL::bigint")
    made, rows = connection.rows("its databases", query)[0]
    counters = {
        key: float(sum(row[key] or 0 for row in rows))
        for key in ("hit", "read", "deadlocks", "commits", "rollbacks", "spilled")
    }
    epoch = " ".join([str(facts["started"]), *(f"{row['oid']}:{row['reset']}" for row in rows)])
    sample = now_sample(epoch, counters)
    # Counters that were never reset are as old as the cluster at most.
    since = [row["reset"] or made for row in rows if row["hit"]]
    oldest = None if None in since else min(since, default=made)
    age = None if oldest is None else max(0.0, facts["now"] - oldest)
    words = "the cluster was created" if oldest == made and made else "statistics reset"
    return Databases(rows, state.delta(sample, age, words), state.total(sample, age, words), sample)


def _wal(connection: Connection, facts: Row) -> Wal:
    archives = facts["archive_mode"] != "off" and facts["sees_archive"]
    standbys, slots, replay, archiver, waiting = connection.rows(
        "its replication", WAL.format(waiting=WAITING if archives else "NULL::bigint")
    )[0]
    return Wal(standbys or [], slots or [], replay, archiver, waiting)


def _statements(connection: Connection, facts: Row, state: StateFile, shown: int) -> Statements:
    if not facts["statements_loaded"]:
        raise NotCollected(
            "pg_stat_statements is not loaded",
            "Add pg_stat_statements to shared_preload_libraries in postgresql.conf, restart PostgreSQL, then run 'CREATE EXTENSION pg_stat_statements;'.",
        )
    installed = connection.rows("pg_stat_statements", EXTENSION)
    if not installed:
        database = connection.database
        raise NotCollected(
            f"the extension pg_stat_statements is not installed in database '{database}'",
            f"As a superuser in database '{database}': CREATE EXTENSION pg_stat_statements;",
        )
    version, schema = (
        tuple(int(part) for part in installed[0][0].split(".")),
        installed[0][1].replace("%", "%%"),
    )
    query = STATEMENTS.format(
        schema=schema,
        time="total_exec_time" if version >= (1, 8) else "total_time",
        top="toplevel" if version >= (1, 9) else "true",
        reset=RESET.format(schema=schema) if version >= (1, 9) else "NULL::float8",
    )
    rows = connection.rows("pg_stat_statements", query, (STATEMENTS_KEPT,))
    reset = rows[0][3] if rows else None
    counters = {
        f"{key} {what}": value
        for key, calls, seconds, dummy in rows
        for what, value in (("n", float(calls)), ("s", seconds))
    }
    sample = now_sample(f"{facts['started']} {reset}", counters)
    age = facts["now"] - reset if reset else None
    statements, window = windowed([row[:3] for row in rows], sample, state.earlier(sample), age)
    ranked = sorted(statements, key=lambda key: statements[key][1], reverse=True)[
        : shown + OWN_STATEMENTS
    ]
    identities = [int(key.split("/")[2]) for key in ranked if _identified(key)]
    texts = (
        {
            key: more
            for key, *more in connection.rows(
                "pg_stat_statements", TEXTS.format(schema=schema), (identities,)
            )
        }
        if identities
        else {}
    )
    top = []
    for key in ranked:
        text, user, database = texts.get(key, [None, None, None])
        if text and (MARK in text or UPKEEP.match(text)):
            del statements[key]
            continue
        top.append(
            {
                "statement": text,
                "user": user,
                "database": database,
                "calls": statements[key][0],
                "seconds": statements[key][1],
            }
        )
    return Statements(
        sum(each[0] for each in statements.values()),
        sum(each[1] for each in statements.values()),
        window,
        top[:shown],
        sample,
    )


def windowed(
    rows: Sequence[tuple[str, float, float]],
    now: Sample,
    earlier: Sequence[Sample],
    age: float | None,
) -> tuple[dict[str, tuple[float, float]], str]:
    """Calls and seconds of each statement since the last run, or since the reset if they were too few; and which it is."""
    for sample in earlier[:1]:
        recent = {}
        for key, calls, seconds in rows:
            calls_then, seconds_then = (
                sample.counters.get(f"{key} n", 0.0),
                sample.counters.get(f"{key} s", 0.0),
            )
            if (
                calls < calls_then or seconds < seconds_then
            ):  # thrown out for lack of room in between
                if not _identified(key):
                    continue
                calls_then = seconds_then = 0.0
            if calls > calls_then:
                recent[key] = (calls - calls_then, seconds - seconds_then)
        if sum(each[0] for each in recent.values()) >= STATEMENTS_ENOUGH:
            return recent, interval(sample, now)
    return {key: (calls, seconds) for key, calls, seconds in rows}, "since statistics reset" + (
        "" if age is None else f" {format_duration(age)} ago"
    )


def _identified(key: str) -> bool:
    return key.count("/") == 2
