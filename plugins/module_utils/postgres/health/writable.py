# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether a write would succeed now, by what the server says of itself. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from ...core.check import CRITICAL, OK, UNKNOWN, WARNING, Check
from ...core.errors import NotCollected
from ...core.text import redact, shorten
from ...core.thresholds import Thresholds
from ...core.units import format_duration, format_value, pluralize
from ..verdicts import unknown
from .options import PRIMARY, Options
from .replication import confirming, demanded
from .sessions import application, who
from .snapshot import Canary, Databases, Row, Sessions, Snapshot, Wal

NAME = "postgres.writable"
#: Age of a database's oldest transaction ID, or multixact ID, from which PostgreSQL assigns no new
#: ones: three million before the end.
NO_MORE_IDS = 2**31 - 1 - 3_000_000
#: Sources of a parameter that hold for one role or one session, and say nothing of the app's.
OF_THE_ROLE = ("user", "database user", "client", "session")
#: Values of synchronous_commit with which a commit waits for no standby.
NOT_WAITING = ("off", "local")
#: Errors of a test write that say nothing of other writes: no permission.
NOT_ALLOWED = "42501"
#: Their classes if the code of an event trigger raised them.
OF_A_TRIGGER = ("22", "23", "2F", "38", "39", "42", "P0")
SHOWN = 5


class Verdict(NamedTuple):
    status: str
    summary: str
    remedy: str = ""


def writable(snapshot: Snapshot, options: Options, thresholds: Thresholds) -> Check:
    """The first reason why a write would fail or hang; ok if there is none."""
    missing = [part for part in (snapshot.sessions, snapshot.wal) if isinstance(part, NotCollected)]
    verdict = next(_obstacles(snapshot, options), None)
    if verdict:
        more: dict[str, Any] = {"remedy": verdict.remedy, "evidence": _evidence(snapshot.sessions)}
        return thresholds.verdict(NAME, verdict.status, verdict.summary, **more)
    if missing or isinstance(snapshot.sessions, NotCollected):
        return unknown(NAME, missing[0], thresholds)
    if snapshot.facts["standby"]:
        return thresholds.verdict(NAME, OK, "A standby takes no writes; its primary does")
    return _waiting(snapshot, snapshot.sessions, thresholds)


def blocks_writes(snapshot: Snapshot, options: Options) -> bool:
    """Whether it is known without a try that a write fails or hangs."""
    return any(verdict.status == CRITICAL for verdict in _obstacles(snapshot, options))


def _obstacles(snapshot: Snapshot, options: Options) -> Iterator[Verdict]:
    """What keeps every write from succeeding, the most fundamental first."""
    if snapshot.facts["standby"]:
        yield from _in_recovery(snapshot, options)
        return
    yield from _read_only(snapshot)
    if isinstance(snapshot.databases, Databases):
        yield from _out_of_ids(snapshot.databases)
    if isinstance(snapshot.wal, Wal):
        yield from _without_standby(snapshot, snapshot.wal)
    if snapshot.canary:
        yield from _failed(snapshot.canary, snapshot.facts)
    limit = snapshot.facts["prepared_limit"]
    if isinstance(snapshot.sessions, Sessions) and 0 < limit <= snapshot.sessions.prepared:
        yield Verdict(
            WARNING,
            f"All {limit} prepared transactions that max_prepared_transactions allows exist, so "
            "PREPARE TRANSACTION fails",
            "Commit or roll back those that no one finishes (pg_prepared_xacts): "
            "ROLLBACK PREPARED 'NAME'.",
        )


def _in_recovery(snapshot: Snapshot, options: Options) -> Iterator[Verdict]:
    replay = snapshot.wal.replay if isinstance(snapshot.wal, Wal) else None
    if replay and replay["paused"] and replay["target"]:
        target = shorten(redact(replay["target"]), 64)
        yield Verdict(
            CRITICAL,
            f"Recovery has reached its target ({target}) and is paused, so every write is refused",
            "Check the data. If it is what was wanted, SELECT pg_wal_replay_resume() ends "
            "recovery; if not, change the target and restart.",
        )
    if options.server_role == PRIMARY or (options.canary and not options.server_role):
        wish = "server_role says primary" if options.server_role == PRIMARY else "canary is set"
        yield Verdict(
            CRITICAL,
            f"This server is a standby and refuses every write, but {wish}",
            "After a failover, connect to the new primary (database_url). If there is none, "
            "promote this one: SELECT pg_promote().",
        )


def _read_only(snapshot: Snapshot) -> Iterator[Verdict]:
    source = snapshot.read_only_source
    if not source or source in OF_THE_ROLE:
        return
    where = "this database" if source == "database" else "this server"
    undo = "ALTER DATABASE ... RESET" if source == "database" else "ALTER SYSTEM RESET"
    yield Verdict(
        CRITICAL,
        f"Transactions on {where} are read-only by default (default_transaction_read_only), so "
        "writes are refused",
        "Find out who switched it on; a provider does so when the disk is almost full. Then "
        f"{undo} default_transaction_read_only, and for a server SELECT pg_reload_conf().",
    )


def _out_of_ids(databases: Databases) -> Iterator[Verdict]:
    for key, kind in (("xid_age", "transaction IDs"), ("mxid_age", "multixact IDs")):
        rows = [row for row in databases.rows if row[key] is not None and row[key] >= NO_MORE_IDS]
        if rows:
            yield Verdict(
                CRITICAL,
                f"PostgreSQL assigns no new {kind}, because those of database "
                f"'{rows[0]['name']}' would wrap around: writes are refused",
                "Remove what holds back the xmin horizon (old transaction, prepared transaction, "
                f"slot), then VACUUM in database '{rows[0]['name']}' as a superuser, not in "
                "single-user mode.",
            )


def _without_standby(snapshot: Snapshot, wal: Wal) -> Iterator[Verdict]:
    """Synchronous standbys that are not there."""
    names = snapshot.facts["sync_names"]
    expected, present = demanded(names), confirming(wal.standbys)
    hidden = sum(row["state"] is None for row in wal.standbys)
    if present >= expected:
        return
    standbys = pluralize(expected, "standby", "standbys")
    demand = f"synchronous_standby_names = {shorten(redact(names), 64)!r} wants {standbys}"
    if present + hidden >= expected:
        role = snapshot.facts["role"]
        reason = f"role '{role}' lacks permission to see them"
        remedy = f'As a superuser: GRANT pg_monitor TO "{role}".'
        yield Verdict(UNKNOWN, f"Unknown: {demand}, and {reason}", remedy)
        return
    connected = [shorten(redact(row["application"] or "?"), 64) for row in wal.standbys]
    found = f"{present} of them confirm" if present > 1 else f"{present or 'none'} of them confirms"
    others = f" (connected: {', '.join(connected[:SHOWN])})" if connected else ""
    remedy = (
        "Start the missing standby and compare its application_name with the names. If it does "
        "not come back soon, take it out: ALTER SYSTEM SET synchronous_standby_names = ..., then "
        "SELECT pg_reload_conf(). The commits that wait then go on; do not cancel them."
    )
    setting = snapshot.facts["sync_commit"]
    if setting in NOT_WAITING:
        effect = f"with synchronous_commit = {setting} commits do not wait for it"
        yield Verdict(WARNING, f"{demand}, {found}{others}; {effect}", remedy)
        return
    waiting = _waiting_text(snapshot.sessions) or "none waits at this moment"
    yield Verdict(CRITICAL, f"Every commit hangs: {demand}, {found}{others}; {waiting}", remedy)


def _failed(canary: Canary, facts: Row) -> Iterator[Verdict]:
    """A test write that did not succeed."""
    if canary.seconds is not None:
        return
    if not canary.error:
        yield Verdict(
            CRITICAL,
            f"A test write was not committed within {canary.limit:.3g} s and was canceled",
            "Check wait_event of the sessions in pg_stat_activity: a synchronous standby that "
            "does not answer (SyncRep), a slow disk (WALSync, WALWrite), a lock.",
        )
        return
    error = redact(shorten(canary.error, 200))
    if canary.sqlstate == NOT_ALLOWED:
        role = facts["role"]
        remedy = f'GRANT TEMPORARY ON DATABASE ... TO "{role}", or canary: false.'
        yield Verdict(UNKNOWN, f"No test write: role '{role}' lacks permission: {error}", remedy)
        return
    if canary.sqlstate[:2] in OF_A_TRIGGER:
        remedy = (
            "An event trigger raised this (SELECT * FROM pg_event_trigger). If that is a mistake, "
            "repair it, as migrations fail as well. If it is meant, canary: false."
        )
        yield Verdict(UNKNOWN, f"No test write, as CREATE TABLE is refused: {error}", remedy)
        return
    remedy = {
        "57014": "Compare statement_timeout of the role and of the database: it is in milliseconds "
        "unless a unit is given (SELECT * FROM pg_db_role_setting).",
        "25006": "Find out who made transactions read-only: SELECT source FROM pg_settings WHERE "
        "name = 'default_transaction_read_only'.",
        "53100": "Free space on the disk of PostgreSQL's data folder; never delete in pg_wal.",
    }.get(canary.sqlstate, "Read PostgreSQL's log around this time.")
    yield Verdict(CRITICAL, f"A test write was refused: {error}", remedy)


def _waiting(snapshot: Snapshot, sessions: Sessions, thresholds: Thresholds) -> Check:
    """Judged by the longest commit that waits for a standby."""
    facts = snapshot.facts
    longest = max((row["commit_seconds"] for row in sessions.commits), default=0.0)
    summary = "Nothing keeps this primary from taking writes"
    if snapshot.canary and snapshot.canary.seconds is not None:
        summary = (
            f"A test write was committed in {format_value(snapshot.canary.seconds, 'seconds')}"
        )
    expected = demanded(facts["sync_names"])
    if expected and isinstance(snapshot.wal, Wal):
        standbys = pluralize(expected, "synchronous standby", "synchronous standbys")
        summary += f", {standbys} of {confirming(snapshot.wal.standbys)} must confirm a commit"
    text = _waiting_text(sessions)
    if text:
        summary += f"; {text}"
    if snapshot.read_only_source:
        summary += f"; but role '{facts['role']}' itself is set to read-only transactions"
    others = _read_only_databases(snapshot.databases)
    if others:
        summary += f"; read-only by default: {others}"
    remedy = (
        "The synchronous standby does not confirm: check its log, its disk, the network, and "
        "with synchronous_commit = remote_apply what blocks replay there."
    )
    more: dict[str, Any] = {"remedy": remedy, "evidence": _evidence(sessions)}
    return thresholds.evaluate(NAME, round(longest, 3), summary, **more)


def _waiting_text(sessions: Sessions | NotCollected) -> str:
    if isinstance(sessions, NotCollected) or not sessions.commits:
        return ""
    count, first = len(sessions.commits), sessions.commits[0]
    wait = "1 commit waits" if count == 1 else f"{count} commits wait"
    age = format_duration(first["commit_seconds"])
    return f"{wait} for a standby, the longest for {age}: {who(first)}"


def _read_only_databases(databases: Databases | NotCollected) -> str:
    if isinstance(databases, NotCollected):
        return ""
    names = [f"database '{row['name']}'" for row in databases.rows if row.get("read_only")]
    return ", ".join(names[:SHOWN])


def _evidence(sessions: Sessions | NotCollected) -> tuple[dict[str, Any], ...]:
    if isinstance(sessions, NotCollected):
        return ()
    return tuple(
        {
            "pid": row["pid"],
            "user": row["user"],
            "database": row["database"],
            "application": application(row),
            "commit_seconds": round(row["commit_seconds"], 1),
        }
        for row in sessions.commits[:SHOWN]
    )
