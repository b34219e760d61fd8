# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who holds connections, and transactions that stay open. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ...core.check import CRITICAL, OK, UNKNOWN, Check
from ...core.text import redact, shorten
from ...core.thresholds import Thresholds
from ...core.units import format_duration
from ..statements import shape
from .snapshot import Row, Sessions


def connections(
    groups: Sequence[Row],
    role_limits: Mapping[str, int],
    database_limits: Mapping[str, int],
    facts: Row,
    thresholds: Thresholds,
    *,
    with_unused: bool = False,
) -> Iterator[Check]:
    """The slots that ordinary users can take; and those of each role and database with a limit.

    ``groups`` say how many sessions there are of each application, user, database and state.
    A role or database without a session has a check only ``with_unused``.
    """
    usable = max(1, facts["max_connections"] - facts["reserved"])
    yield _slots(groups, usable, f"of {usable} usable connections in use", "", thresholds)
    for role, limit in sorted(role_limits.items()):
        own = [group for group in groups if group["user"] == role]
        if (own or with_unused) and limit > 0:
            text = f"of {limit} connections that role '{role}' may have in use"
            yield _slots(own, limit, text, f"role {role}", thresholds)
    for database, limit in sorted(database_limits.items()):
        own = [group for group in groups if group["database"] == database]
        if limit == 0:
            yield _locked(database, own, thresholds)
        elif own or with_unused:
            text = f"of {limit} connections to database '{database}' in use"
            yield _slots(own, limit, text, f"database {database}", thresholds)


def _locked(database: str, groups: Sequence[Row], thresholds: Thresholds) -> Check:
    """A database that is locked, as before maintenance."""
    used = sum(group["count"] for group in groups)
    summary = f"Database '{database}' accepts no new connections but those of superusers: its "
    summary += "CONNECTION LIMIT is 0"
    if used:
        summary += f"; {used} from before {'is' if used == 1 else 'are'} still open"
    remedy = (
        f'If its maintenance is over: ALTER DATABASE "{database}" CONNECTION LIMIT -1. If it is '
        f'retired: ALTER DATABASE "{database}" ALLOW_CONNECTIONS false says so.'
    )
    subject = f"database {database}"
    return thresholds.verdict(
        "postgres.connections", CRITICAL, summary, subject=subject, remedy=remedy
    )


def _slots(
    groups: Sequence[Row], slots: int, text: str, subject: str, thresholds: Thresholds
) -> Check:
    used = sum(group["count"] for group in groups)
    summary = f"{used} {text}"
    largest: Counter[tuple[str, str]] = Counter()
    for group in groups:
        largest[group["state"], who(group)] += group["count"]
    for (state, owner), count in largest.most_common(1):
        if count > 1:
            from_owner = f"from {owner}" if state == "hidden" else f"{state} from {owner}"
            summary += f", {count} of them {from_owner}"
    hidden = _hidden(groups)
    if hidden and not subject:
        summary += f" (this role lacks permission to see what {hidden} of them do)"
    evidence = [{**group, "application": application(group)} for group in groups[:10]]
    value = round(100 * used / slots, 1)
    if used < slots:
        value = min(value, 99.9)
    return thresholds.evaluate(
        "postgres.connections", value, summary, subject=subject, evidence=tuple(evidence)
    )


def idle_in_transaction(sessions: Sessions, facts: Row, thresholds: Thresholds) -> Check:
    rows = sessions.idle
    if rows:
        groups = [row for row in sessions.groups if row["state"].startswith("idle in transaction")]
        count = sum(row["count"] for row in groups)
        age = format_duration(_age(rows[0], "state_seconds"))
        owner = _owner(rows[0])
        summary = f"{_sessions_are(count)} idle in a transaction, the longest for {age}: {owner}"
    else:
        summary = f"No session is idle in a transaction{_except(sessions)}"
    name = "postgres.idle_in_transaction"
    return _by_age(name, sessions, rows, "state_seconds", summary, facts, thresholds)


def long_transactions(sessions: Sessions, facts: Row, thresholds: Thresholds) -> Check:
    rows = sessions.transactions
    if rows:
        age = format_duration(_age(rows[0], "transaction_seconds"))
        owner = f"{_owner(rows[0])}, {rows[0]['state']}"
        summary = f"The oldest transaction has run for {age}: {owner}"
    else:
        summary = f"No transaction is open{_except(sessions)}"
    name = "postgres.long_transactions"
    return _by_age(name, sessions, rows, "transaction_seconds", summary, facts, thresholds)


def _by_age(
    name: str,
    sessions: Sessions,
    rows: Sequence[Row],
    key: str,
    summary: str,
    facts: Row,
    thresholds: Thresholds,
) -> Check:
    """Judged by the oldest of the visible sessions, which cannot prove that all is well."""
    evidence = tuple(_session(row) for row in rows)
    value = round(_age(rows[0], key), 1) if rows else 0.0
    check = thresholds.evaluate(name, value, summary, evidence=evidence)
    hidden = _hidden(sessions.groups)
    if check.status != OK or not hidden:
        return check
    if facts["sees_all"]:
        reason = "track_activities is off for them"
        remedy = "Set track_activities = on for the roles of these sessions."
    else:
        reason = f"role '{facts['role']}' lacks permission to see other users' sessions"
        remedy = f'As a superuser: GRANT pg_monitor TO "{facts["role"]}".'
    summary = f"{_sessions_are(hidden)} hidden: {reason}"
    return thresholds.verdict(name, UNKNOWN, summary, remedy=remedy, evidence=evidence)


def _session(row: Row) -> dict[str, Any]:
    shown = {key: row[key] for key in ("pid", "user", "database", "client", "state")}
    ages = {key: round(_age(row, key), 1) for key in ("state_seconds", "transaction_seconds")}
    return {**shown, "application": application(row), **ages, "statement": shape(row["statement"])}


def _sessions_are(count: int) -> str:
    return "1 session is" if count == 1 else f"{count} sessions are"


def _hidden(groups: Sequence[Row]) -> int:
    return sum(group["count"] for group in groups if group["state"] == "hidden")


def _except(sessions: Sessions) -> str:
    return f" ({sessions.ignored} of ignored applications not counted)" if sessions.ignored else ""


def _age(row: Row, key: str) -> float:
    return max(0.0, row[key] or 0.0)


def application(row: Row) -> str:
    """The application name of a session; it is the client's choice, so shortened and redacted."""
    return shorten(redact(row.get("application") or ""), 64)


def who(row: Row) -> str:
    """Whose a session is: ``app 'worker'``."""
    return f"app '{application(row)}'" if row["application"] else f"user '{row['user']}'"


def _owner(row: Row) -> str:
    return f"{who(row)}, pid {row['pid']}"
