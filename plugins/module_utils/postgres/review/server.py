# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Locks, what holds back vacuum, parameters, collations and slow statements of a PostgreSQL server, judged. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ...core.check import CRITICAL, OK, UNKNOWN, WARNING, Check
from ...core.text import redact, shorten
from ...core.thresholds import Thresholds
from ...core.units import format_duration, format_value, pluralize
from ..health.assess import application, who
from ..health.collect import STATEMENTS_ENOUGH, Databases, Missing, Row, Statements
from ..statements import shape
from ..xmin_horizon import describe_holder
from .collect import Configuration, Contents, Locks
from .wording import DAY, SHOWN, host_port, unseen

#: Transactions below which their share that was rolled back says nothing.
TRANSACTIONS_ENOUGH = 1000
#: What a parameter must not be, how bad that is, and why.
WRONG: Mapping[str, tuple[str, str, str]] = {
    "fsync": ("off", CRITICAL, "a crash of the machine destroys the database"),
    "full_page_writes": ("off", CRITICAL, "a crash of the machine can damage pages"),
    "zero_damaged_pages": ("on", CRITICAL, "damaged pages are emptied when they are read"),
    "ignore_checksum_failure": ("on", CRITICAL, "damaged pages are taken for good"),
    "autovacuum": (
        "off",
        CRITICAL,
        "dead rows pile up, and the server stops before transaction ids wrap around",
    ),
    "track_counts": ("off", CRITICAL, "autovacuum does not see what it has to do"),
    "track_activities": ("off", WARNING, "nobody sees what sessions do"),
}


def locks(seen: Locks, facts: Row, thresholds: Thresholds) -> Iterator[Check]:
    """Who waits for whom, and who holds back vacuum."""
    yield _blocked(seen, facts, thresholds)
    if isinstance(seen.horizon, Missing):
        yield unseen("postgres.vacuum_horizon", seen.horizon, thresholds)
        yield unseen("postgres.prepared_transactions", seen.horizon, thresholds)
        return
    yield _prepared(
        [row for row in seen.horizon if row["kind"] == "prepared transaction"], facts, thresholds
    )
    check = _horizon(seen.horizon, facts, thresholds)
    if check.status == OK and not facts["sees_all"] and (not facts["standby"] or facts["feedback"]):
        check = unseen("postgres.vacuum_horizon", _ungranted(facts), thresholds)
    yield check


def _prepared(rows: Sequence[Row], facts: Row, thresholds: Thresholds) -> Check:
    if facts["standby"]:
        return unseen(
            "postgres.prepared_transactions",
            Missing("a standby does not show them", "Ask the primary."),
            thresholds,
        )
    rows = sorted(rows, key=lambda row: -(row["seconds"] or 0))
    words = (
        f"{_whose(rows[0])}, in database '{rows[0]['database']}'"
        if rows
        else "No transaction is prepared"
    )
    age = round(max(0.0, rows[0]["seconds"]), 1) if rows else 0.0
    return thresholds.evaluate(
        "postgres.prepared_transactions", age, words[0].upper() + words[1:], evidence=_holders(rows)
    )


def _horizon(rows: Sequence[Row], facts: Row, thresholds: Thresholds) -> Check:
    name = "postgres.vacuum_horizon"
    if facts["standby"] and not facts["feedback"]:
        return thresholds.evaluate(
            name, 0, "A standby without hot_standby_feedback holds back no vacuum on its primary"
        )
    where = " on the primary" if facts["standby"] else ""
    if not rows:
        return thresholds.evaluate(name, 0, f"Nothing holds back vacuum{where}")
    summary = f"Vacuum{where} may not remove what the last {rows[0]['age']:,} transactions made obsolete, because of {_whose(rows[0])}"
    return thresholds.evaluate(name, rows[0]["age"], summary, evidence=_holders(rows))


def _holders(rows: Sequence[Row]) -> tuple[dict[str, Any], ...]:
    return tuple(
        {"holder": _whose(row), "database": row["database"], "age": row["age"]}
        for row in rows[:SHOWN]
    )


def _whose(row: Row) -> str:
    """In words; names of applications and prepared transactions are foreign text."""
    return describe_holder({**row, "whose": shorten(redact(row["whose"]), 100)})


def _ungranted(facts: Row) -> Missing:
    return Missing(
        f"role '{facts['role']}' may not see other users' sessions",
        f'As a superuser: GRANT pg_monitor TO "{facts["role"]}".',
    )


def _blocked(seen: Locks, facts: Row, thresholds: Thresholds) -> Check:
    if isinstance(seen.blocked, Missing):
        return unseen("postgres.blocked", seen.blocked, thresholds)
    edges, sessions = seen.blocked
    if not edges:
        return thresholds.evaluate("postgres.blocked", 0.0, "No session waits for a lock")
    waits_for = {edge["pid"]: edge["blockers"] for edge in edges}
    counts = Counter(root for pid in waits_for for root in _roots(pid, waits_for))
    longest = max(edge["seconds"] or 0.0 for edge in edges)
    waiting = max(seen.waiting, len(edges))
    summary = f"{pluralize(waiting, 'session waits', 'sessions wait')} for a lock, the longest for {format_duration(longest)}"
    if waiting > len(edges):
        summary += f" (only the {len(edges)} that have waited longest were looked at)"
    if counts:
        root = max(counts, key=lambda pid: counts[pid])
        summary += f"; at the root: {_session(root, sessions, facts)}"
    rows = [
        {
            "pid": edge["pid"],
            "waits_seconds": round(edge["seconds"] or 0.0, 1),
            "waits_for": edge["blockers"],
        }
        for edge in edges
    ]
    rows += [{"pid": pid, "waits_seconds": None, "waits_for": []} for pid in counts]
    for row in rows:
        known = sessions.get(str(row["pid"]), {})
        row.update(
            application=application(known),
            user=known.get("user"),
            state=known.get("state"),
            statement=shape(known.get("statement") or ""),
        )
    return thresholds.evaluate(
        "postgres.blocked", round(longest, 1), summary, evidence=tuple(rows[:SHOWN])
    )


def _roots(pid: int, edges: Mapping[int, Sequence[int]]) -> set[int]:
    """Who is waited for in the end, and waits for nobody."""
    found, seen, left = set(), {pid}, list(edges[pid])
    while left:
        each = left.pop()
        if each in seen:
            continue
        seen.add(each)
        if each in edges:
            left.extend(edges[each])
        else:
            found.add(each)
    return found


def _session(pid: int, sessions: Mapping[str, Row], facts: Row) -> str:
    if pid == 0:
        return "a prepared transaction (pg_prepared_xacts)"
    row = sessions.get(str(pid))
    if row is None or row["state"] is None:
        return f"pid {pid}" + ("" if facts["sees_all"] else " (GRANT pg_monitor shows more)")
    seconds = row["transaction_seconds"]
    return f"pid {pid}, {who(row)}, {row['state']}" + (
        f", in a transaction for {format_duration(max(0.0, seconds))}"
        if seconds is not None
        else ""
    )


def settings(seen: Configuration | Missing, facts: Row, thresholds: Thresholds) -> Iterator[Check]:
    """Parameters and checksums."""
    if isinstance(seen, Missing):
        yield unseen("postgres.settings", seen, thresholds)
        yield unseen("postgres.checksum_failures", seen, thresholds)
        return
    known = {name: row for name, row in seen.parameters.items() if not row.get("own")}
    found = [
        (status, f"{name} is {bad}: {why}")
        for name, (bad, status, why) in WRONG.items()
        if (known.get(name) or {}).get("value") == bad
    ]
    waiting = sorted(name for name, row in seen.parameters.items() if row["restart"])
    if waiting:
        found.append(
            (
                WARNING,
                f"{', '.join(waiting)}: changed in the file, but only a restart makes it count",
            )
        )
    if 140000 <= facts["number"] < 140004:
        found.append(
            (
                CRITICAL,
                "PostgreSQL 14.0 to 14.3 can damage indexes that are built concurrently: install the latest 14",
            )
        )
    status = CRITICAL if any(each[0] == CRITICAL for each in found) else WARNING if found else OK
    own = sorted(name for name, row in seen.parameters.items() if row.get("own") and name in WRONG)
    if found:
        yield thresholds.verdict("postgres.settings", status, "; ".join(each[1] for each in found))
    elif own:
        words = f"role '{facts['role']}' or its database has a value of its own for {', '.join(own)}, which hides the server's"
        yield unseen(
            "postgres.settings",
            Missing(words, "Look with a role and database that have none (pg_db_role_setting)."),
            thresholds,
        )
    elif not facts["sees_settings"]:
        words = f"role '{facts['role']}' does not see all parameters, so one that it does not see may wait for a restart"
        yield unseen(
            "postgres.settings",
            Missing(words, f'As a superuser: GRANT pg_monitor TO "{facts["role"]}".'),
            thresholds,
        )
    else:
        yield thresholds.verdict(
            "postgres.settings", OK, "No parameter endangers data, none waits for a restart"
        )
    yield _checksums(seen, thresholds)


def _checksums(seen: Configuration, thresholds: Thresholds) -> Check:
    name = "postgres.checksum_failures"
    if seen.failures:
        total = sum(row["failures"] for row in seen.failures)
        last = max((row["last"] for row in seen.failures if row["last"]), default="")
        summary = f"{total:,} reads met a wrong checksum{', the last at ' + last if last else ''}, most of them in database '{seen.failures[0]['database']}'"
        return thresholds.evaluate(name, total, summary, evidence=tuple(seen.failures[:SHOWN]))
    if seen.checksums:
        return thresholds.evaluate(name, 0, "No read met a wrong checksum")
    summary = "Data checksums are off, so nobody notices when the disk damages a page"
    return thresholds.verdict(
        name,
        UNKNOWN,
        summary,
        remedy="Switch them on with pg_checksums --enable while PostgreSQL is stopped.",
    )


def unattended(depth: Contents, subject: str, thresholds: Thresholds) -> Iterator[Check]:
    """Tables that autovacuum has been told to leave alone, where there are any."""
    if isinstance(depth.peculiarities, Missing) or not depth.peculiarities.unattended:
        return
    names = depth.peculiarities.unattended
    summary = f"autovacuum_enabled is off for {pluralize(len(names), 'table')}, such as {names[0]}: nobody removes its dead rows"
    remedy = f"ALTER TABLE {names[0]} RESET (autovacuum_enabled), unless something else vacuums it."
    yield thresholds.verdict(
        "postgres.settings",
        WARNING,
        summary,
        remedy=remedy,
        **host_port(subject, [{"table": name} for name in names]),
    )


# --- collations -------------------------------------------------------------------------------------------------------


def collations(
    configuration: Configuration | Missing,
    depth: Contents,
    database: str,
    subject: str,
    thresholds: Thresholds,
) -> Check:
    """Whether text is sorted as it was when the indexes of a database were built."""
    name = "postgres.collations"
    if isinstance(depth.peculiarities, Missing):
        return unseen(name, depth.peculiarities, thresholds, subject)
    if isinstance(configuration, Missing):
        return unseen(name, configuration, thresholds, subject)
    rows: list[Row] = [
        {"collation": f"default of database '{row['database']}'", **row}
        for row in configuration.drift
        if row["database"] == database
    ]
    rows += depth.peculiarities.drift
    drift = [row for row in rows if row["then"]]
    if drift:
        first = drift[0]
        summary = f"The {first['collation']} sorts by {_version(first['now'])} now, and its indexes were built with {first['then']}: they may not find rows"
        if not first["collation"].startswith("default"):
            summary = summary.replace("The ", "Collation ", 1)
        evidence = [
            {"collation": row["collation"], "then": row["then"], "now": row["now"]} for row in drift
        ]
        return thresholds.verdict(name, CRITICAL, summary, **host_port(subject, evidence))
    if rows:
        words = f"PostgreSQL has noted no version of {'the ' if rows[0]['collation'].startswith('default') else ''}{rows[0]['collation']}"
        remedy = "After an upgrade of the operating system, REINDEX the indexes on text, or verify them with amcheck."
        return unseen(
            name,
            Missing(f"{words}, so nobody notices when it sorts differently", remedy),
            thresholds,
            subject,
        )
    return thresholds.verdict(
        name, OK, "Text is sorted as it was when its indexes were built", subject=subject
    )


def collations_elsewhere(
    configuration: Configuration | Missing, looked: Sequence[str], thresholds: Thresholds
) -> Iterator[Check]:
    """Databases that are not looked into, and templates, whose default collation has changed; nothing where there are none."""
    if isinstance(configuration, Missing):
        return
    rows = [row for row in configuration.drift if row["then"] and row["database"] not in looked]
    if not rows:
        return
    status = WARNING if all(row["template"] for row in rows) else CRITICAL
    rows.sort(key=lambda row: row["template"])
    summary = f"The default collation of {pluralize(len(rows), 'other database')} has changed: '{rows[0]['database']}' "
    summary += f"sorts by {_version(rows[0]['now'])} now, and its indexes were built with {rows[0]['then']}"
    evidence = [{key: row[key] for key in ("database", "then", "now")} for row in rows]
    yield thresholds.verdict(
        "postgres.collations", status, summary, **host_port("other databases", evidence)
    )


def _version(version: str | None) -> str:
    return f"version {version}" if version else "a library without versions"


# --- statements -------------------------------------------------------------------------------------------------------


def transactions(seen: Databases | Missing, thresholds: Thresholds) -> Iterator[Check]:
    """Rolled back transactions, and what was spilled to disk, over all databases."""
    if isinstance(seen, Missing):
        yield unseen("postgres.rollbacks", seen, thresholds)
        yield unseen("postgres.temp_files", seen, thresholds)
        return
    delta = seen.recent
    rolled, spilled = delta.counters["rollbacks"], delta.counters["spilled"]
    total = rolled + delta.counters["commits"]
    worst = sorted(seen.rows, key=lambda row: -(row["rollbacks"] or 0))
    evidence = [
        {
            "database": row["name"],
            "rollbacks_since_reset": row["rollbacks"],
            "commits_since_reset": row["commits"],
        }
        for row in worst
    ]
    if total < TRANSACTIONS_ENOUGH:
        summary = f"Only {total:,.0f} transactions have ended {delta.window}, too few to judge how many were rolled back"
        yield thresholds.evaluate(
            "postgres.rollbacks",
            None,
            summary,
            window=delta.window,
            remedy="Look again when the database has been used.",
        )
    else:
        summary = f"{rolled:,.0f} of {total:,.0f} transactions were rolled back"
        yield thresholds.evaluate(
            "postgres.rollbacks",
            round(100 * rolled / total, 2),
            summary,
            window=delta.window,
            evidence=tuple(evidence[:SHOWN]),
        )
    if not delta.seconds:
        summary = f"{format_value(spilled, 'bytes')} were written to temporary files {delta.window}; how much that is a day is known from the next run on"
        yield thresholds.evaluate(
            "postgres.temp_files", None, summary, window=delta.window, remedy="Run it again."
        )
        return
    daily = spilled / max(1.0, delta.seconds / DAY)  # less than a day counts as one
    worst = sorted(seen.rows, key=lambda row: -(row["spilled"] or 0))
    evidence = [
        {"database": row["name"], "bytes_since_reset": row["spilled"]}
        for row in worst
        if row["spilled"]
    ]
    summary = f"{format_value(daily, 'bytes')} a day were written to temporary files"
    yield thresholds.evaluate(
        "postgres.temp_files",
        round(daily),
        summary,
        window=delta.window,
        evidence=tuple(evidence[:SHOWN]),
    )


def slow_statements(
    statements: Statements | Missing, facts: Row, thresholds: Thresholds, slow: float
) -> Check:
    """Statements that take longer than ``slow`` seconds on average in the window, among those with the most time in all."""
    name = "postgres.slow_statements"
    if isinstance(statements, Missing):
        return unseen(name, statements, thresholds)
    # What is hidden is one row for each user: it is no statement, and its mean says nothing of any.
    judged = [
        row
        for row in statements.top
        if row["calls"] >= STATEMENTS_ENOUGH and (row["statement"] or facts["sees_all"])
    ]
    found = [row for row in judged if row["seconds"] / row["calls"] > slow]
    if not found and not facts["sees_all"]:
        words = f"role '{facts['role']}' sees the statements of other users only as a whole"
        return unseen(name, Missing(words, _ungranted(facts).remedy), thresholds)
    evidence = [
        {
            "statement": shape(row["statement"] or "") or "(hidden)",
            "calls": int(row["calls"]),
            "mean_seconds": round(row["seconds"] / row["calls"], 6),
            "share_percent": round(100 * row["seconds"] / statements.seconds, 1)
            if statements.seconds
            else 0.0,
            "user": row["user"],
            "database": row["database"],
        }
        for row in found
    ]
    summary = f"Of the {pluralize(len(judged), 'statement')} with the most time and {STATEMENTS_ENOUGH} calls or more, "
    summary += f"none takes longer than {format_value(slow, 'seconds')}"
    if evidence:
        first = evidence[0]
        takes = f"takes {format_value(first['mean_seconds'], 'seconds')}"
        summary = f"{pluralize(len(found), 'statement')} over {format_value(slow, 'seconds')}; this one {takes} and {first['share_percent']:.0f} % of all time: "
        summary += shorten(first["statement"], 70)
    return thresholds.evaluate(
        name, len(found), summary, window=statements.window, evidence=tuple(evidence[:SHOWN])
    )
