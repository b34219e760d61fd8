# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether a database has what it needs now."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

from ...core.check import (
    CRITICAL,
    DONE,
    FAILED,
    OK,
    PLANNED,
    SKIPPED,
    UNKNOWN,
    WARNING,
    Action,
    Check,
)
from ...core.thresholds import Thresholds
from ...core.units import format_duration, format_value, pluralize
from ..relations import Inventory
from .indexes import without_estimate
from .options import OPERATIONS, Options
from .plan import Plan
from .results import Results

CHECK = "postgres.maintenance"
_PLANNED_WORDS = {
    "cleanup": "to drop",
    "freeze": "to freeze",
    "vacuum": "to vacuum",
    "analyze": "to analyze",
    "reindex": "to rebuild",
}
_DONE_WORDS = {
    "cleanup": "dropped",
    "freeze": "frozen",
    "vacuum": "vacuumed",
    "analyze": "analyzed",
    "reindex": "rebuilt",
}


def verify(
    inventory: Inventory,
    actions: Sequence[Action],
    options: Options,
    thresholds: Thresholds,
    results: Results,
    problem: str = "",
) -> Check:
    """The verdict on a database after a run; ``problem`` is why the run failed."""
    what = _described(inventory, options)
    evidence = _skipped_evidence(actions)
    if problem:
        summary = f"{what[0].upper()}{what[1:]}: {problem}"
        return thresholds.verdict(CHECK, CRITICAL, summary, evidence=evidence)
    if not actions:
        return _nothing_needed(inventory, options, thresholds)
    summary = f"In {what}: {count(actions)}{_freed(actions)}{_remarks(inventory, results)}"
    skipped = [action for action in actions if action.status == SKIPPED]
    if results.held:
        relation, holder = results.held[0]
        more = f" and {len(results.held) - 1} more" if len(results.held) > 1 else ""
        remedy = (
            "End what holds them (the oldest transaction, prepared transaction or replication "
            "slot), then run it again."
        )
        summary += f"; dead rows stay in {relation}{more}, because of {holder}"
        return thresholds.verdict(CHECK, WARNING, summary, remedy=remedy, evidence=evidence)
    if skipped:
        summary += f"; {skipped[0].subject}: {skipped[0].reason}"
        return thresholds.verdict(CHECK, WARNING, summary, evidence=evidence)
    return thresholds.verdict(CHECK, OK, summary)


def foresee(
    inventory: Inventory,
    plan: Plan,
    actions: Sequence[Action],
    options: Options,
    thresholds: Thresholds,
) -> Check:
    """The verdict on a database in check mode, in which nothing is carried out."""
    if not plan.wanted:
        return verify(inventory, actions, options, thresholds, Results())
    seconds = format_duration(plan.seconds / options.jobs)
    what = _described(inventory, options)
    return thresholds.verdict(
        CHECK,
        WARNING,
        f"In {what}: {count(actions)}, about {seconds} of work",
        remedy="To carry it out, run it without --check.",
        evidence=_skipped_evidence(actions),
    )


def count(actions: Sequence[Action]) -> str:
    """``3 rebuilt, 1 failed, 2 skipped``."""
    found = Counter((action.status, action.name.split(".")[1]) for action in actions)
    parts = []
    for (status, operation), number in found.items():
        if status == DONE:
            parts.append(f"{number:,} {_DONE_WORDS[operation]}")
        elif status == PLANNED:
            parts.append(f"{number:,} {_PLANNED_WORDS[operation]}")
    for status in (FAILED, SKIPPED):
        number = sum(action.status == status for action in actions)
        if number:
            parts.append(f"{number:,} {status}")
    return ", ".join(parts)


def _nothing_needed(inventory: Inventory, options: Options, thresholds: Thresholds) -> Check:
    what = _described(inventory, options)
    unknown = without_estimate(inventory, options)
    if not unknown:
        return thresholds.verdict(CHECK, OK, f"Nothing in {what} needs maintenance")
    indexes = pluralize(len(unknown), "large index", "large indexes")
    return thresholds.verdict(
        CHECK,
        UNKNOWN,
        f"Nothing in {what} is known to need maintenance, but the bloat of {indexes} is unknown: "
        f"{unknown[0]}",
        remedy="ANALYZE their tables, GRANT this role SELECT on them, or install pgstattuple in "
        "the database and grant pg_stat_scan_tables.",
        evidence=tuple({"relation": name} for name in unknown),
    )


def _described(inventory: Inventory, options: Options) -> str:
    """The database, and what the run was limited to."""
    limits = [
        f"{name} {', '.join(patterns)}"
        for name, patterns in (("only", options.only), ("without", options.exclude))
        if patterns
    ]
    if set(options.operations) != set(OPERATIONS):
        limits.append(f"operations {', '.join(options.operations)}")
    text = f"database '{inventory.database}' ({inventory.summary})"
    return f"{text}, {'; '.join(limits)}" if limits else text


def _freed(actions: Sequence[Action]) -> str:
    freed = sum(action.bytes or 0 for action in actions if action.status == DONE)
    return f", {format_value(freed, 'bytes')} freed" if freed > 0 else ""


def _remarks(inventory: Inventory, results: Results) -> str:
    text = ""
    if results.paused >= 1:
        text += f"; paused for {format_duration(results.paused)} until standbys had caught up"
    if results.lag_hidden:
        role = inventory.facts["role"]
        text += f"; standby lag could not be seen: GRANT pg_monitor TO {role}"
    return text


def _skipped_evidence(actions: Sequence[Action]) -> tuple[dict[str, Any], ...]:
    return tuple(
        {"relation": action.subject, "skipped": action.reason}
        for action in actions
        if action.status == SKIPPED
    )
