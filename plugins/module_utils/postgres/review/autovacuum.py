# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What autovacuum has left undone: tables without vacuum, and without statistics. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ...core.check import Check
from ...core.errors import NotCollected
from ...core.state import SPACING
from ...core.thresholds import Thresholds
from ...core.units import format_duration, pluralize
from ..autovacuum import (
    dead_rows,
    inserted_rows,
    outdated_statistics,
    vacuum_threshold,
    with_partitions,
)
from ..bloat import Row
from ..relations import Inventory
from ..verdicts import unknown
from ..xmin_horizon import still_held
from .common import NO_COUNTERS, SHOWN, counted_since
from .snapshot import TOTAL, DatabaseSnapshot

#: Seconds without a vacuum or analyze after which more is missing than autovacuum's next round.
OVERDUE = 3600
#: Values of a storage parameter or a setting that mean no.
OFF = {"off", "false", "no", "0", "f", "n"}
#: Bytes below which a table needs no statistics.
SMALL = 1024**2
VACUUM, ANALYZE = "vacuum", "analyze"


@dataclass(frozen=True)
class Due:
    """A table that autovacuum should vacuum or analyze at this moment, and why."""

    table: Row
    reason: str
    rank: float
    forced: bool = False
    """Whether autovacuum comes even where it is off: against wraparound."""

    @property
    def oid(self) -> int:
        return int(self.table["oid"])

    @property
    def quoted(self) -> str:
        return str(self.table["quoted"])


def due_tables(inventory: Inventory) -> Mapping[str, Sequence[Due]]:
    """What is due for `VACUUM` and for `ANALYZE`, the most urgent first.

    Tables that are being vacuumed or analyzed right now are left out.
    """
    idle = [table for table in inventory.tables if not table["worked"]]
    forced: list[Due] = []
    vacuums: list[Due] = []
    for table in idle:
        freeze = _due_for_freeze(table, inventory)
        if freeze:
            forced.append(freeze)
        elif not table["partitioned"]:
            vacuums += _due_for_vacuum(table, inventory)
    by_rank = sorted(forced, key=_descending), sorted(vacuums, key=_descending)
    return {VACUUM: [*by_rank[0], *by_rank[1]], ANALYZE: _due_for_analyze(idle, inventory)}


def _descending(due: Due) -> float:
    return -due.rank


def _due_for_freeze(table: Row, inventory: Inventory) -> Due | None:
    """A table's own parameter can only lower the age at which autovacuum is forced."""
    for key, name, default, kind in (
        ("xid_age", "autovacuum_freeze_max_age", 200_000_000, "transaction"),
        ("mxid_age", "autovacuum_multixact_freeze_max_age", 400_000_000, "multixact"),
    ):
        limit = float((inventory.facts["settings"] or {}).get(name, default))
        own = (table["options"] or {}).get(name)
        if own is not None:
            limit = min(limit, float(own))
        age = table[key] or 0
        if age > limit:
            reason = f"its oldest {kind} ID is {age:,} IDs old, beyond {name} ({limit:,.0f})"
            return Due(table, reason, age, forced=True)
    return None


def _due_for_vacuum(table: Row, inventory: Inventory) -> list[Due]:
    if (table["dead"] or 0) > vacuum_threshold(table, inventory):
        share, reason = dead_rows(table)
        held = still_held(table["vacuumed"], inventory.holders, inventory.facts["now"])
        if held:
            reason = f"{reason}; {held}"
        return [Due(table, reason, table["bytes"] * share / 100)]
    reason = inserted_rows(table, inventory)
    return [Due(table, reason, 0)] if reason else []


def _due_for_analyze(tables: Sequence[Row], inventory: Inventory) -> list[Due]:
    """A partitioned table, which autovacuum never analyzes, stands for its partitions."""
    found = []
    for table, parts in with_partitions(tables):
        reason = outdated_statistics(table, parts, inventory)
        if reason:
            found.append(Due(table, reason, sum(part["modified"] or 0 for part in parts)))
    due = {each.oid for each in found}
    found = [each for each in found if due.isdisjoint(each.table["parents"] or ())]
    return sorted(found, key=_descending)


def autovacuum(snapshot: DatabaseSnapshot, subject: str, thresholds: Thresholds) -> Iterator[Check]:
    """Tables that autovacuum should have vacuumed or analyzed; a standby relies on its primary."""
    inventory = _countable(snapshot)
    names = {VACUUM: "postgres.vacuum_due", ANALYZE: "postgres.statistics_due"}
    if isinstance(inventory, Inventory) and inventory.facts["standby"]:
        reason = "a standby does not count dead rows and changes; check the primary"
        for name in names.values():
            yield thresholds.not_judged(name, "A standby", reason, subject=subject)
        return
    if isinstance(inventory, NotCollected):
        for name in names.values():
            yield unknown(name, inventory, thresholds, subject)
        return
    for kind, due in due_tables(inventory).items():
        overdue = [each for each in due if _is_overdue(each.table, kind, inventory)]
        yield _overdue(names[kind], kind, overdue, snapshot, inventory, subject, thresholds)


def _countable(snapshot: DatabaseSnapshot) -> Inventory | NotCollected:
    """The inventory, or why its dead rows and changes are not counted."""
    inventory, usage = snapshot.inventory, snapshot.usage
    if isinstance(inventory, NotCollected):
        return inventory
    if not isinstance(usage, NotCollected) and not usage.track_counts:
        return NO_COUNTERS
    return inventory


def _overdue(
    name: str,
    kind: str,
    due: Sequence[Due],
    snapshot: DatabaseSnapshot,
    inventory: Inventory,
    subject: str,
    thresholds: Thresholds,
) -> Check:
    """A table counts if it was due at the last run as well, or if autovacuum will never come.

    Autovacuum's next round can be more than a minute away.
    """
    last = snapshot.last_run.sizes
    late = [
        each for each in due if f"due {kind} {each.oid}" in last or _is_never(each, kind, inventory)
    ]
    rows = [
        {"table": each.quoted, "reason": each.reason, "bytes": each.table["bytes"]}
        for each in late or due
    ]
    window = counted_since(snapshot.usage, inventory.facts["now"])
    more: dict[str, Any] = {"window": window, "subject": subject}
    if late:
        summary = f"{pluralize(len(late), 'table')}; {late[0].quoted}: {late[0].reason}"
        return thresholds.evaluate(name, len(late), summary, evidence=tuple(rows[:SHOWN]), **more)
    if due and TOTAL not in last:
        now = f"{pluralize(len(due), 'table')} at this moment, such as {due[0].quoted}"
        reason = f"a run in {format_duration(SPACING)} or later shows whether autovacuum is late"
        more.update(value=len(due), evidence=tuple(rows[:SHOWN]))
        return thresholds.not_judged(name, f"{now}: {due[0].reason}", reason, **more)
    well = "No table has more to vacuum than autovacuum allows"
    if kind == ANALYZE:
        well = "All tables have their statistics"
    return thresholds.evaluate(name, 0, well, **more)


def _is_overdue(table: Row, kind: str, inventory: Inventory) -> bool:
    """Whether the last one is long ago; autovacuum ignores a small table that does not change."""
    last = table["vacuumed" if kind == VACUUM else "analyzed"]
    if last is not None:
        return bool(inventory.facts["now"] - last > OVERDUE)
    return bool(table["partitioned"] or table["bytes"] >= SMALL)


def _is_never(due: Due, kind: str, inventory: Inventory) -> bool:
    """Whether autovacuum never comes: it is off, or the table is partitioned."""
    if due.table["partitioned"] and kind == ANALYZE:
        return True
    own = (due.table["options"] or {}).get("autovacuum_enabled")
    server = (inventory.facts["settings"] or {}).get("autovacuum")
    off = str(own).lower() in OFF or str(server).lower() in OFF
    return off and not due.forced
