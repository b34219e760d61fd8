# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Sessions that wait for locks, and the session at the root. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from ...core.check import Check
from ...core.errors import NotCollected
from ...core.thresholds import Thresholds
from ...core.units import format_duration, pluralize
from ..bloat import Row
from ..health.sessions import application, who
from ..statements import shape
from ..verdicts import unknown
from .common import SHOWN
from .snapshot import Locks
from .xmin_horizon import name_of, rollback

NAME = "postgres.blocked"


def blocked(locks: Locks, facts: Row, thresholds: Thresholds) -> Check:
    """The longest wait for a lock."""
    if isinstance(locks.blocked, NotCollected):
        return unknown(NAME, locks.blocked, thresholds)
    edges, sessions = locks.blocked
    if not edges:
        return thresholds.evaluate(NAME, 0.0, "No session waits for a lock")
    waits_for = {edge["pid"]: edge["blockers"] for edge in edges}
    roots = Counter(root for pid in waits_for for root in _roots(pid, waits_for))
    longest = max(0.0, *(edge["seconds"] or 0.0 for edge in edges))
    waiting = max(locks.waiting, len(edges))
    sessions_wait = pluralize(waiting, "session waits", "sessions wait")
    summary = f"{sessions_wait} for a lock, the longest for {format_duration(longest)}"
    if waiting > len(edges):
        summary += f" (only the {len(edges)} that have waited longest were checked)"
    remedy = ""
    if roots:
        root = max(roots, key=lambda pid: roots[pid])
        summary += f"; at the root: {_describe(root, sessions, locks.prepared, facts)}"
        remedy = rollback(locks.prepared[0]) if root == 0 and locks.prepared else ""
    rows = [_row(edge["pid"], edge["seconds"] or 0.0, edge["blockers"], sessions) for edge in edges]
    rows += [_row(pid, None, (), sessions) for pid in roots]
    seconds, evidence = round(longest, 1), tuple(rows[:SHOWN])
    return thresholds.evaluate(NAME, seconds, summary, remedy=remedy, evidence=evidence)


def _row(
    pid: int, seconds: float | None, blockers: Sequence[int], sessions: Mapping[str, Row]
) -> dict[str, Any]:
    session = sessions.get(str(pid), {})
    return {
        "pid": pid,
        "waits_seconds": None if seconds is None else round(seconds, 1),
        "waits_for": list(blockers),
        "application": application(session),
        "user": session.get("user"),
        "state": session.get("state"),
        "statement": shape(session.get("statement") or ""),
    }


def _roots(pid: int, waits_for: Mapping[int, Sequence[int]]) -> set[int]:
    """The processes that a process waits for in the end, which wait for none themselves."""
    roots: set[int] = set()
    visited = {pid}
    left = list(waits_for[pid])
    while left:
        blocker = left.pop()
        if blocker in visited:
            continue
        visited.add(blocker)
        if blocker in waits_for:
            left.extend(waits_for[blocker])
        else:
            roots.add(blocker)
    return roots


def _describe(pid: int, sessions: Mapping[str, Row], prepared: Sequence[Row], facts: Row) -> str:
    if pid == 0 and prepared:
        first = prepared[0]
        age = format_duration(max(0.0, first["seconds"]))
        return f"prepared transaction {name_of(first['name'])}, open for {age}"
    if pid == 0:
        return "a prepared transaction (pg_prepared_xacts)"
    row = sessions.get(str(pid))
    if row is None or row["state"] is None:
        return f"pid {pid}" + ("" if facts["sees_all"] else " (GRANT pg_monitor shows more)")
    text = f"pid {pid}, {who(row)}, {row['state']}"
    seconds = row["transaction_seconds"]
    if seconds is None:
        return text
    return f"{text}, in a transaction for {format_duration(max(0.0, seconds))}"
