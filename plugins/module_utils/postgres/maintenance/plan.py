# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a database needs, in which order, and what must be left out. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from ...core.errors import UsageError
from ...core.units import format_duration, format_value
from ..relations import Inventory
from .indexes import index_steps
from .options import Options
from .step import Step
from .tables import analyze_steps, vacuum_steps

#: Bytes a second until an earlier run has measured better: a slow disk, at the default cost delay.
DEFAULT_RATES = {"cleanup": 1e9, "freeze": 20e6, "vacuum": 40e6, "analyze": 40e6, "reindex": 20e6}
#: The most urgent operation first.
PRIORITY = ("freeze", "cleanup", "vacuum", "analyze", "reindex")
#: Indexes up to this size, in bytes, are rebuilt where the free disk space is unknown.
UNKNOWN_DISK = 1024**3

#: Why a step is skipped. A statement that waits for autovacuum makes PostgreSQL cancel it, and
#: hours of its work are lost.
IN_USE = "autovacuum, or someone else's VACUUM or ANALYZE, is running on the table"
OLD_STATISTICS = "the statistics of its table are too old to estimate bloat"
DAMAGING_REINDEX = (
    "PostgreSQL 14.0 to 14.3 can damage indexes that are rebuilt concurrently: "
    "install the latest 14 first"
)


@dataclass
class Plan:
    """What to do, in that order."""

    steps: list[Step] = field(default_factory=list)
    """Those to skip among them."""

    @property
    def wanted(self) -> list[Step]:
        """The steps to carry out."""
        return [step for step in self.steps if not step.skip]

    @property
    def seconds(self) -> float:
        """Estimated seconds of work."""
        return sum(step.estimate for step in self.wanted)


def make_plan(
    inventory: Inventory,
    options: Options,
    rates: Mapping[str, float],
    free: Mapping[int, float | None],
) -> Plan:
    """What is needed, ranked, as far as it fits; raises `UsageError` for a pattern without a match.

    ``rates`` are bytes a second by operation, ``free`` the free bytes by tablespace, none if
    that is unknown.
    """
    _require_matches(inventory, options)
    steps = [step for step in _needed(inventory, options) if step.operation in options.operations]
    steps.sort(key=lambda step: (PRIORITY.index(step.operation), -step.rank))
    estimated = [
        replace(step, estimate=step.work / rates.get(step.operation, DEFAULT_RATES[step.operation]))
        for step in steps
    ]
    allowed = [_or_skipped(step, inventory, options, free) for step in estimated]
    return Plan(_within_budget(allowed, options))


def lacks_time(step: Step, left: float) -> str:
    """Why a step does not fit the seconds that are left of the time budget; empty if it does."""
    if step.estimate <= left:
        return ""
    needed, left_text = format_duration(step.estimate), format_duration(max(0.0, left))
    return f"it takes about {needed}, and only {left_text} of the time budget is left"


def lacks_space(step: Step, free: float | None) -> str:
    """Why a step does not fit the free bytes of its tablespace; empty if it does."""
    if free is None or step.space <= free:
        return ""
    needed, free_text = format_value(step.space, "bytes"), format_value(max(0.0, free), "bytes")
    return f"it needs {needed} of disk space, and {free_text} is free"


def _require_matches(inventory: Inventory, options: Options) -> None:
    for pattern in options.only:
        single = replace(options, only=(pattern,), exclude=())
        if not any(single.selects(each) for each in (*inventory.tables, *inventory.indexes)):
            raise UsageError(
                f"only: there is no table or index {pattern!r} in database '{inventory.database}'"
            )


def _needed(inventory: Inventory, options: Options) -> list[Step]:
    """Every step that the selected relations need."""
    tables = [each for each in inventory.tables if options.selects(*inventory.line(each))]
    indexes = [each for each in inventory.indexes if options.selects(*inventory.line(each))]
    steps = [step for index in indexes for step in index_steps(index, inventory, options)]
    for_estimates = {step.table for step in steps if step.unsure and not step.skip}
    for table in tables:
        if not table["partitioned"]:
            steps += vacuum_steps(table, inventory, options)
    return steps + analyze_steps(tables, inventory, for_estimates)


def _or_skipped(
    step: Step, inventory: Inventory, options: Options, free: Mapping[int, float | None]
) -> Step:
    """The step, skipped if permissions, other sessions or the disk do not allow it."""
    if step.skip:
        return step
    return replace(step, skip=_obstacle(step, inventory, options, free))


def _obstacle(
    step: Step, inventory: Inventory, options: Options, free: Mapping[int, float | None]
) -> str:
    relation = inventory.relations[step.oid]
    if not relation["owned" if step.operation == "cleanup" else "mine"]:
        return _lacks_permission(step, inventory)
    if step.table in inventory.by_oid and inventory.by_oid[step.table]["worked"]:
        return IN_USE
    if step.unsure and "analyze" not in options.operations:
        return f"{OLD_STATISTICS}: allow the operation analyze"
    if step.operation == "reindex" and 140000 <= inventory.facts["version"] < 140004:
        return DAMAGING_REINDEX
    free_bytes = free.get(step.tablespace)
    if free_bytes is None and step.space / 2 > UNKNOWN_DISK:
        needed = format_value(step.space, "bytes")
        return f"it needs {needed} of disk space, and how much is free is unknown: set disk_free"
    return lacks_space(step, free_bytes)


def _lacks_permission(step: Step, inventory: Inventory) -> str:
    need = "must be a member of the role that owns the table"
    if inventory.facts["version"] >= 170000 and step.operation != "cleanup":
        need = "needs MAINTAIN on the table"
    verb = {"cleanup": "drop", "reindex": "rebuild"}.get(step.operation, step.operation)
    return f"role '{inventory.facts['role']}' lacks permission to {verb} it: it {need}"


def _within_budget(steps: Sequence[Step], options: Options) -> list[Step]:
    """Steps that do not fit the time left are skipped; a shorter one after them may still fit."""
    left = options.time_budget * options.jobs
    found = []
    for step in steps:
        if not step.skip:
            step = replace(step, skip=lacks_time(step, min(left, options.time_budget)))
        if not step.skip:
            left -= step.estimate
        found.append(step)
    return found
