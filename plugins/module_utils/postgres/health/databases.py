# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Cache, deadlocks and wraparound, over all databases of a server. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from ...core.check import OK, Check
from ...core.errors import NotCollected
from ...core.thresholds import Thresholds
from ...core.units import pluralize
from .snapshot import Databases, Snapshot

#: Fewer block reads say nothing about the cache.
MIN_READS = 1000
#: Transaction IDs until wraparound.
WRAPAROUND = 2**31
#: Seconds within which deadlocks are recent, where no earlier run tells old ones from new ones.
RECENT = 36 * 3600
#: Age in transactions from which something at the xmin horizon explains the age of a database.
HOLDS_BACK = 100_000_000


def cache_hit(databases: Databases, thresholds: Thresholds) -> Check:
    """Judged since the last run, or over the longer span if hardly anything was read since."""
    delta = databases.recent
    if delta.counters["hit"] + delta.counters["read"] < MIN_READS:
        delta = databases.total
    name, hits = "postgres.cache_hit", delta.counters["hit"]
    reads = hits + delta.counters["read"]
    if reads < MIN_READS:
        summary = f"Only {reads:,.0f} blocks were read {delta.window}, too few to judge the cache"
        remedy = "Check again once the database has been used."
        return thresholds.evaluate(name, None, summary, window=delta.window, remedy=remedy)
    value = 100 * hits / reads
    summary = f"{value:.1f} % of {reads:,.0f} block reads were found in shared buffers"
    return thresholds.evaluate(name, round(value, 2), summary, window=delta.window)


def deadlocks(databases: Databases, thresholds: Thresholds) -> Check:
    name, delta = "postgres.deadlocks", databases.recent
    count = int(delta.counters["deadlocks"])
    text = pluralize(count, "deadlock") if count else "No deadlocks"
    if count and not delta.since_last_run and not 0 < delta.seconds <= RECENT:
        summary = f"{text} {delta.window}; from the next run on, only new ones count"
        remedy = "Run the checklist again; PostgreSQL's log has the time of each deadlock."
        return thresholds.evaluate(name, None, summary, window=delta.window, remedy=remedy)
    evidence = [
        {"database": row["name"], "deadlocks_since_reset": row["deadlocks"]}
        for row in databases.rows
        if row["deadlocks"] and count
    ]
    summary = f"{text} in the window"
    return thresholds.evaluate(name, count, summary, window=delta.window, evidence=tuple(evidence))


def wraparound(snapshot: Snapshot, databases: Databases, thresholds: Thresholds) -> Check:
    ages = [
        (row["name"], row["xid_age"], row["mxid_age"])
        for row in databases.rows
        if row["xid_age"] is not None
    ]
    ages.sort(key=lambda row: -max(row[1:]))
    database, xid, mxid = ages[0]
    value = max(xid, mxid)
    kind = "transaction ID" if xid >= mxid else "multixact ID"
    age = f"{value / 1e6:,.0f} million" if value >= 10_000_000 else f"{value:,}"
    percent = f"{100 * value / WRAPAROUND:.0f} % of the way to wraparound"
    summary = f"The oldest {kind} is {age} IDs old, in database '{database}': {percent}"
    holder = _oldest_holder(snapshot)
    if holder and thresholds.of("postgres.wraparound").status_of(value) != OK:
        summary += f"; held back by {holder}"
    evidence = [{"database": name, "xid_age": xid, "mxid_age": mxid} for name, xid, mxid in ages]
    return thresholds.evaluate("postgres.wraparound", value, summary, evidence=tuple(evidence[:5]))


def _oldest_holder(snapshot: Snapshot) -> str:
    """What keeps vacuum from freezing rows; empty if nothing is old enough."""
    age, holder = max(_holders(snapshot), default=(0, ""))
    return holder if age > HOLDS_BACK else ""


def _holders(snapshot: Snapshot) -> Iterator[tuple[int, str]]:
    if not isinstance(snapshot.sessions, NotCollected):
        yield snapshot.sessions.xmin_age or 0, "an old transaction"
        yield snapshot.sessions.prepared_age or 0, "a prepared transaction (pg_prepared_xacts)"
    if not isinstance(snapshot.wal, NotCollected):
        for slot in snapshot.wal.slots:
            yield slot["xmin_age"] or 0, f"replication slot '{slot['slot_name']}'"
