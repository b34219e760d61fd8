# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Check app.restarts: how often the instances restarted since the last run."""

from __future__ import annotations

from typing import Any

from ..core.check import OK, Check
from ..core.state import Delta
from ..core.thresholds import Thresholds
from ..core.units import format_duration
from .instance import ERRORED, WAITING, App
from .liveness import evidence_rows, is_crash_looping
from .snapshot import Snapshot


def assess_restarts(app: App, snapshot: Snapshot, thresholds: Thresholds) -> Check:
    """Restarts since the last run. The first run can only judge what PM2's totals prove."""
    delta, now = snapshot.restarts_of(app.label), snapshot.taken
    count = max(delta.counters.values(), default=0)
    details: dict[str, Any] = {
        "subject": app.label,
        "window": delta.window,
        "evidence": evidence_rows(app.instances, now) if count else (),
    }
    if _is_conclusive(app, snapshot, thresholds, count):
        return thresholds.evaluate("app.restarts", count, _summary(app, delta, count), **details)
    times = _times(count)
    if not any(row.restarted_by_pm2 for row in app.instances):
        created = min(row.created or now for row in app.instances)
        since = f"since it was started on purpose {format_duration(max(0.0, now - created))} ago"
        details["window"] = since
        summary = f"no restarts {since}; restarted {times} in total"
        return thresholds.evaluate("app.restarts", 0, summary, **details)
    logged = _logged_exits(app, snapshot)
    if logged is not None:
        details["window"] = "24 h"
        text = f"exited and was restarted {_times(logged)}" if logged else "did not exit"
        summary = f"the app {text} in the last 24 h, by PM2's own log"
        return thresholds.evaluate("app.restarts", logged, summary, **details)
    return thresholds.not_judged(
        "app.restarts",
        f"restarted {times} since it was added to PM2, on purpose or not",
        "the next run can count those since this one",
        value=count,
        **details,
    )


def _logged_exits(app: App, snapshot: Snapshot) -> int | None:
    """Restarts after an exit of the worst instance within a day; none if pm2.log is too short."""
    start = snapshot.taken - 86400
    if snapshot.history.since is None:
        return None
    counts = [len(snapshot.history.exits_of(row.pm_id, start)) for row in app.instances]
    count = max(counts, default=0)
    created = min(row.created or snapshot.taken for row in app.instances)
    return count if snapshot.history.since <= max(start, created + 1) or count else None


def _is_conclusive(app: App, snapshot: Snapshot, thresholds: Thresholds, count: float) -> bool:
    """Whether the count can be judged, although it may cover the app's whole time under PM2."""
    if snapshot.restarts_of(app.label).since_last_run or not count:
        return True
    if thresholds.of("app.restarts", app.label).status_of(count) == OK:
        return True
    return any(
        row.status in (ERRORED, WAITING) or is_crash_looping(row, snapshot) for row in app.instances
    )


def _summary(app: App, delta: Delta, count: float) -> str:
    when = "since it was added to PM2"
    if delta.since_last_run:
        when = f"since the last run {format_duration(delta.seconds)} ago"
    if not count:
        return f"no restarts {when}"
    text = f"was restarted {_times(count)} {when}"
    note = "including restarts on purpose"
    if len(app.instances) == 1:
        return f"the app {text}, {note}"
    most = max(app.instances, key=lambda row: delta.counters.get(str(row.pm_id), 0))
    return f"id {most.pm_id} {text}, the most of {len(app.instances)} instances, {note}"


def _times(count: float) -> str:
    return "once" if count == 1 else f"{count:.0f} times"
