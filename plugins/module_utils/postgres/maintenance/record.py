# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Records the result of a statement: freed space, dead rows that stayed, leftovers, errors."""

from __future__ import annotations

import time
from contextlib import suppress
from dataclasses import replace
from typing import Any

from ...core.check import DONE, FAILED, SKIPPED
from ...core.deadline import DeadlineExceeded
from ...core.errors import Unreachable
from ...core.units import format_duration
from ..relations import LEFTOVER, Inventory
from ..worker import StatementFailed, Worker
from ..xmin_horizon import describe_holder, xmin_holders
from .queries import SEES_ALL_SESSIONS
from .results import Results
from .running import RelationState, RunningStatement, index_oid, invalid_indexes, relation_state
from .schedule import Schedule
from .step import Step

#: Seconds after which PostgreSQL 14 shows in its statistics what a statement has changed; later
#: versions show it at once.
STATISTICS_DELAY = 0.6

QUERY_CANCELED, UNIQUE_VIOLATION, DISK_FULL = "57014", "23505", "53100"
#: Undefined table, object or schema: it was dropped in the meantime.
GONE = ("42P01", "42704", "3F000")
DUPLICATE_KEYS = (
    "several rows have the same key (find them with GROUP BY ... HAVING count(*) > 1): "
    "remove them, or drop the index"
)


def is_rebuilt(control: Worker, statement: RunningStatement) -> bool:
    """Whether the new index is in use although the statement failed.

    A rebuild can be cancelled while it waits for readers of the old index.
    """
    step = statement.step
    if step.operation != "reindex":
        return False
    try:
        return index_oid(control, step.quoted) not in (None, step.relation)
    except StatementFailed:
        return False


def record_success(
    control: Worker,
    inventory: Inventory,
    results: Results,
    statement: RunningStatement,
    seconds: float,
) -> None:
    """Add what a statement has achieved."""
    step, before = statement.step, statement.before
    if step.operation == "cleanup":
        results.add(step, DONE, before=before.bytes, after=0, bytes=before.bytes, seconds=seconds)
        return
    after = _state_after(control, inventory, statement)
    results.measure(step, seconds - statement.waited)
    freed: dict[str, Any] = {"bytes": before.bytes - after.bytes, "seconds": seconds}
    if step.operation == "analyze":
        results.add(step, DONE, seconds=seconds)
    elif step.operation == "reindex":
        results.add(step, DONE, before=before.bytes, after=after.bytes, **freed)
    else:
        reason = _dead_rows_left(control, inventory, results, statement, after)
        results.add(step, DONE, reason, **_vacuum_effect(step, before, after), **freed)


def record_failure(
    results: Results,
    schedule: Schedule,
    statement: RunningStatement,
    error: StatementFailed,
    seconds: float,
) -> None:
    """Add why a statement failed, or try a cancelled one once more."""
    step = statement.step
    if error.sqlstate == QUERY_CANCELED and statement.cancelled:
        if statement.may_retry:
            after = f"cancelled once after {format_duration(seconds)}: {statement.cancelled}"
            schedule.retry_later(replace(step, reason=f"{step.reason}; {after}"))
        else:
            results.add(step, SKIPPED, statement.cancelled, seconds=seconds)
    elif error.sqlstate in GONE:
        results.add(step, SKIPPED, "it no longer exists", seconds=seconds)
    elif error.sqlstate == UNIQUE_VIOLATION:
        results.add(step, FAILED, f"{error}: {DUPLICATE_KEYS}", seconds=seconds)
    else:
        results.add(step, FAILED, str(error), seconds=seconds)
        if error.sqlstate == DISK_FULL:
            # Another rebuild would fail like this one, and the app with it.
            results.skip(schedule, lambda each: each.operation == "reindex", "the disk is full")


def schedule_cleanup(control: Worker, schedule: Schedule, statement: RunningStatement) -> None:
    """Drop next what a rebuild that did not end well has left behind."""
    step = statement.step
    if step.operation != "reindex":
        return
    with suppress(Unreachable, DeadlineExceeded, StatementFailed):
        for index in invalid_indexes(control, step.table):
            if index.oid not in statement.known_invalid and LEFTOVER.search(index.name):
                reason = f"left behind by the rebuild of {step.quoted}"
                schedule.add_first(
                    Step("cleanup", step.table, index.quoted, reason, relation=index.oid)
                )


def _state_after(
    control: Worker, inventory: Inventory, statement: RunningStatement
) -> RelationState:
    """The relation as it is now; as it was before if that cannot be found out."""
    step = statement.step
    if step.operation != "reindex" and inventory.facts["version"] < 150000:
        time.sleep(STATISTICS_DELAY)
    try:
        oid = index_oid(control, step.quoted) if step.operation == "reindex" else None
        return relation_state(control, oid or step.oid) or statement.before
    except StatementFailed:
        return statement.before


def _vacuum_effect(step: Step, before: RelationState, after: RelationState) -> dict[str, Any]:
    if step.operation == "freeze":
        return {"before": f"xid_age {before.xid_age}", "after": f"xid_age {after.xid_age}"}
    return {"before": f"dead_rows {before.dead_rows}", "after": f"dead_rows {after.dead_rows}"}


def _dead_rows_left(
    control: Worker,
    inventory: Inventory,
    results: Results,
    statement: RunningStatement,
    after: RelationState,
) -> str:
    """Which dead rows a vacuum could not remove, and why; empty if it removed nearly all."""
    if after.dead_rows <= max(1000, statement.before.dead_rows / 10):
        return ""
    holder = _holder(control, inventory, statement)
    if not holder:
        return ""
    results.held.append((statement.step.quoted, holder))
    return f"{after.dead_rows:,} dead rows could not be removed, because of {holder}"


def _holder(control: Worker, inventory: Inventory, statement: RunningStatement) -> str:
    """What older than a vacuum kept it from removing dead rows.

    Empty if there is nothing older: then the rows have died since.
    """
    try:
        holders = xmin_holders(control.ask, inventory.database)
    except StatementFailed:
        return "a transaction that could not be seen"
    age = time.monotonic() - statement.started
    for holder in holders:
        if holder["seconds"] is None or holder["seconds"] > age:
            return describe_holder(holder)
    if control.ask("itself", SEES_ALL_SESSIONS)[0][0]:
        return ""
    return "a transaction that this role lacks permission to see (GRANT pg_monitor shows it)"
