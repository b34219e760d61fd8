# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The verdicts on an app that was watched. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime, timezone

from ...core.check import CRITICAL, OK, UNKNOWN, Check
from ...core.thresholds import Thresholds
from ...core.units import pluralize
from .database import assess_database, assess_pool
from .growth import assess_files, assess_growth
from .options import Options
from .processor import assess_cpu, assess_event_loop
from .signs import HEAP, LEAK, MEMORY_LIMIT, RECURSION, Sign
from .snapshot import AS_OWNER, Snapshot

_SIGNS = (HEAP, MEMORY_LIMIT, RECURSION, LEAK)


def assess(
    snapshots: Sequence[Snapshot], options: Options, thresholds: Thresholds
) -> Iterator[Check]:
    """The checks of each app; one if there is no app to watch."""
    found = {snapshot.app.name for snapshot in snapshots}
    for name in [name for name in options.names if name not in found]:
        yield _nothing(name, f"{name} is not in PM2's list", thresholds)
    if not snapshots and not options.names:
        yield _nothing("", "PM2's list contains no app", thresholds)
    for snapshot in snapshots:
        yield from _of_app(snapshot, thresholds)


def _of_app(snapshot: Snapshot, thresholds: Thresholds) -> Iterator[Check]:
    label = snapshot.app.label
    if snapshot.hidden:
        yield thresholds.verdict(
            "app.cpu",
            UNKNOWN,
            "PM2 runs in another container, so its processes cannot be seen from here",
            subject=label,
            remedy="Run this module in that container.",
        )
    elif not snapshot.trends:
        reason = "no instance is online"
        if snapshot.replaced:
            reason = "every instance was restarted while it was watched"
        yield _nothing(label, reason, thresholds)
    else:
        yield assess_cpu(snapshot, thresholds)
        yield assess_event_loop(snapshot, thresholds)
        yield assess_growth(snapshot, thresholds)
        yield assess_files(snapshot, thresholds)
        yield assess_database(snapshot, thresholds)
        pool = assess_pool(snapshot, thresholds)
        if pool:
            yield pool
    yield assess_signs(snapshot, thresholds)


def assess_signs(snapshot: Snapshot, thresholds: Thresholds) -> Check:
    """Messages that point to a leak or to endless recursion."""
    label, signs = snapshot.app.label, snapshot.signs
    found = signs.of(*_SIGNS)
    evidence = [_row(sign) for sign in found]
    if not found and signs.unread:
        return thresholds.verdict(
            "app.log_signs",
            UNKNOWN,
            f"not all logs could be searched: {signs.unread[0]}",
            subject=label,
            remedy=AS_OWNER,
        )
    if not found:
        summary = f"none of {pluralize(signs.searched, 'log')} speaks of the heap, of recursion or "
        summary += "of a leak"
        return thresholds.verdict("app.log_signs", OK, summary, subject=label, value=0)
    count = sum(sign.count for sign in found)
    summary = f"{pluralize(count, 'message')}, most often: {found[0].text}"
    undated = sum(sign.count for sign in found if sign.last is None)
    if undated:
        summary += f"; {undated:,} of unknown age"
    critical = signs.of(HEAP) and thresholds.of("app.log_signs", label).status_of(count) != OK
    if critical:
        return thresholds.verdict(
            "app.log_signs", CRITICAL, summary, subject=label, value=count, evidence=evidence
        )
    return thresholds.evaluate("app.log_signs", count, summary, subject=label, evidence=evidence)


def _row(sign: Sign) -> dict[str, object]:
    return {
        "points_to": sign.kind,
        "message": sign.text,
        "count": sign.count,
        "first": _iso(sign.first),
        "last": _iso(sign.last),
    }


def _iso(moment: float | None) -> str:
    if moment is None:
        return "unknown"
    return f"{datetime.fromtimestamp(moment, timezone.utc):%Y-%m-%dT%H:%M:%SZ}"


def _nothing(label: str, reason: str, thresholds: Thresholds) -> Check:
    return thresholds.verdict(
        "app.cpu",
        UNKNOWN,
        f"nothing could be watched: {reason}",
        subject=label,
        remedy="See app.process: start the app, or correct app_name.",
    )


def unreachable(reason: str, options: Options, thresholds: Thresholds) -> Check:
    """The verdict if PM2 cannot be asked or does not answer."""
    return thresholds.verdict(
        "app.cpu",
        UNKNOWN,
        f"nothing could be watched: {reason}",
        subject=options.subject,
        remedy="See app.process: PM2 must answer first. If it is the wrong folder or user, set "
        "app_user or app_pm2_home.",
    )


#: What `assess` says of an app that was watched; without it, there is no evidence.
COLLECTED = ("app.memory_growth",)


def is_collected(checks: Sequence[Check]) -> bool:
    """Whether evidence of at least one app was collected, and none is missing."""
    watched = {check.subject for check in checks if check.name in COLLECTED}
    failed = [check for check in checks if check.name == "app.cpu" and check.status == UNKNOWN]
    return bool(watched) and not failed
