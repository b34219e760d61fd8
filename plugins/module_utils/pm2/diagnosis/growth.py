# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Checks app.memory_growth and app.open_files: what grows, and how long until a limit."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median
from typing import Any

from ...core.check import UNKNOWN, Check
from ...core.thresholds import Thresholds
from ...core.units import format_duration, format_value
from .signs import HEAP, MEMORY_LIMIT
from .snapshot import Snapshot, Trend

_MIB = 1 << 20
#: Growth in the window below which memory counts as steady: bytes, and share of the memory.
_LEAST_BYTES = 8 * _MIB
_LEAST_SHARE = 0.05
#: The window has so many parts, and memory must grow from each to the next.
_PARTS = 4
#: Growth in the last step, as a share of that in an average step: a heap that warms up slows down.
_STEADY = 0.5


def growth(trend: Trend) -> float:
    """Bytes a second by which the memory grows steadily; 0 if it does not."""
    sizes = [look.usage.resident for look in trend.looks]
    length = len(sizes) // _PARTS
    if length < 2:
        return 0.0
    sizes = sizes[-length * _PARTS :]
    levels = [median(sizes[part * length : (part + 1) * length]) for part in range(_PARTS)]
    steps = [after - before for before, after in zip(levels, levels[1:])]
    total = levels[-1] - levels[0]
    if total < max(_LEAST_BYTES, _LEAST_SHARE * levels[0]) or min(steps) <= 0:
        return 0.0
    if steps[-1] < _STEADY * total / len(steps):
        return 0.0
    return total / (trend.seconds * (_PARTS - 1) / _PARTS)


def assess_growth(snapshot: Snapshot, thresholds: Thresholds) -> Check:
    """The instance that reaches its limit first."""
    label = snapshot.app.label
    more: dict[str, Any] = {
        "subject": label,
        "window": f"{snapshot.seconds:.0f} s",
        "evidence": [_row(trend) for trend in snapshot.trends],
    }
    growing = [trend for trend in snapshot.trends if growth(trend)]
    if not growing:
        return _steady(snapshot, thresholds, more)
    soonest = min(growing, key=_seconds_left)
    pm_id, rate = soonest.instance.pm_id, format_value(60 * growth(soonest), "bytes")
    summary = f"id {pm_id} grows by {rate} a minute, steadily, to {_size(soonest)} now"
    where, remedy = _where(soonest)
    summary += f"; {where}"
    if len(snapshot.trends) > 1:
        summary += f"; {len(growing)} of {len(snapshot.trends)} instances grow"
    if soonest.limit is None:
        return thresholds.not_judged("app.memory_growth", summary, "there is no limit", **more)
    left = _seconds_left(soonest)
    summary += f"; reaches its limit of {format_value(soonest.limit, 'bytes')} in "
    summary += format_duration(left)
    return thresholds.evaluate("app.memory_growth", round(left), summary, remedy=remedy, **more)


def _steady(snapshot: Snapshot, thresholds: Thresholds, more: dict[str, Any]) -> Check:
    largest = max(snapshot.trends, key=lambda trend: trend.last.resident)
    summary = f"no instance grows steadily, the largest uses {_size(largest)}"
    ended = snapshot.signs.count(HEAP, MEMORY_LIMIT)
    if ended:
        # It was restarted, so the memory is still low.
        summary += f"; but it has run out of memory {ended:,} times before, see app.log_signs"
    reason = f"a slow leak does not show in {snapshot.seconds:.0f} s"
    return thresholds.not_judged("app.memory_growth", summary, reason, **more)


def _where(trend: Trend) -> tuple[str, str]:
    """Which memory grows, and the remedy that follows from it."""
    before, after = (each.figures.get("heap_used") for each in (trend.before, trend.after))
    grown = trend.last.resident - trend.first.resident
    if before is None or after is None or not trend.has_reported:
        return "whether the JavaScript heap grows is not reported", ""
    heap = after - before
    if heap >= grown / 2:
        text = f"the JavaScript heap grows with it, by {format_value(heap, 'bytes')}"
        return text, ""
    return (
        f"the JavaScript heap does not ({format_value(after, 'bytes')}): memory outside it, such "
        "as buffers",
        "A heap snapshot does not show it: look for buffers, streams and native add-ons; "
        "'external' and 'arrayBuffers' of process.memoryUsage() in a profile "
        "(-e app_profile_cpu=true) tell buffers from add-ons.",
    )


def _seconds_left(trend: Trend) -> float:
    if trend.limit is None:
        return float("inf")
    return max(0.0, trend.limit - trend.last.resident) / growth(trend)


def _size(trend: Trend) -> str:
    return format_value(trend.last.resident, "bytes")


def _row(trend: Trend) -> dict[str, object]:
    figures = trend.after.figures
    return {
        "id": trend.instance.pm_id,
        "memory_before": format_value(trend.first.resident, "bytes"),
        "memory": _size(trend),
        "heap_used": format_value(figures.get("heap_used"), "bytes"),
        "heap_total": format_value(figures.get("heap_total"), "bytes"),
        "limit": format_value(trend.limit, "bytes"),
    }


def assess_files(snapshot: Snapshot, thresholds: Thresholds) -> Check:
    """The instance that is closest to its limit of open files."""
    label = snapshot.app.label
    known = [trend for trend in snapshot.trends if trend.last.files is not None]
    if not known:
        return thresholds.verdict(
            "app.open_files",
            UNKNOWN,
            "this user lacks permission to see the app's open files",
            subject=label,
            remedy="Run this module as the user who owns PM2: set app_user in the inventory.",
        )
    evidence = [_files_row(trend) for trend in known]
    limited = [trend for trend in known if trend.last.file_limit]
    if not limited:
        count = max(len(trend.last.files or {}) for trend in known)
        return thresholds.not_judged(
            "app.open_files",
            f"at most {count:,} open",
            "there is no limit",
            subject=label,
            evidence=evidence,
        )
    fullest = max(limited, key=_share)
    count, limit = len(fullest.last.files or {}), fullest.last.file_limit
    summary = f"id {fullest.instance.pm_id} has {count:,} of {limit:,} open files and sockets"
    return thresholds.evaluate(
        "app.open_files", round(_share(fullest), 1), summary, subject=label, evidence=evidence
    )


def _share(trend: Trend) -> float:
    return 100 * len(trend.last.files or {}) / (trend.last.file_limit or 1)


def _files_row(trend: Trend) -> dict[str, object]:
    before, after = (
        list((trend.first.files or {}).values()),
        list((trend.last.files or {}).values()),
    )
    return {
        "id": trend.instance.pm_id,
        "open_before": len(before),
        "open": len(after),
        "sockets": _count(after, "socket:"),
        "files": _count(after, "/"),
        "limit": trend.last.file_limit,
        "connections": ", ".join(f"{count} to {peer}" for peer, count in trend.peers),
    }


def _count(targets: Sequence[str], prefix: str) -> int:
    return sum(target.startswith(prefix) for target in targets)
