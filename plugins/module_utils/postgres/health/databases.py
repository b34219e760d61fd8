# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Cache, deadlocks and wraparound, over all databases of a server. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from ...core.check import OK, Check
from ...core.errors import NotCollected
from ...core.thresholds import Thresholds
from ...core.units import format_duration, pluralize
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
        value = round(100 * hits / reads, 2) if reads else None
        summary = f"{pluralize(int(reads), 'block')} read" if reads else "No blocks were read"
        reason = f"needs at least {MIN_READS:,} block reads in the window"
        return thresholds.not_judged(name, summary, reason, value=value, window=delta.window)
    value = 100 * hits / reads
    summary = f"{value:.1f} % of {reads:,.0f} block reads were found in shared buffers"
    return thresholds.evaluate(name, round(value, 2), summary, window=delta.window)


def deadlocks(databases: Databases, thresholds: Thresholds) -> Check:
    name, delta = "postgres.deadlocks", databases.recent
    count = int(delta.counters["deadlocks"])
    text = pluralize(count, "deadlock") if count else "No deadlocks"
    if count and not delta.since_last_run and not 0 < delta.seconds <= RECENT:
        summary, reason = f"{text} {delta.window}", "from the next run on, new ones count"
        return thresholds.not_judged(name, summary, reason, value=count, window=delta.window)
    evidence = [
        {"database": row["name"], "deadlocks_since_reset": row["deadlocks"]}
        for row in databases.rows
        if row["deadlocks"] and count
    ]
    summary = f"{text} in the window"
    return thresholds.evaluate(name, count, summary, window=delta.window, evidence=tuple(evidence))


def checksum_failures(databases: Databases, thresholds: Thresholds) -> Check:
    """Damage stays until it is repaired, so a failure counts until the statistics are reset."""
    name = "postgres.checksum_failures"
    failures = [row["checksum_failures"] for row in databases.rows]
    if all(count is None for count in failures):
        summary = "Data checksums are off, so damage by the disk goes unnoticed"
        reason = "enable checksums with 'pg_checksums --enable' while PostgreSQL is stopped"
        return thresholds.not_judged(name, summary, reason)
    bad = sorted(
        (row for row in databases.rows if row["checksum_failures"]),
        key=lambda row: -row["checksum_failures"],
    )
    if not bad:
        return thresholds.evaluate(name, 0, "No read failed its checksum")
    total = sum(row["checksum_failures"] for row in bad)
    ages = [max(0.0, row["checksum_seconds"]) for row in bad if row["checksum_seconds"] is not None]
    when = f", the last {format_duration(min(ages))} ago" if ages else ""
    where = f"most of them in database '{bad[0]['name'] or '(shared)'}'"
    evidence = [
        {
            "database": row["name"] or "(shared)",
            "failures": row["checksum_failures"],
            "last_seconds": round(row["checksum_seconds"] or 0.0),
        }
        for row in bad[:5]
    ]
    summary = f"{pluralize(total, 'read')} failed the checksum{when}, {where}"
    return thresholds.evaluate(name, total, summary, evidence=tuple(evidence))


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
    percent = f"{min(99, round(100 * value / WRAPAROUND))} % of the way to wraparound"
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
