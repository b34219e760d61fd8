# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Comparing a restored database with the manifest of its backup. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from ...core.units import pluralize
from ..backup.contents import Contents
from ..backup.manifest import Manifest

#: Differences that are named.
SHOWN = 5
_MATERIALISED = "m"
_PARTITIONED = "p"


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


def compare(found: Contents, manifest: Manifest, invalid_indexes: list[str]) -> Comparison:
    """What of the backup is not in the restored database as it was."""
    differences = [*_tables(found, manifest), *_sequences(found, manifest)]
    if found.large_objects != manifest.large_objects:
        differences.append(
            f"{pluralize(found.large_objects, 'large object')}, not {manifest.large_objects:,}"
        )
    versions = {name: version for name, version, _schema in found.extensions}
    notes = list(_refreshed(found, manifest))
    for name, version, _schema in manifest.extensions:
        if name not in versions:
            differences.append(f"extension {name} is missing")
        elif versions[name] != version:
            notes.append(f"extension {name} has version {versions[name]}, not {version}")
    differences += [f"index {name} is not valid" for name in invalid_indexes]
    return Comparison(tuple(differences), rows_of(found), tuple(notes))


def rows_of(contents: Contents | Manifest) -> int:
    """Rows of all tables; those of a partitioned table are its partitions'."""
    return sum(table.rows for table in contents.tables if table.kind != _PARTITIONED)


def _tables(found: Contents, manifest: Manifest) -> Iterator[str]:
    rows = {(table.schema, table.name): table.rows for table in found.tables}
    for table in manifest.tables:
        where = f"{table.schema}.{table.name}"
        count = rows.get((table.schema, table.name))
        if count is None:
            yield f"{where} is missing"
        elif count != table.rows and table.kind != _MATERIALISED:
            yield f"{where} has {pluralize(count, 'row')}, not {table.rows:,}"


def _refreshed(found: Contents, manifest: Manifest) -> Iterator[str]:
    """Materialised views that were outdated: a restore computes them anew."""
    rows = {(table.schema, table.name): table.rows for table in found.tables}
    for table in manifest.tables:
        count = rows.get((table.schema, table.name), table.rows)
        if table.kind == _MATERIALISED and count != table.rows:
            yield (
                f"materialised view {table.schema}.{table.name} was refreshed: "
                f"{pluralize(count, 'row')}, not {table.rows:,}"
            )


def _sequences(found: Contents, manifest: Manifest) -> Iterator[str]:
    """Sequences that would give numbers again; pg_dump may have read a later value."""
    values = {(schema, name): value for schema, name, value in found.sequences}
    for schema, name, value in manifest.sequences:
        now = values.get((schema, name))
        if (schema, name) not in values:
            yield f"sequence {schema}.{name} is missing"
        elif value is not None and now is None:
            yield f"sequence {schema}.{name} was never used, and not at {value}"
        elif value is not None and now is not None and 0 <= now < value:
            yield f"sequence {schema}.{name} is at {now}, not {value}"
