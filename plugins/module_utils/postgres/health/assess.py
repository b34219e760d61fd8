# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The daily checks of a PostgreSQL server, from what was seen of it. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from ...core.check import OK, Check
from ...core.errors import NotCollected
from ...core.thresholds import Thresholds
from ...core.units import format_duration, format_value
from ..verdicts import unknown
from .archiver import archiver
from .databases import cache_hit, checksum_failures, deadlocks, wraparound
from .options import Options
from .replication import replication
from .sessions import connections, idle_in_transaction, long_transactions
from .snapshot import Databases, Snapshot
from .statements import query_time_mean
from .writable import writable


def assess(snapshot: Snapshot, options: Options, thresholds: Thresholds) -> Iterator[Check]:
    """Every check of a server that answered, `reachable` first."""
    yield reachable(snapshot, thresholds)
    yield writable(snapshot, options, thresholds)
    yield from _sessions(snapshot, thresholds)
    if isinstance(snapshot.databases, NotCollected):
        names = ("cache_hit", "deadlocks", "checksum_failures", "wraparound")
        yield from _unknown(thresholds, snapshot.databases, *names)
    else:
        yield cache_hit(snapshot.databases, thresholds)
        yield deadlocks(snapshot.databases, thresholds)
        yield checksum_failures(snapshot.databases, thresholds)
        yield wraparound(snapshot, snapshot.databases, thresholds)
    if isinstance(snapshot.statements, NotCollected):
        yield from _unknown(thresholds, snapshot.statements, "query_time_mean")
    else:
        yield query_time_mean(snapshot.statements, snapshot.facts, thresholds)
    if isinstance(snapshot.wal, NotCollected):
        yield from _unknown(thresholds, snapshot.wal, "replication", "archiver")
    else:
        yield from replication(snapshot.wal, snapshot.facts, thresholds, options)
        yield archiver(snapshot.wal, snapshot.facts, thresholds)


def reachable(snapshot: Snapshot, thresholds: Thresholds) -> Check:
    facts = snapshot.facts
    connected = format_value(snapshot.connect_seconds, "seconds")
    role = "standby" if facts["standby"] else "primary"
    uptime = format_duration(max(0.0, facts["now"] - facts["started"]))
    summary = (
        f"PostgreSQL {facts['version'].split()[0]} at {snapshot.address} answers, "
        f"connected in {connected} ({role}, up {uptime})"
    )
    value = round(snapshot.connect_seconds, 6)
    return thresholds.verdict("postgres.reachable", OK, summary, value=value)


def _sessions(snapshot: Snapshot, thresholds: Thresholds) -> Iterator[Check]:
    sessions, facts = snapshot.sessions, snapshot.facts
    if isinstance(sessions, NotCollected):
        names = ("connections", "idle_in_transaction", "long_transactions")
        yield from _unknown(thresholds, sessions, *names)
        return
    rows = snapshot.databases.rows if isinstance(snapshot.databases, Databases) else ()
    limits = {
        row["name"]: row["connection_limit"]
        for row in rows
        if row["connection_limit"] is not None and row["connection_limit"] >= 0 and row["allows"]
    }
    yield from connections(sessions.groups, sessions.role_limits, limits, facts, thresholds)
    yield idle_in_transaction(sessions, facts, thresholds)
    yield long_transactions(sessions, facts, thresholds)


def _unknown(thresholds: Thresholds, error: NotCollected, *names: str) -> Iterator[Check]:
    for name in names:
        yield unknown(f"postgres.{name}", error, thresholds)
