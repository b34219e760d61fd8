# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reads what the daily checks need: one round trip for each part of the snapshot.

A query that fails makes only those checks unknown that need its answer.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ...core.errors import NotCollected
from ...core.state import Sample, StateFile, now_sample, store_sample
from ..connection import Connection
from .collect_statements import SHOWN, collect_statements
from .options import Options
from .queries import (
    CREATED,
    DATABASES,
    ERRORS_IN_14,
    ERRORS_SINCE_15,
    FACTS,
    HERE,
    LEADERS_SINCE_16,
    NOT_VISIBLE,
    SESSIONS,
    SOURCE,
    STANDBYS,
    STANDBYS_AGAIN,
    SUBSCRIPTIONS,
    WAITING,
    WAL,
)
from .snapshot import Databases, Row, Sessions, Snapshot, Wal

#: Rows of sessions that are fetched.
SESSIONS_SHOWN = 10
#: Counters of databases that are kept for the next run.
COUNTERS = ("hit", "read", "deadlocks", "commits", "rollbacks", "spilled")
#: Seconds within which a standby that is behind must say something, and after which one that
#: seems silent is read again: its messages carry the time of its own clock.
SILENCE, SECOND_LOOK = 20.0, 1.0


class History:
    """The counters of the last run of a module on one server."""

    def __init__(self, directory: str | None, module: str, address: str) -> None:
        self.databases = StateFile(directory, module, address)
        self.statements = StateFile(directory, f"{module}_statements", address)
        self.slots = StateFile(directory, f"{module}_slots", address)

    def store(self, snapshot: Snapshot, module: Any) -> None:
        """Keep the counters of a snapshot for the next run; ``module`` is the Ansible module."""
        if not isinstance(snapshot.databases, NotCollected):
            store_sample(module, self.databases, snapshot.databases.sample)
        if not isinstance(snapshot.statements, NotCollected):
            store_sample(module, self.statements, snapshot.statements.sample)
        if not isinstance(snapshot.wal, NotCollected) and snapshot.wal.sample:
            store_sample(module, self.slots, snapshot.wal.sample)


def collect(
    options: Options, connection: Connection, history: History, statements_shown: int = SHOWN
) -> Snapshot:
    """Read everything; raises `Unreachable` if the server cannot be asked at all.

    The text of ``statements_shown`` statements is fetched.
    """
    facts: Row = connection.begin("itself", FACTS)[0][0]
    return Snapshot(
        address=connection.address,
        connect_seconds=connection.connect_seconds,
        facts=facts,
        sessions=attempt(lambda: _sessions(connection, options)),
        databases=attempt(lambda: _databases(connection, facts, history.databases)),
        wal=attempt(lambda: _wal(connection, facts, history.slots)),
        statements=attempt(
            lambda: collect_statements(connection, facts, history.statements, statements_shown)
        ),
        read_only_source=_read_only_source(connection, facts),
    )


def attempt(read: Callable[[], Any]) -> Any:
    """What a function reads, or the `NotCollected` that it raises."""
    try:
        return read()
    except NotCollected as error:
        return error


def _sessions(connection: Connection, options: Options) -> Sessions:
    parameters = {"ignored": list(options.ignore_applications), "shown": SESSIONS_SHOWN}
    row = connection.rows("its sessions", SESSIONS, parameters)[0]
    groups, idle, transactions, ignored, xmin_age, prepared_age, limits, commits, prepared = row
    return Sessions(
        groups or [],
        idle or [],
        transactions or [],
        ignored,
        xmin_age,
        prepared_age,
        limits or {},
        commits or [],
        prepared,
    )


def _read_only_source(connection: Connection, facts: Row) -> str:
    """Who made transactions read-only by default; asked only if they are."""
    if not facts["read_only"]:
        return ""
    rows = attempt(
        lambda: connection.rows("its parameters", SOURCE, ("default_transaction_read_only",))
    )
    return "unknown" if isinstance(rows, NotCollected) or not rows else str(rows[0][0])


def _databases(connection: Connection, facts: Row, state: StateFile) -> Databases:
    query = DATABASES.format(created=CREATED if facts["sees_control"] else "NULL::bigint")
    created, rows = connection.rows("its databases", query)[0]
    counters = {key: float(sum(row[key] or 0 for row in rows)) for key in COUNTERS}
    epoch = " ".join([str(facts["started"]), *(f"{row['oid']}:{row['reset']}" for row in rows)])
    sample = now_sample(epoch, counters)
    # Counters that were never reset are at most as old as the cluster.
    since = [row["reset"] or created for row in rows if row["hit"]]
    oldest = None if None in since else min(since, default=created)
    age = None if oldest is None else max(0.0, facts["now"] - oldest)
    start = "the cluster was created" if oldest == created and created else "statistics reset"
    return Databases(rows, state.delta(sample, age, start), state.total(sample, age, start), sample)


def _wal(connection: Connection, facts: Row, state: StateFile) -> Wal:
    archives = facts["archive_mode"] != "off" and facts["sees_archive"]
    waiting = WAITING if archives else NOT_VISIBLE
    query = WAL.format(here=HERE, standbys=STANDBYS, waiting=waiting)
    row = connection.rows("its replication", query)[0]
    standbys, slots, replay, archiver, subscribed, count, oldest = row
    stuck, sample = _stuck(slots or [], state)
    return Wal(
        standbys or [],
        slots or [],
        replay,
        archiver,
        count,
        _silent(connection, standbys or []),
        attempt(lambda: _subscriptions(connection)) if subscribed else (),
        stuck,
        sample,
        oldest,
    )


def _stuck(slots: Sequence[Row], state: StateFile) -> tuple[Mapping[str, float], Sample | None]:
    """How long slots have not moved since the last run, and what to keep for the next one."""
    positions = {
        slot["slot_name"]: float(slot["position"]) for slot in slots if slot["position"] is not None
    }
    if not positions:
        return {}, None
    sample = now_sample("", positions)
    earlier = next(iter(state.earlier(sample)), None)
    if earlier is None:
        return {}, sample
    seconds = sample.time - earlier.time
    same = [name for name, at in positions.items() if earlier.counters.get(name) == at]
    return dict.fromkeys(same, seconds), sample


def _silent(connection: Connection, standbys: Sequence[Row]) -> Mapping[int, float]:
    """How long each standby has said nothing although it is behind.

    Only if one seems so, it is read twice: with another clock its messages always seem old.
    """
    suspects = {row["pid"]: row["reply"] for row in standbys if _seems_silent(row)}
    if not suspects:
        return {}
    time.sleep(connection.deadline.remaining(SECOND_LOOK))
    again = attempt(lambda: connection.rows("its standbys", STANDBYS_AGAIN)[0][0])
    if isinstance(again, NotCollected):
        return {}
    return {
        row["pid"]: row["now"] - row["reply"]
        for row in again or []
        if _seems_silent(row) and suspects.get(row["pid"]) == row["reply"]
    }


def _seems_silent(row: Row) -> bool:
    if not row["reply"] or (row["behind_bytes"] or 0) <= 0:
        return False
    return bool(row["now"] - row["reply"] > max(SILENCE, 2 * row["interval"]))


def _subscriptions(connection: Connection) -> list[Row]:
    errors = ERRORS_SINCE_15 if connection.version >= 150000 else ERRORS_IN_14
    leader = LEADERS_SINCE_16 if connection.version >= 160000 else ""
    query = SUBSCRIPTIONS.format(leader=leader, **errors)
    return connection.rows("its subscriptions", query)[0][0] or []
