# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Indexes that no query has used for long. Pure."""

from __future__ import annotations

from typing import Any

from ...core.check import OK, UNKNOWN, Check
from ...core.thresholds import Thresholds
from ...core.units import format_duration, format_value, pluralize
from ..bloat import INDEX_SIZE, Row
from ..verdicts import unknown
from .common import DAY, NO_COUNTERS, counted_since, evidence_of
from .index_use import IndexUse, WholeIndex
from .snapshot import LastRun

NAME = "postgres.unused_indexes"


def unused_indexes(
    use: IndexUse, last_run: LastRun, subject: str, thresholds: Thresholds, unused_after: float
) -> Check:
    if not use.usage.track_counts:
        return unknown(NAME, NO_COUNTERS, thresholds, subject)
    idle = _idle(use, last_run, max(unused_after, 1.0) * DAY)
    proven = {oid for oid, seconds in idle.items() if seconds >= unused_after * DAY}
    if use.usage.since is None:
        proven = {oid for oid in proven if use.wholes[oid].scans}
    doubt = _doubt(use, last_run, bool(proven), unused_after)
    # If some are proven unused, those that are too new to judge are not named.
    candidates = proven
    if doubt and not proven:
        candidates = set(idle)
    droppable = _droppable(candidates, use)
    found = sorted((use.wholes[oid] for oid in droppable), key=lambda whole: -whole.bytes)
    more = _fields(found, idle, use, subject)
    if not found:
        summary = "Every large index has been used, is needed for another reason, or is too new"
        return thresholds.evaluate(NAME, 0, f"{summary} to judge", **more)
    total = sum(whole.bytes for whole in found)
    count = pluralize(len(found), "index", "indexes")
    period = f" for {unused_after:g} days" if proven and unused_after else ""
    summary = f"{count} of {format_value(total, 'bytes')} not used by any query{period}"
    summary += f", such as {found[0].index['quoted']}"
    check = thresholds.evaluate(NAME, total, summary, **more)
    if check.status == OK or not doubt:
        return check
    reason, remedy = doubt
    if remedy is None:
        return thresholds.not_judged(NAME, summary, reason, value=total, **more)
    return thresholds.verdict(NAME, UNKNOWN, f"{summary}; but {reason}", remedy=remedy, **more)


def _fields(
    found: list[WholeIndex], idle: dict[int, float], use: IndexUse, subject: str
) -> dict[str, Any]:
    """Window, subject and evidence of the check."""
    rows = [
        {
            "index": whole.index["quoted"],
            "table": whole.index["table_name"],
            "bytes": whole.bytes,
            "unused_days": int(idle[whole.index["oid"]] // DAY),
            "drop": whole.drop,
        }
        for whole in found
    ]
    window = counted_since(use.usage, use.inventory.facts["now"])
    return {"window": window, **evidence_of(subject, rows)}


def _idle(use: IndexUse, last_run: LastRun, unused_for: float) -> dict[int, float]:
    """Indexes without a scan, or with none for so many seconds; and how long that is known.

    An index that stays in place of a redundant one is not idle.
    """
    usage, now = use.usage, use.inventory.facts["now"]
    stays = {usage.indexes[oid]["top"] or oid for oid in use.redundant.values()}
    found: dict[int, float] = {}
    for oid, whole in use.wholes.items():
        if oid in stays or not _counts(whole):
            continue
        if not whole.scans:
            known = last_run.index_age(oid)
            if usage.since is not None:
                known = max(0.0, min(known, now - usage.since))
            found[oid] = known
        elif whole.last is not None and now - whole.last >= unused_for:
            found[oid] = now - whole.last
    return found


def _counts(whole: WholeIndex) -> bool:
    """Whether an index is large and only queries need it.

    One on an expression gives the planner statistics even if no query scans it.
    """
    only_queries = whole.index["valid"] and not whole.kept and not whole.row["expressions"]
    return bool(only_queries and whole.bytes >= INDEX_SIZE)


def _doubt(
    use: IndexUse, last_run: LastRun, proven: bool, unused_after: float
) -> tuple[str, str | None] | None:
    """Why an index without a scan may be in use all the same, and what to do about it.

    Nothing is to be done if only time is missing.
    """
    facts, since = use.inventory.facts, use.usage.since
    if not proven and since is None:
        return f"there is no run from {unused_after:g} days ago to compare with", None
    if not proven and since is not None and facts["now"] - since < unused_after * DAY:
        age = format_duration(max(0.0, facts["now"] - since))
        return f"the statistics are only {age} old; they must cover {unused_after:g} days", None
    if not proven and not any(last_run.index_age(oid) >= unused_after * DAY for oid in use.wholes):
        return f"there is no run from {unused_after:g} days ago to compare with", None
    remedy = "Run the review on the primary and on each standby; drop what all of them name."
    if facts["standby"]:
        return (
            "this is a standby: its primary and other standbys have counters of their own",
            remedy,
        )
    if facts["standbys"]:
        return "its standbys have counters of their own", remedy
    return None


def _droppable(candidates: set[int], use: IndexUse) -> set[int]:
    """Those without which every foreign key still has an index.

    Without one, deleting rows of the other table is slow.
    """
    left, redundant = set(candidates), set(use.redundant)
    by_table = _usable_for_foreign_keys(use)
    for key in use.usage.foreign_keys:
        columns = set(key["columns"])
        serving = set()
        for row in by_table.get(key["table"], ()):
            if set(row["keys"][: row["key_count"]][: len(columns)]) == columns:
                serving.add(row["top"] or row["oid"])
        if left & serving and not serving - left - redundant:
            left.discard(min(left & serving, key=lambda oid: _rather_keep(oid, use)))
    return left


def _rather_keep(oid: int, use: IndexUse) -> tuple[bool, int, int]:
    """Sorts first the index that should stay: not redundant, with few columns, small."""
    whole = use.wholes[oid]
    return oid in use.redundant, whole.row["key_count"], whole.bytes


def _usable_for_foreign_keys(use: IndexUse) -> dict[int, list[Row]]:
    """By table, the valid B-trees without a predicate."""
    found: dict[int, list[Row]] = {}
    for row in use.usage.indexes.values():
        index = use.inventory.relations.get(row["oid"])
        if index and index["valid"] and index["method"] == "btree" and not row["predicate"]:
            found.setdefault(row["table"], []).append(row)
    return found
