# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Looks into a PostgreSQL server and its databases beyond the daily checklist: the areas that were asked for, database by database."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase

from ...core.check import OK, UNKNOWN, Check
from ...core.deadline import DeadlineExceeded
from ...core.errors import NotCollected, Unreachable, UsageError
from ...core.state import Sample, StateFile
from ...core.thresholds import Thresholds
from ...core.units import pluralize
from ..connection import Connection
from ..health.collect import Missing, Snapshot
from .collect import (
    DATABASES,
    Configuration,
    Contents,
    Memory,
    asked,
    collect_configuration,
    collect_database,
    collect_locks,
    samples,
)
from .indexes import indexes
from .server import (
    collations,
    collations_elsewhere,
    locks,
    settings,
    slow_statements,
    transactions,
    unattended,
)
from .tables import tables, vacuum
from .wording import host_port

#: Areas beyond the daily checklist.
AREAS = ("locks", "vacuum", "tables", "indexes", "statements", "settings")
#: Those of them that look into databases.
OF_DATABASES = ("vacuum", "tables", "indexes", "settings")
#: Seconds from which a statement is slow, where the operator has switched the limit of the mean off.
SLOW = 0.1


@dataclass(frozen=True)
class Depth:
    """How far to look."""

    areas: Sequence[str]
    databases: Sequence[str]
    """Shell patterns; none stands for the one that the connection leads to."""
    unused_after: float
    """Days that statistics have to span before an index is called unused."""
    state_dir: str | None
    keep: Callable[[StateFile, Sample], None]
    """Keeps counters for the next run."""


def in_depth(
    depth: Depth, connection: Connection, seen: Snapshot, thresholds: Thresholds
) -> Iterator[Check]:
    """The checks of the areas; the connection is in its transaction, after the questions of the daily checklist."""
    configuration: Configuration | Missing | None = None
    try:
        names = _names(depth, connection)
        if "locks" in depth.areas:
            yield from locks(collect_locks(connection), seen.facts, thresholds)
        if "statements" in depth.areas:
            yield slow_statements(
                seen.statements,
                seen.facts,
                thresholds,
                thresholds.of("postgres.query_time_mean").critical or SLOW,
            )
            yield from transactions(seen.databases, thresholds)
        if "settings" in depth.areas:
            configuration = asked(lambda: collect_configuration(connection))
            yield from settings(configuration, seen.facts, thresholds)
            yield from collations_elsewhere(configuration, names, thresholds)
        if connection.database not in names:
            connection.end()  # while others are looked at, it would be an open transaction for nothing
    except Unreachable as refusal:
        yield thresholds.verdict(
            "postgres.inspection",
            UNKNOWN,
            f"The server went away: {refusal}",
            remedy=refusal.remedy,
        )
        return
    if not set(depth.areas).intersection(OF_DATABASES):
        return
    lost: list[str] = []
    for name in names:
        checks = list(_database(name, depth, connection, configuration, seen, thresholds))
        lost += [name] if checks[0].name == "postgres.inspection" else []
        yield from checks
    looked = [name for name in names if name not in lost]
    words = f"{pluralize(len(looked), 'database')} looked into" + (
        f": {', '.join(looked[:10])}" if looked else ""
    )
    yield thresholds.verdict("postgres.inspection", OK if looked else UNKNOWN, words)


def ran_out(connection: Connection, thresholds: Thresholds) -> Check:
    """What it means that the time was used up after the server had answered."""
    words = f"The {connection.deadline.seconds:g} s of timeout were used up while PostgreSQL was asked about {connection.question}, so nothing is known of the rest"
    return thresholds.verdict(
        "postgres.inspection",
        UNKNOWN,
        words,
        remedy="Give a longer timeout, or fewer areas or databases at a time.",
    )


def _names(depth: Depth, connection: Connection) -> list[str]:
    """The databases to look into, the connection's own first; raises `UsageError` for a pattern that fits none."""
    own = connection.database
    if not depth.databases:
        return [own]
    try:
        names = [row[0] for row in connection.rows("its databases", DATABASES)]
    except NotCollected:
        names = [own]
    for pattern in depth.databases:
        if not any(fnmatchcase(name, pattern) for name in names):
            raise UsageError(
                f"databases: no database of this server fits {pattern!r}; there are {', '.join(names)}"
            )
    chosen = [
        name for name in names if any(fnmatchcase(name, pattern) for pattern in depth.databases)
    ]
    return sorted(chosen, key=lambda name: (name != own, name))


def _database(
    name: str,
    depth: Depth,
    connection: Connection,
    configuration: Configuration | Missing | None,
    seen: Snapshot,
    thresholds: Thresholds,
) -> Iterator[Check]:
    """The checks of one database; a single one where it cannot be had."""
    memory, subject = Memory(depth.state_dir, connection.target.address, name), f"database {name}"
    try:
        found = (
            collect_database(connection, memory, depth.areas)
            if name == connection.database
            else _elsewhere(name, connection, memory, depth.areas)
        )
    except Unreachable as refusal:
        yield thresholds.verdict(
            "postgres.inspection",
            UNKNOWN,
            f"Not looked into: {refusal}",
            subject=subject,
            remedy=refusal.remedy,
        )
        return
    if "vacuum" in depth.areas:
        yield from vacuum(found, subject, thresholds)
    if "tables" in depth.areas:
        yield from tables(found, subject, thresholds)
    if "indexes" in depth.areas:
        yield from indexes(found, subject, thresholds, seen.statements, depth.unused_after)
    if configuration is not None:
        yield collations(configuration, found, name, subject, thresholds)
        yield from unattended(found, subject, thresholds)
    yield from _left_out(found, depth, subject, thresholds)
    for state, sample in zip((memory.sizes, memory.scans), samples(found)):
        if sample is not None:
            depth.keep(state, sample)


def _left_out(
    found: Contents, depth: Depth, subject: str, thresholds: Thresholds
) -> Iterator[Check]:
    """What could not be measured without waiting for whoever holds it."""
    if isinstance(found.inventory, Missing) or not {"tables", "indexes"}.intersection(depth.areas):
        return
    held = [table["quoted"] for table in found.inventory.tables if table["held"]]
    if held:
        summary = f"Another session locks {pluralize(len(held), 'table')}, such as {held[0]}, so only what the last vacuum or analyze has noted is known of it"
        more = {
            **host_port(subject, [{"table": name} for name in held]),
            "remedy": "Look again when that session is done; the area 'locks' shows who waits for it.",
        }
        yield thresholds.verdict("postgres.inspection", UNKNOWN, summary, **more)


def _elsewhere(name: str, connection: Connection, memory: Memory, areas: Sequence[str]) -> Contents:
    """What lies in a database to which a connection of its own is needed."""
    target = replace(connection.target, params={**connection.target.params, "dbname": name})
    with closing(Connection(target, connection.application, connection.deadline)) as other:
        try:
            other.open()
            other.begin("itself", "SELECT 1")
            return collect_database(other, memory, areas)
        except DeadlineExceeded:
            connection.question = f"{other.question} in database '{name}'"
            raise
