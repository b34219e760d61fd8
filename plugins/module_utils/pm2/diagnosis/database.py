# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Checks app.database and app.pool: whether the app waits for the database, or for itself."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ...core.check import CRITICAL, UNKNOWN, WARNING, Check
from ...core.thresholds import Thresholds
from ...core.units import format_duration, format_value, pluralize
from ...linux.sockets import Connection
from .signs import POOL
from .snapshot import AS_OWNER, Snapshot, Trend

#: Seconds before the window within which a message is about the connections of now.
_NOW = 30.0


def longest_wait(trend: Trend) -> float:
    """Seconds for which a connection waited for the database's answer, in any of the looks."""
    return max((each.waiting for look in trend.looks for each in look.database), default=0.0)


def assess_database(snapshot: Snapshot, thresholds: Thresholds) -> Check:
    """The longest wait for the database."""
    trends = snapshot.trends
    more: dict[str, Any] = {
        "subject": snapshot.app.label,
        "evidence": [_row(trend) for trend in trends],
        "window": f"{snapshot.seconds:.0f} s",
    }
    if not _are_seen(trends):
        return thresholds.verdict(
            "app.database",
            UNKNOWN,
            "this user lacks permission to see the app's connections",
            remedy=AS_OWNER,
            **more,
        )
    last = [each for trend in trends for each in trend.looks[-1].database]
    count = pluralize(len(last), "connection")
    if not any(look.database for trend in trends for look in trend.looks):
        return thresholds.not_judged(
            "app.database", "no TCP connection to a database", "there is nothing to see", **more
        )
    if any(each.silent is None for each in last):
        return thresholds.not_judged(
            "app.database", count, "the kernel does not tell for how long each waits", **more
        )
    slowest = max(trends, key=longest_wait)
    wait = longest_wait(slowest)
    summary = f"{count} to the database, none waits for an answer"
    if wait:
        waiting = max(
            sum(each.waiting > 0 for each in look.database)
            for trend in trends
            for look in trend.looks
        )
        summary = (
            f"{count} to the database; up to {waiting} of an instance waited at once, one for "
            f"{format_value(wait, 'seconds')} (id {slowest.instance.pm_id})"
        )
    return thresholds.evaluate("app.database", round(wait, 3), summary, **more)


def _are_seen(trends: Sequence[Trend]) -> bool:
    """Whether this user may see the connections of every instance."""
    return all(trend.last.files is not None for trend in trends)


def assess_pool(snapshot: Snapshot, thresholds: Thresholds) -> Check | None:
    """Messages of an empty pool, with what its connections do; none if there are none."""
    signs = snapshot.signs.of(POOL)
    count = sum(sign.count for sign in signs)
    if not count:
        return None
    label, trends = snapshot.app.label, snapshot.trends
    evidence = [_row(trend) for trend in trends]
    latest = max((sign.last for sign in signs if sign.last is not None), default=None)
    ago = None if latest is None else max(0.0, snapshot.taken - latest)
    summary = f"{pluralize(count, 'request')} found no free connection in time"
    if ago is not None:
        summary += f", the last {format_duration(ago)} ago"
    cause, remedy = "; what the connections do now says nothing about it", ""
    if ago is not None and ago <= snapshot.seconds + _NOW:
        cause, remedy = _cause(trends, snapshot.seconds)
        cause = f"; {cause}"
    elif latest is not None and all(latest < (trend.instance.started or 0) for trend in trends):
        cause = ", before the app was started again"
    status = CRITICAL if ago is not None and ago <= snapshot.seconds + _NOW else WARNING
    if thresholds.of("app.pool", label).status_of(count) not in (WARNING, CRITICAL):
        return thresholds.evaluate("app.pool", count, summary, subject=label, evidence=evidence)
    return thresholds.verdict(
        "app.pool",
        status,
        f"{summary}{cause}",
        subject=label,
        value=count,
        remedy=remedy,
        evidence=evidence,
    )


def _cause(trends: Sequence[Trend], seconds: float) -> tuple[str, str]:
    """Why no connection was free, and the remedy that follows from it."""
    if not _are_seen(trends):
        return "this user lacks permission to see the app's connections", AS_OWNER
    held = [each for trend in trends for each in trend.looks[-1].database]
    if not held:
        return (
            "no connection to the database is open",
            "Check whether the database accepts connections: playbooks/daily_checklist.yml.",
        )
    if any(each.silent is None for each in held):
        return f"{len(held)} connections are open", ""
    if any(longest_wait(trend) for trend in trends):
        return (
            f"{len(held)} connections are open, and statements are running on them",
            "Find the slow statements (playbooks/database_review.yml); a larger pool only moves "
            "the queue into the database.",
        )
    if all((each.silent or 0) >= seconds for each in held):
        longest = max(each.silent or 0 for each in held)
        return (
            f"all {len(held)} connections are open and silent, one for {format_duration(longest)}: "
            "they were taken from the pool and not returned",
            "A leaking pool: find the code path that takes a client and does not release it (in a "
            "finally block). A restart or playbooks/relieve_connections.yml helps for a while, a "
            "larger pool only delays it.",
        )
    return f"{len(held)} connections are open and in use", "Check for bursts, then the pool's size."


def _row(trend: Trend) -> dict[str, object]:
    first, last = trend.looks[0].database, trend.looks[-1].database
    return {
        "id": trend.instance.pm_id,
        "connections_before": len(first),
        "connections": len(last),
        "waiting": sum(each.waiting > 0 for each in last),
        "silent_longest": _longest(last),
        "longest_wait": format_value(longest_wait(trend), "seconds"),
        "to": ", ".join(sorted({f"{each.peer[0]}:{each.peer[1]}" for each in last})),
    }


def _longest(found: Sequence[Connection]) -> str:
    known = [each.silent for each in found if each.silent is not None]
    return format_duration(max(known)) if known else "–"
