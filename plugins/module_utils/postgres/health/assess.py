# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The health of a PostgreSQL server, judged from what it said of itself. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ...core.check import CRITICAL, OK, UNKNOWN, Check
from ...core.errors import Unreachable
from ...core.text import redact, shorten
from ...core.thresholds import Thresholds
from ...core.units import format_duration, format_value
from ..statements import shape
from .collect import (
    STATEMENTS_ENOUGH,
    STATEMENTS_SHOWN,
    Databases,
    Missing,
    Row,
    Sessions,
    Snapshot,
    Statements,
)
from .wal import archiver, replication

#: Fewer block reads than these say nothing about the cache.
READS_ENOUGH = 1000
#: Percent of all time from which a statement is worth a place in the summary.
WORTH_NAMING = 10
#: Transaction ids that can be told apart.
XIDS = 2**31
#: Seconds within which deadlocks are still today's, where no earlier run tells old ones from new ones.
A_DAY = 36 * 3600


def unreachable(refusal: Unreachable, thresholds: Thresholds) -> Check:
    """The only check there is of a server that cannot be asked."""
    return thresholds.verdict("postgres.reachable", CRITICAL, str(refusal), remedy=refusal.remedy)


def assess(seen: Snapshot, thresholds: Thresholds, replicas: int) -> Iterator[Check]:
    """Every check of a server that answered; ``replicas`` standbys are expected of a primary."""
    facts = seen.facts
    role = "standby" if facts["standby"] else "primary"
    summary = f"PostgreSQL {facts['version'].split()[0]} at {seen.address} answers, connected in {format_value(seen.connect_seconds, 'seconds')}"
    summary += f" ({role}, up {format_duration(max(0.0, facts['now'] - facts['started']))})"
    yield thresholds.verdict(
        "postgres.reachable", OK, summary, value=round(seen.connect_seconds, 6)
    )

    if isinstance(seen.sessions, Missing):
        yield from _unknown(
            thresholds, seen.sessions, "connections", "idle_in_transaction", "long_transactions"
        )
    else:
        databases = seen.databases.rows if isinstance(seen.databases, Databases) else ()
        database_limits = {
            row["name"]: row["connection_limit"]
            for row in databases
            if row["connection_limit"] is not None
        }
        yield from connections(
            seen.sessions.groups, seen.sessions.role_limits, database_limits, facts, thresholds
        )
        yield idle_in_transaction(seen.sessions, facts, thresholds)
        yield long_transactions(seen.sessions, facts, thresholds)

    if isinstance(seen.databases, Missing):
        yield from _unknown(thresholds, seen.databases, "cache_hit", "deadlocks", "wraparound")
    else:
        yield cache_hit(seen.databases, thresholds)
        yield deadlocks(seen.databases, thresholds)
        yield wraparound(seen.databases, thresholds, _horizon(seen))

    if isinstance(seen.statements, Missing):
        yield from _unknown(thresholds, seen.statements, "query_time_mean")
    else:
        yield query_time_mean(seen.statements, facts, thresholds)

    if isinstance(seen.wal, Missing):
        yield from _unknown(thresholds, seen.wal, "replication", "archiver")
    else:
        yield from replication(seen.wal, facts, thresholds, replicas)
        yield archiver(seen.wal, facts, thresholds)


def _unknown(thresholds: Thresholds, missing: Missing, *names: str) -> Iterator[Check]:
    for name in names:
        yield thresholds.verdict(
            f"postgres.{name}", UNKNOWN, f"Not known: {missing.reason}", remedy=missing.remedy
        )


# --- sessions -----------------------------------------------------------------------------------------------------


def connections(
    groups: Sequence[Row],
    role_limits: Mapping[str, int],
    database_limits: Mapping[str, int],
    facts: Row,
    thresholds: Thresholds,
) -> Iterator[Check]:
    """The slots that ordinary users can take; and those of each role and database that has a limit of its own.

    ``groups`` say how many sessions there are of each application, user, database and state.
    """
    usable = max(1, facts["max_connections"] - facts["reserved"])
    yield _slots(
        groups, usable, f"of {usable} usable connections in use", "", thresholds, _hidden(groups)
    )
    for role, limit in sorted(role_limits.items()):
        own = [group for group in groups if group["user"] == role]
        if own and limit > 0:
            yield _slots(
                own,
                limit,
                f"of {limit} connections that role '{role}' may have in use",
                f"role {role}",
                thresholds,
            )
    for database, limit in database_limits.items():
        own = [group for group in groups if group["database"] == database]
        if own and limit > 0:
            yield _slots(
                own,
                limit,
                f"of {limit} connections to database '{database}' in use",
                f"database {database}",
                thresholds,
            )


def _slots(
    groups: Sequence[Row],
    slots: int,
    words: str,
    subject: str,
    thresholds: Thresholds,
    hidden: int = 0,
) -> Check:
    used = sum(group["count"] for group in groups)
    summary = f"{used} {words}"
    by_app: Counter[tuple[str, str]] = Counter()
    for group in groups:
        by_app[group["state"], who(group)] += group["count"]
    for (state, whose), count in by_app.most_common(1):
        if count > 1 and state != "hidden":
            summary += f", {count} of them {state} from {whose}"
        elif count > 1:
            summary += f", {count} of them from {whose}"
    if hidden:
        summary += f" (what {hidden} of them do is hidden from this role)"
    evidence = [{**group, "application": application(group)} for group in groups[:10]]
    return thresholds.evaluate(
        "postgres.connections",
        round(100 * used / slots, 1),
        summary,
        subject=subject,
        evidence=tuple(evidence),
    )


def idle_in_transaction(sessions: Sessions, facts: Row, thresholds: Thresholds) -> Check:
    count = sum(
        group["count"]
        for group in sessions.groups
        if group["state"].startswith("idle in transaction")
    )
    if sessions.idle:
        oldest = sessions.idle[0]
        summary = f"{_sessions(count)} idle in a transaction, the longest for {format_duration(_age(oldest, 'state_seconds'))}: {_whose(oldest)}"
    else:
        summary = f"No session is idle in a transaction{_except(sessions)}"
    return _by_age(
        "postgres.idle_in_transaction",
        sessions,
        sessions.idle,
        "state_seconds",
        summary,
        facts,
        thresholds,
    )


def long_transactions(sessions: Sessions, facts: Row, thresholds: Thresholds) -> Check:
    if sessions.transactions:
        oldest = sessions.transactions[0]
        summary = f"The oldest transaction has run for {format_duration(_age(oldest, 'transaction_seconds'))}: {_whose(oldest)}, {oldest['state']}"
    else:
        summary = f"No transaction is open{_except(sessions)}"
    return _by_age(
        "postgres.long_transactions",
        sessions,
        sessions.transactions,
        "transaction_seconds",
        summary,
        facts,
        thresholds,
    )


def _by_age(
    name: str,
    sessions: Sessions,
    rows: Sequence[Row],
    key: str,
    summary: str,
    facts: Row,
    thresholds: Thresholds,
) -> Check:
    """Judged by the oldest; where sessions are hidden, those in sight can prove that something is wrong but not that all is well."""
    evidence = tuple(_session(row) for row in rows)
    check = thresholds.evaluate(
        name, round(_age(rows[0], key), 1) if rows else 0.0, summary, evidence=evidence
    )
    hidden = _hidden(sessions.groups)
    if check.status != OK or not hidden:
        return check
    if facts["sees_all"]:
        reason, remedy = (
            "track_activities is off for them",
            "Set track_activities = on for the roles of these sessions.",
        )
    else:
        reason = f"role '{facts['role']}' may not see other users' sessions"
        remedy = f'As a superuser: GRANT pg_monitor TO "{facts["role"]}".'
    return thresholds.verdict(
        name, UNKNOWN, f"{_sessions(hidden)} hidden: {reason}", remedy=remedy, evidence=evidence
    )


def _session(row: Row) -> dict[str, Any]:
    shown = {key: row[key] for key in ("pid", "user", "database", "client", "state")}
    ages = {key: round(_age(row, key), 1) for key in ("state_seconds", "transaction_seconds")}
    return {**shown, "application": application(row), **ages, "statement": shape(row["statement"])}


def _sessions(count: int) -> str:
    return f"{count} session{'s are' if count != 1 else ' is'}"


def _hidden(groups: Sequence[Row]) -> int:
    return sum(group["count"] for group in groups if group["state"] == "hidden")


def _except(sessions: Sessions) -> str:
    return f" ({sessions.ignored} of ignored applications not counted)" if sessions.ignored else ""


def _age(row: Row, key: str) -> float:
    return max(0.0, row[key] or 0.0)


def application(row: Row) -> str:
    return shorten(redact(row.get("application") or ""), 64)


def who(row: Row) -> str:
    """Whose a session is, in a few words."""
    return f"app '{application(row)}'" if row["application"] else f"user '{row['user']}'"


def _whose(row: Row) -> str:
    return f"{who(row)}, pid {row['pid']}"


# --- databases ----------------------------------------------------------------------------------------------------


def cache_hit(databases: Databases, thresholds: Thresholds) -> Check:
    """Since the last run; where hardly anything was read since, nothing can have changed, and the longer span is judged."""
    delta = databases.recent
    if delta.counters["hit"] + delta.counters["read"] < READS_ENOUGH:
        delta = databases.total
    reads = delta.counters["hit"] + delta.counters["read"]
    if reads < READS_ENOUGH:
        summary = f"Only {reads:,.0f} blocks were read {delta.window}, too few to judge the cache"
        return thresholds.evaluate(
            "postgres.cache_hit",
            None,
            summary,
            window=delta.window,
            remedy="Look again when the database has been used.",
        )
    value = 100 * delta.counters["hit"] / reads
    summary = f"{value:.1f} % of {reads:,.0f} block reads were found in shared buffers"
    return thresholds.evaluate("postgres.cache_hit", round(value, 2), summary, window=delta.window)


def deadlocks(databases: Databases, thresholds: Thresholds) -> Check:
    delta = databases.recent
    count = int(delta.counters["deadlocks"])
    words = f"{count or 'No'} deadlock{'' if count == 1 else 's'}"
    if count and not delta.since_last_run and not 0 < delta.seconds <= A_DAY:
        summary = f"{words} {delta.window}; how many are new will be known from the next run on"
        return thresholds.evaluate(
            "postgres.deadlocks",
            None,
            summary,
            window=delta.window,
            remedy="Run the checklist again; PostgreSQL's log says when they were.",
        )
    evidence = [
        {"database": row["name"], "deadlocks_since_reset": row["deadlocks"]}
        for row in databases.rows
        if row["deadlocks"]
    ]
    return thresholds.evaluate(
        "postgres.deadlocks",
        count,
        f"{words} in the window",
        window=delta.window,
        evidence=tuple(evidence) if count else (),
    )


def wraparound(databases: Databases, thresholds: Thresholds, holder: str) -> Check:
    ages = [
        (row["name"], row["xid_age"], row["mxid_age"])
        for row in databases.rows
        if row["xid_age"] is not None
    ]
    name, xid, mxid = max(ages, key=lambda row: max(row[1:]))
    value = max(xid, mxid)
    what = "transaction id" if xid >= mxid else "multixact id"
    age = f"{value / 1e6:,.0f} million" if value >= 10_000_000 else f"{value:,}"
    summary = f"The oldest {what} is {age} ids old, in database '{name}': {100 * value / XIDS:.0f} % of the way to wraparound"
    check = thresholds.evaluate("postgres.wraparound", value, summary)
    evidence = [
        {"database": name, "xid_age": xid, "mxid_age": mxid}
        for name, xid, mxid in sorted(ages, key=lambda row: -max(row[1:]))[:5]
    ]
    if check.status != OK and holder:
        summary += f"; held back by {holder}"
    return thresholds.evaluate("postgres.wraparound", value, summary, evidence=tuple(evidence))


def _horizon(seen: Snapshot) -> str:
    """What keeps vacuum from freezing: the oldest of session, prepared transaction and slot."""
    holders: list[tuple[int, str]] = []
    if isinstance(seen.sessions, Sessions):
        holders = [
            (seen.sessions.xmin_age or 0, "an old transaction"),
            (seen.sessions.prepared_age or 0, "a prepared transaction (pg_prepared_xacts)"),
        ]
    if not isinstance(seen.wal, Missing):
        holders.extend(
            (slot["xmin_age"] or 0, f"replication slot '{slot['slot_name']}'")
            for slot in seen.wal.slots
        )
    age, holder = max(holders, default=(0, ""))
    return holder if age > 100_000_000 else ""


# --- statements ---------------------------------------------------------------------------------------------------


def query_time_mean(statements: Statements, facts: Row, thresholds: Thresholds) -> Check:
    if statements.calls < STATEMENTS_ENOUGH:
        summary = f"Only {statements.calls:,.0f} statements were recorded {statements.window}, too few for a mean"
        remedy = "Look again when the database has been used; if it has been, check pg_stat_statements.track."
        return thresholds.evaluate(
            "postgres.query_time_mean", None, summary, window=statements.window, remedy=remedy
        )
    mean = statements.seconds / statements.calls
    summary = f"A statement takes {format_value(mean, 'seconds')} on average ({statements.calls:,.0f} calls)"
    evidence = []
    for row in statements.top[:STATEMENTS_SHOWN]:
        share = 100 * row["seconds"] / statements.seconds if statements.seconds else 0.0
        text = shape(row["statement"]) if row["statement"] else ""
        if not text or text == "<insufficient privilege>":
            text = f"(hidden from role '{facts['role']}': GRANT pg_monitor shows it)"
        times = {
            "mean_seconds": round(row["seconds"] / row["calls"], 6),
            "total_seconds": round(row["seconds"], 3),
            "share_percent": round(share, 1),
        }
        evidence.append(
            {
                "statement": text,
                "calls": int(row["calls"]),
                **times,
                "user": row["user"],
                "database": row["database"],
            }
        )
    if evidence and evidence[0]["share_percent"] >= WORTH_NAMING:
        summary += f"; {evidence[0]['share_percent']:.0f} % of the time goes to: {shorten(evidence[0]['statement'], 70)}"
    return thresholds.evaluate(
        "postgres.query_time_mean",
        round(mean, 6),
        summary,
        window=statements.window,
        evidence=tuple(evidence),
    )
