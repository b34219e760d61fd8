# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a review keeps of a database for the next run: sizes, ages, what is due, and counters."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ...core.errors import NotCollected
from ...core.state import Sample, StateFile, interval, now_sample, store_sample
from ..bloat import INDEX_SIZE
from ..relations import Inventory
from .autovacuum import due_tables
from .snapshot import (
    TABLE_SIZE,
    TOTAL,
    DatabaseSnapshot,
    LastRun,
    Usage,
    table_scans,
    total_sizes,
)


class DatabaseHistory:
    """What the last run kept of one database: sizes, which nothing resets, and counters."""

    def __init__(self, directory: str | None, address: str, database: str) -> None:
        service = f"{address}/{database}"
        self.sizes = StateFile(directory, "pg_review_sizes", service)
        self.scans = StateFile(directory, "pg_review_scans", service)

    def last_run(self, usage: Usage | NotCollected) -> LastRun:
        now = now_sample("", {})
        scans = None
        if not isinstance(usage, NotCollected):
            scans = _latest(self.scans, str(usage.since))
        sizes = _latest(self.sizes, "")
        if sizes is None:
            return LastRun(scans=scans)
        return LastRun(sizes.counters, interval(sizes, now), now.time - sizes.time, scans)

    def store(self, snapshot: DatabaseSnapshot, module: Any) -> None:
        """Keep what the snapshot has for the next run; ``module`` is the Ansible module."""
        for state, sample in zip((self.sizes, self.scans), samples(snapshot)):
            if sample is not None:
                store_sample(module, state, sample)


def _latest(state: StateFile, epoch: str) -> Sample | None:
    earlier = state.earlier(now_sample(epoch, {}))
    return earlier[0] if earlier else None


def samples(snapshot: DatabaseSnapshot) -> tuple[Sample | None, Sample | None]:
    """Sizes and counters to keep for the next run, as far as they were collected."""
    inventory, usage = snapshot.inventory, snapshot.usage
    if isinstance(inventory, NotCollected):
        return None, None
    sizes = now_sample("", _sizes(snapshot, inventory))
    if isinstance(usage, NotCollected):
        return sizes, None
    scans = {
        f"{key} {table['oid']}": float(value)
        for table in inventory.tables
        if table["bytes"] >= TABLE_SIZE
        for key, value in table_scans(usage, table["oid"]).items()
    }
    return sizes, now_sample(str(usage.since), scans)


def _sizes(snapshot: DatabaseSnapshot, inventory: Inventory) -> Mapping[str, float]:
    """Sizes, what is due, and how long each large index has been known."""
    kept = {TOTAL: inventory.bytes}
    kept.update((str(oid), size) for oid, size in total_sizes(inventory).items())
    usage = snapshot.usage
    rows = {} if isinstance(usage, NotCollected) else usage.indexes
    for index in inventory.indexes:
        large = index["bytes"] >= INDEX_SIZE or index["partitioned"]
        # An index of a partition goes with that of the partitioned table.
        if large and not rows.get(index["oid"], {}).get("top"):
            kept[f"index {index['oid']}"] = snapshot.last_run.index_age(index["oid"])
    for kind, tables in due_tables(inventory).items():
        kept.update((f"due {kind} {due.oid}", 1.0) for due in tables)
    return kept
