# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Subscriptions on the server that subscribes: whether each one applies what it should. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from ...core.check import CRITICAL, WARNING, Check
from ...core.errors import NotCollected
from ...core.thresholds import Thresholds
from ...core.units import format_duration, pluralize
from ..verdicts import unknown
from .replay import silence
from .snapshot import Row, Wal

NAME = "postgres.replication"
#: Seconds that a worker must live to count as one that works, and that the server must run
#: before the age of a worker means anything.
STABLE, SETTLED = 15.0, 20.0

LOG = "PostgreSQL's log on this server names the reason (logical replication apply worker)"


def subscriptions(wal: Wal, facts: Row, thresholds: Thresholds) -> Iterator[Check]:
    """One check for each subscription."""
    if isinstance(wal.subscriptions, NotCollected):
        yield unknown(NAME, wal.subscriptions, thresholds, "subscriptions")
        return
    uptime = facts["now"] - facts["started"]
    for row in wal.subscriptions:
        check = _subscription(row, uptime, thresholds)
        if check:
            yield check


def _subscription(row: Row, uptime: float, thresholds: Thresholds) -> Check | None:
    """Its check; none for one that is detached from its publisher."""
    if not row["enabled"] and not row["slot"]:
        return None
    keys = ("database", "enabled", "apply_errors", "sync_errors", "worker_seconds", "copying")
    evidence = ({key: row[key] for key in keys if row[key] is not None},)
    subject = f"subscription {row['name']}"
    problem = _problem(row, uptime)
    if problem:
        status, summary, remedy = problem
        return thresholds.verdict(
            NAME, status, summary, subject=subject, remedy=remedy, evidence=evidence
        )
    silent = silence(row)
    age = max(0.0, silent or row["message_seconds"] or 0.0)
    summary = f"Subscription '{row['name']}' receives, the last message is {_age(age)} old"
    remedy = ""
    if silent is not None:
        summary = (
            f"Subscription '{row['name']}' has received nothing for {_age(age)}, although its "
            "worker runs"
        )
        remedy = f"See whether the publisher answers, and what the worker waits for; {LOG}."
    if row["copying"]:
        summary += f"; {pluralize(row['copying'], 'table')} still to be copied"
    value = round(silent or 0.0, 1)
    return thresholds.evaluate(
        NAME, value, summary, subject=subject, remedy=remedy, evidence=evidence
    )


def _problem(row: Row, uptime: float) -> tuple[str, str, str] | None:
    """Status, summary and remedy."""
    name, errors = row["name"], (row["apply_errors"] or 0) + (row["sync_errors"] or 0)
    failed = f"{pluralize(errors, 'error')} so far" if errors else ""
    if not row["enabled"]:
        if row["gives_up"] and errors:
            summary = f"Subscription '{name}' switched itself off after an error (disable_on_error)"
            remedy = f"{LOG}. Repair it, then ALTER SUBSCRIPTION {name} ENABLE."
            return CRITICAL, summary, remedy
        summary = f"Subscription '{name}' is disabled, while its publisher keeps WAL for it"
        remedy = f"ALTER SUBSCRIPTION {name} ENABLE; if it is no longer needed, drop it."
        return WARNING, summary, remedy
    if uptime < SETTLED:
        return None
    remedy = (
        f"{LOG}: a conflict such as a duplicate key, or no connection to the publisher. Until it "
        "is repaired, the publisher keeps WAL."
    )
    young = row["worker_seconds"] is not None and row["worker_seconds"] < STABLE
    if errors and (young or not row["working"]):
        summary = f"The worker of subscription '{name}' fails again and again: {failed}"
        return CRITICAL, summary, remedy
    if not row["working"]:
        return CRITICAL, f"Subscription '{name}' has no worker, so it applies nothing", remedy
    if row["copying"] and row["sync_errors"]:
        tables = pluralize(row["copying"], "table")
        summary = f"Subscription '{name}' fails to copy {tables}: {row['sync_errors']:,} errors"
        return CRITICAL, summary, remedy
    return None


def _age(seconds: float) -> str:
    return format_duration(seconds)
