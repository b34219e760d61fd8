# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Comparing a restored database with the manifest of its backup."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ...core.units import pluralize
from ..backup.manifest import Manifest, Table
from ..maintenance.worker import StatementFailed, Worker
from .names import identifier
from .queries import EXTENSIONS, INVALID_INDEXES, LARGE_OBJECTS, SEQUENCES

#: Tables that are counted by one query.
BATCH = 20
#: Differences that are named.
SHOWN = 5
UNDEFINED_TABLE = "42P01"


@dataclass(frozen=True)
class Comparison:
    """What differs; nothing if the restored database is the one that was backed up."""

    differences: tuple[str, ...]
    rows: int
    """Rows of all tables together, as restored."""
    notes: tuple[str, ...] = ()
    """What differs and is no loss, such as the version of an extension."""

    @property
    def problem(self) -> str:
        """The first differences in one line; empty if there are none."""
        shown = "; ".join(self.differences[:SHOWN])
        more = len(self.differences) - SHOWN
        return f"{shown}; and {more} more" if more > 0 else shown


def compare(session: Worker, manifest: Manifest, watch: Callable[[], None]) -> Comparison:
    """Count everything in one snapshot; raises like `Worker.ask`."""
    session.ask("the tables", "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
    differences: list[str] = []
    rows = 0
    for start in range(0, len(manifest.tables), BATCH):
        watch()
        batch = manifest.tables[start : start + BATCH]
        for table, count in zip(batch, _counts(session, batch)):
            rows += count or 0 if table.kind != "p" else 0
            differences += _difference(table, count)
    differences += _sequences(session, manifest)
    objects = session.ask("large objects", LARGE_OBJECTS)[0][0]
    if objects != manifest.large_objects:
        differences.append(f"{objects:,} large objects, not {manifest.large_objects:,}")
    lost, notes = _extensions(session, manifest)
    differences += lost
    differences += [
        f"index {name} is not valid" for (name,) in session.ask("the indexes", INVALID_INDEXES)
    ]
    session.ask("the tables", "COMMIT")
    return Comparison(tuple(differences), rows, tuple(notes))


def _counts(session: Worker, tables: Sequence[Table]) -> list[int | None]:
    """The rows of each table; none if there is no such table."""
    parts = [f"(SELECT count(*) FROM {_relation(table)})" for table in tables]
    try:
        session.ask("the tables", "SAVEPOINT counted")
        return list(session.ask("the tables", f"SELECT {', '.join(parts)}")[0])
    except StatementFailed as error:
        if error.sqlstate != UNDEFINED_TABLE:
            raise
        session.ask("the tables", "ROLLBACK TO SAVEPOINT counted")
        if len(tables) == 1:
            return [None]
    return [count for table in tables for count in _counts(session, [table])]


def _relation(table: Table) -> str:
    only = "ONLY " if table.kind == "r" else ""
    return f"{only}{identifier(table.schema)}.{identifier(table.name)}"


def _difference(table: Table, count: int | None) -> list[str]:
    if count == table.rows:
        return []
    where = f"{table.schema}.{table.name}"
    if count is None:
        return [f"{where} is missing"]
    return [f"{where} has {pluralize(count, 'row')}, not {table.rows:,}"]


def _sequences(session: Worker, manifest: Manifest) -> list[str]:
    found = {
        (schema, name): value for schema, name, value in session.ask("the sequences", SEQUENCES)
    }
    different = []
    for schema, name, value in manifest.sequences:
        if (schema, name) not in found:
            different.append(f"sequence {schema}.{name} is missing")
        elif found[schema, name] != value:
            different.append(f"sequence {schema}.{name} is at {found[schema, name]}, not {value}")
    return different


def _extensions(session: Worker, manifest: Manifest) -> tuple[list[str], list[str]]:
    """Extensions that are missing, and those of another version."""
    found = {name: version for name, version, _schema in session.ask("extensions", EXTENSIONS)}
    lost = [
        f"extension {name} is missing" for name, _v, _s in manifest.extensions if name not in found
    ]
    notes = [
        f"extension {name} has version {found[name]}, not {version}"
        for name, version, _schema in manifest.extensions
        if name in found and found[name] != version
    ]
    return lost, notes
