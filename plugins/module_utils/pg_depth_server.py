# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Locks, what holds back vacuum, parameters and slow statements of a PostgreSQL server, judged. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ansible_collections.gpt_agent.runbook.plugins.module_utils.check import CRITICAL, OK, UNKNOWN, WARNING, Check
from ansible_collections.gpt_agent.runbook.plugins.module_utils.limits import Limits
from ansible_collections.gpt_agent.runbook.plugins.module_utils.pg_depth_queries import Configuration, Locks
from ansible_collections.gpt_agent.runbook.plugins.module_utils.pg_depth_words import SHOWN, unseen
from ansible_collections.gpt_agent.runbook.plugins.module_utils.pg_health import who
from ansible_collections.gpt_agent.runbook.plugins.module_utils.pg_health_queries import STATEMENTS_ENOUGH, Missing, Row, Statements
from ansible_collections.gpt_agent.runbook.plugins.module_utils.pg_maintenance_plan import whose
from ansible_collections.gpt_agent.runbook.plugins.module_utils.sql_text import shape
from ansible_collections.gpt_agent.runbook.plugins.module_utils.state import span
from ansible_collections.gpt_agent.runbook.plugins.module_utils.text import counted, human, shorten

#: What a parameter must not be, how bad that is, and why.
WRONG: Mapping[str, tuple[str, str, str]] = {
    "fsync": ("off", CRITICAL, "a crash of the machine destroys the database"),
    "full_page_writes": ("off", CRITICAL, "a crash of the machine can damage pages"),
    "zero_damaged_pages": ("on", CRITICAL, "damaged pages are emptied when they are read"),
    "ignore_checksum_failure": ("on", CRITICAL, "damaged pages are taken for good"),
    "autovacuum": ("off", CRITICAL, "dead rows pile up, and the server stops before transaction ids wrap around"),
    "track_counts": ("off", CRITICAL, "autovacuum does not see what it has to do"),
    "track_activities": ("off", WARNING, "nobody sees what sessions do"),
}


def locks(seen: Locks, facts: Row, limits: Limits) -> Iterator[Check]:
    """Who waits for whom, and who holds back vacuum."""
    yield _blocked(seen, facts, limits)
    if isinstance(seen.horizon, Missing):
        yield unseen("postgres.vacuum_horizon", seen.horizon, limits)
        yield unseen("postgres.prepared_transactions", seen.horizon, limits)
        return
    prepared = sorted((row for row in seen.horizon if row["kind"] == "prepared transaction"), key=lambda row: -(row["seconds"] or 0))
    words = f"{whose(prepared[0])}, in database '{prepared[0]['database']}'" if prepared else "No transaction is prepared"
    age = round(max(0.0, prepared[0]["seconds"]), 1) if prepared else 0.0
    yield limits.judged("postgres.prepared_transactions", age, words[0].upper() + words[1:], evidence=_holders(prepared))
    if seen.horizon:
        oldest = seen.horizon[0]
        summary = f"Vacuum may not remove what the last {oldest['age']:,} transactions made obsolete, because of {whose(oldest)}"
        check = limits.judged("postgres.vacuum_horizon", oldest["age"], summary, evidence=_holders(seen.horizon))
    else:
        check = limits.judged("postgres.vacuum_horizon", 0, "Nothing holds back vacuum")
    if check.status == OK and not facts["sees_all"]:
        check = unseen("postgres.vacuum_horizon", _ungranted(facts), limits)
    yield check


def _holders(rows: Sequence[Row]) -> tuple[dict[str, Any], ...]:
    return tuple({"holder": whose(row), "database": row["database"], "age": row["age"]} for row in rows[:SHOWN])


def _ungranted(facts: Row) -> Missing:
    return Missing(f"role '{facts['role']}' may not see other users' sessions", f'As a superuser: GRANT pg_monitor TO "{facts["role"]}".')


def _blocked(seen: Locks, facts: Row, limits: Limits) -> Check:
    if isinstance(seen.blocked, Missing):
        return unseen("postgres.blocked", seen.blocked, limits)
    edges, sessions = seen.blocked
    if not edges:
        return limits.judged("postgres.blocked", 0.0, "No session waits for a lock")
    waits_for = {edge["pid"]: edge["blockers"] for edge in edges}
    counts = Counter(root for pid in waits_for for root in _roots(pid, waits_for))
    longest = max(edge["seconds"] or 0.0 for edge in edges)
    summary = f"{len(edges)} session{'s wait' if len(edges) > 1 else ' waits'} for a lock, the longest for {span(longest)}"
    if counts:
        root = max(counts, key=lambda pid: counts[pid])
        summary += f"; at the root: {_session(root, sessions, facts)}"
    rows = [{"pid": edge["pid"], "waits_seconds": round(edge["seconds"] or 0.0, 1), "waits_for": edge["blockers"]} for edge in edges]
    rows += [{"pid": pid, "waits_seconds": None, "waits_for": []} for pid in counts]
    for row in rows:
        known = sessions.get(str(row["pid"]), {})
        row.update(application=known.get("application"), user=known.get("user"), state=known.get("state"), statement=shape(known.get("statement") or ""))
    return limits.judged("postgres.blocked", round(longest, 1), summary, evidence=tuple(rows[:SHOWN]))


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
    return f"pid {pid}, {who(row)}, {row['state']}" + (f", in a transaction for {span(max(0.0, seconds))}" if seconds is not None else "")


def settings(seen: Configuration | Missing, facts: Row, limits: Limits) -> Iterator[Check]:
    """Parameters, the default collations of databases, and checksums."""
    if isinstance(seen, Missing):
        yield unseen("postgres.settings", seen, limits)
        yield unseen("postgres.checksum_failures", seen, limits)
        return
    found = [
        (status, f"{name} is {bad}: {why}")
        for name, (bad, status, why) in WRONG.items()
        if (seen.parameters.get(name) or {}).get("value") == bad
    ]  # fmt: skip
    waiting = sorted(name for name, row in seen.parameters.items() if row["restart"])
    if waiting:
        found.append((WARNING, f"{', '.join(waiting)}: changed in the file, but only a restart makes it count"))
    if 140000 <= facts["number"] < 140004:
        found.append((CRITICAL, "PostgreSQL 14.0 to 14.3 can damage indexes that are built concurrently: install the latest 14"))
    status = CRITICAL if any(each[0] == CRITICAL for each in found) else WARNING if found else OK
    summary = "; ".join(each[1] for each in found) or "No parameter endangers data, none waits for a restart"
    yield limits.verdict("postgres.settings", status, summary[0].upper() + summary[1:] if not found else summary)
    if seen.failures:
        total = sum(row["failures"] for row in seen.failures)
        summary = f"{total:,} pages had a wrong checksum, most of them in database '{seen.failures[0]['database']}'"
        yield limits.judged("postgres.checksum_failures", total, summary, evidence=tuple(seen.failures[:SHOWN]))
    elif seen.checksums:
        yield limits.judged("postgres.checksum_failures", 0, "No page had a wrong checksum")
    else:
        summary = "Data checksums are off, so nobody notices when the disk damages a page"
        yield limits.verdict("postgres.checksum_failures", UNKNOWN, summary, remedy="Switch them on with pg_checksums --enable while PostgreSQL is stopped.")


def slow_statements(statements: Statements | Missing, limits: Limits, slow: float) -> Check:
    """Statements that take longer than ``slow`` seconds on average in the window."""
    if isinstance(statements, Missing):
        return unseen("postgres.slow_statements", statements, limits)
    found = [row for row in statements.top if row["calls"] >= STATEMENTS_ENOUGH and row["seconds"] / row["calls"] > slow]
    evidence = [
        {
            "statement": shape(row["statement"] or "") or "(hidden)",
            "calls": int(row["calls"]),
            "mean_seconds": round(row["seconds"] / row["calls"], 6),
            "share_percent": round(100 * row["seconds"] / statements.seconds, 1) if statements.seconds else 0.0,
            "user": row["user"],
            "database": row["database"],
        }
        for row in found
    ]
    summary = f"No statement takes longer than {human(slow, 'seconds')}"
    if evidence:
        first = evidence[0]
        takes = f"takes {human(first['mean_seconds'], 'seconds')}"
        summary = f"{counted(len(found), 'statement')} over {human(slow, 'seconds')}; this one {takes} and {first['share_percent']:.0f} % of all time: "
        summary += shorten(first["statement"], 70)
    return limits.judged("postgres.slow_statements", len(found), summary, window=statements.window, evidence=tuple(evidence[:SHOWN]))
