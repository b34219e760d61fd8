# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A review: the in-depth checks of a server, then of one database after another."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from fnmatch import fnmatchcase
from typing import Any

from ...core.check import OK, UNKNOWN, Check
from ...core.deadline import DeadlineExceeded
from ...core.errors import NotCollected, Unreachable, UsageError
from ...core.thresholds import Thresholds
from ...core.units import pluralize
from ..connection import Connection
from ..health.collect import attempt
from ..health.databases import checksum_failures
from ..health.snapshot import Snapshot
from ..verdicts import unknown
from .autovacuum import autovacuum
from .collations import collations, other_databases
from .collect import collect_configuration, collect_database, collect_locks
from .common import evidence_of
from .history import DatabaseHistory
from .indexes import indexes
from .lock_waits import blocked
from .options import DATABASE_AREAS, SERVER, Options
from .queries import DATABASES
from .settings import settings, without_autovacuum
from .snapshot import NOT_REQUESTED, Configuration, DatabaseSnapshot
from .statements import slow_statements, transactions
from .tables import tables
from .xmin_horizon import xmin_horizon

INSPECTION = "postgres.inspection"


def review(
    options: Options,
    connection: Connection,
    server: Snapshot,
    thresholds: Thresholds,
    module: Any,
) -> Iterator[Check]:
    """The checks of the requested areas, each as soon as it is known.

    The connection is in its transaction, and ``server`` is what the daily checks saw in it;
    ``module`` is the Ansible module.
    """
    configuration: Configuration | NotCollected = NOT_REQUESTED
    try:
        names = _database_names(options, connection)
        if options.includes("locks"):
            locks = collect_locks(connection)
            yield blocked(locks, server.facts, thresholds)
            yield from xmin_horizon(locks, server.facts, thresholds)
        if options.includes("statements"):
            yield slow_statements(server.statements, server.facts, thresholds)
            yield from transactions(server.databases, thresholds)
        if options.includes("settings"):
            configuration = attempt(lambda: collect_configuration(connection))
            yield from settings(configuration, server.facts, thresholds)
            yield from _checksums(options, server, thresholds)
            yield from other_databases(configuration, names, thresholds)
        if connection.database not in names:
            connection.end()  # it would stay open while other databases are inspected
    except Unreachable as error:
        summary = f"The server was lost: {error}"
        yield thresholds.verdict(INSPECTION, UNKNOWN, summary, remedy=error.remedy)
        return
    if options.includes(*DATABASE_AREAS):
        yield from _databases(names, options, connection, configuration, server, thresholds, module)


def _checksums(options: Options, server: Snapshot, thresholds: Thresholds) -> Iterator[Check]:
    """The daily check, unless the daily checks are requested as well."""
    if options.includes(SERVER):
        return
    if isinstance(server.databases, NotCollected):
        yield unknown("postgres.checksum_failures", server.databases, thresholds)
    else:
        yield checksum_failures(server.databases, thresholds)


def no_answer(connection: Connection, thresholds: Thresholds) -> Check:
    """The error for a time limit that expired after the server had answered."""
    summary = (
        f"The timeout of {connection.deadline.seconds:g} s expired while PostgreSQL was asked "
        f"about {connection.question}, so the rest is unknown"
    )
    remedy = "Raise timeout, or request fewer areas or databases at a time."
    return thresholds.verdict(INSPECTION, UNKNOWN, summary, remedy=remedy)


def _database_names(options: Options, connection: Connection) -> list[str]:
    """The databases to inspect, the connection's own first.

    Raises `UsageError` for a pattern that matches none.
    """
    own, patterns = connection.database, options.databases
    if not patterns:
        return [own]
    try:
        names = [row[0] for row in connection.rows("its databases", DATABASES)]
    except NotCollected:
        names = [own]
    for pattern in patterns:
        if not any(fnmatchcase(name, pattern) for name in names):
            raise UsageError(
                f"databases: no database of this server matches {pattern!r}; there are "
                f"{', '.join(names)}"
            )
    chosen = [name for name in names if options.wants(name)]
    if not chosen:
        raise UsageError("ignore_databases: leaves out every database that databases matches")
    return sorted(chosen, key=lambda name: (name != own, name))


def _databases(
    names: list[str],
    options: Options,
    connection: Connection,
    configuration: Configuration | NotCollected,
    server: Snapshot,
    thresholds: Thresholds,
    module: Any,
) -> Iterator[Check]:
    """The checks of each database, and which databases could be inspected."""
    inspected = []
    for name in names:
        subject = f"database {name}"
        history = DatabaseHistory(options.state_dir, connection.target.address, name)
        try:
            snapshot = _collect(name, options, connection, history)
        except Unreachable as error:
            more = {"subject": subject, "remedy": error.remedy}
            yield thresholds.verdict(INSPECTION, UNKNOWN, f"Not inspected: {error}", **more)
            continue
        inspected.append(name)
        checks = [
            *_assess(snapshot, subject, options, server, thresholds),
            *_assess_settings(snapshot, name, subject, options, configuration, thresholds),
            *_locked(snapshot, subject, options, thresholds),
        ]
        history.store(snapshot, module)
        yield from checks
    summary = f"{pluralize(len(inspected), 'database')} inspected"
    if inspected:
        summary += f": {', '.join(inspected[:10])}"
    yield thresholds.verdict(INSPECTION, OK if inspected else UNKNOWN, summary)


def _collect(
    name: str, options: Options, connection: Connection, history: DatabaseHistory
) -> DatabaseSnapshot:
    """The contents of a database, over a connection of its own if it is another one."""
    if name == connection.database:
        return collect_database(options, connection, history)
    target = replace(connection.target, params={**connection.target.params, "dbname": name})
    with closing(Connection(target, connection.application, connection.deadline)) as other:
        try:
            other.open()
            other.begin("itself", "SELECT 1")
            return collect_database(options, other, history)
        except DeadlineExceeded:
            connection.question = f"{other.question} in database '{name}'"
            raise


def _assess(
    snapshot: DatabaseSnapshot,
    subject: str,
    options: Options,
    server: Snapshot,
    thresholds: Thresholds,
) -> Iterator[Check]:
    if options.includes("vacuum"):
        yield from autovacuum(snapshot, subject, thresholds)
    if options.includes("tables"):
        yield from tables(snapshot, subject, thresholds)
    if options.includes("indexes"):
        days = options.unused_after
        yield from indexes(snapshot, subject, thresholds, server.statements, days)


def _assess_settings(
    snapshot: DatabaseSnapshot,
    name: str,
    subject: str,
    options: Options,
    configuration: Configuration | NotCollected,
    thresholds: Thresholds,
) -> Iterator[Check]:
    if options.includes("settings"):
        yield collations(configuration, snapshot, name, subject, thresholds)
        yield from without_autovacuum(snapshot, subject, thresholds)


def _locked(
    snapshot: DatabaseSnapshot, subject: str, options: Options, thresholds: Thresholds
) -> Iterator[Check]:
    """Tables that could not be measured without waiting for a session that has locked them."""
    if isinstance(snapshot.inventory, NotCollected) or not options.includes("tables", "indexes"):
        return
    names = [table["quoted"] for table in snapshot.inventory.tables if table["held"]]
    if not names:
        return
    tables_locked = pluralize(len(names), "table")
    summary = (
        f"Another session locks {tables_locked}, such as {names[0]}, so only what the last vacuum "
        "or analyze recorded is known of it"
    )
    remedy = "Check again once that session is done; the area 'locks' shows who waits for it."
    more = evidence_of(subject, [{"table": name} for name in names])
    yield thresholds.verdict(INSPECTION, UNKNOWN, summary, remedy=remedy, **more)
