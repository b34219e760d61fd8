# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Checks app.memory_growth and app.open_files: what grows, and how long until a limit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ...core.check import UNKNOWN, Check
from ...core.thresholds import Thresholds
from ...core.units import format_duration, format_value
from .signs import HEAP, MEMORY_LIMIT
from .snapshot import AS_OWNER, Snapshot, Trend

_MIB = 1 << 20
#: Growth in the window below which memory counts as steady: bytes, and share of it.
_LEAST_BYTES = 16 * _MIB
_LEAST_SHARE = 0.1
#: JavaScript heaps below this are still warming up.
_SMALL_HEAP = 64 * _MIB
#: Growth without which only a full garbage collection tells garbage from a leak, as V8 collects
#: before that; and seconds of a window in which several take place.
_BEYOND_GARBAGE = 2.5
_SEVERAL_COLLECTIONS = 120.0
#: Without the figures of the heap, a process under load warms up by so much.
_WARM_UP = 160 * _MIB
#: The window has so many parts, and the least memory of each must be above that of the one before.
_PARTS = 3
#: Growth in the last step, as a share of an average step: what warms up slows down.
_STEADY = 0.5

HEAP_GROWS, OUTSIDE_GROWS, SOMETHING_GROWS = "heap", "outside", "something"


@dataclass(frozen=True)
class Growth:
    """Memory that grows steadily."""

    what: str
    rate: float
    """Bytes a second."""
    factor: float
    """How large the last level is, as a multiple of the first."""
    amount: float
    """Bytes in the window."""


def growth(trend: Trend) -> Growth | None:
    """What grows steadily in an instance; none if nothing does.

    The memory of a process grows under load until V8 has found its size. So the figures that count
    are the least heap in use of each part of the window, which is what collections leave, and the
    memory outside the heap.
    """
    looks = [look for look in trend.looks if "heap_used" in look.figures]
    if len(looks) < len(trend.looks) / 2 or not trend.has_reported:
        sizes = [float(look.usage.resident) for look in trend.looks]
        found = _levels(SOMETHING_GROWS, sizes, trend.seconds)
        return found if found and found.amount >= _WARM_UP else None
    used = [look.figures["heap_used"] for look in looks]
    total = [look.figures.get("heap_total", look.figures["heap_used"]) for look in looks]
    outside = [look.usage.resident - size for look, size in zip(looks, total)]
    heap = _levels(HEAP_GROWS, used, trend.seconds)
    if heap and max(used) >= _SMALL_HEAP:
        return heap
    found = _levels(OUTSIDE_GROWS, outside, trend.seconds)
    # PM2's figures are seconds old: a growing heap shows in the resident memory first.
    return found if found and found.amount > total[-1] - total[0] else None


def _levels(what: str, sizes: Sequence[float], seconds: float) -> Growth | None:
    """The growth of these sizes, if it is steady."""
    length = len(sizes) // _PARTS
    if length < 2:
        return None
    sizes = sizes[-length * _PARTS :]
    parts = [sizes[part * length : (part + 1) * length] for part in range(_PARTS)]
    levels = [min(part) for part in parts]
    steps = [after - before for before, after in zip(levels, levels[1:])]
    amount = levels[-1] - levels[0]
    if amount < max(_LEAST_BYTES, _LEAST_SHARE * levels[0]) or levels[-1] <= max(parts[0]):
        return None
    if min(steps) <= 0 or steps[-1] < _STEADY * amount / len(steps):
        return None
    rate = amount / (seconds * (_PARTS - 1) / _PARTS)
    return Growth(what, rate, levels[-1] / max(1.0, levels[0]), amount)


def assess_growth(snapshot: Snapshot, thresholds: Thresholds) -> Check:
    """The instance that reaches its limit first."""
    label = snapshot.app.label
    more: dict[str, Any] = {
        "subject": label,
        "window": f"{snapshot.seconds:.0f} s",
        "evidence": [_row(trend) for trend in snapshot.trends],
    }
    growing = [(found, trend) for trend in snapshot.trends if (found := growth(trend))]
    if not growing:
        return _steady(snapshot, thresholds, more)
    found, soonest = min(growing, key=lambda each: _seconds_left(*each))
    pm_id, rate = soonest.instance.pm_id, format_value(60 * found.rate, "bytes")
    where, remedy = _where(found)
    summary = f"id {pm_id} uses {_size(soonest)}, {where} by {rate} a minute, steadily"
    if len(snapshot.trends) > 1:
        summary += f"; {len(growing)} of {len(snapshot.trends)} instances grow"
    if soonest.limit is None:
        return thresholds.not_judged("app.memory_growth", summary, "there is no limit", **more)
    left = _seconds_left(found, soonest)
    limit = format_value(soonest.limit, "bytes")
    summary += f"; at this rate it reaches its limit of {limit} in {format_duration(left)}"
    if not _is_proven(found, snapshot):
        return thresholds.not_judged(
            "app.memory_growth",
            summary,
            "only a full garbage collection tells a leak from garbage; watch for longer (-e "
            "app_diagnosis_window=300)",
            **more,
        )
    return thresholds.evaluate("app.memory_growth", round(left), summary, remedy=remedy, **more)


def _is_proven(found: Growth, snapshot: Snapshot) -> bool:
    """Whether it is more than the garbage that V8 lets pile up between two full collections."""
    return (
        found.what != HEAP_GROWS
        or found.factor >= _BEYOND_GARBAGE
        or snapshot.seconds >= _SEVERAL_COLLECTIONS
        or snapshot.signs.count(HEAP, MEMORY_LIMIT) > 0
    )


def _steady(snapshot: Snapshot, thresholds: Thresholds, more: dict[str, Any]) -> Check:
    largest = max(snapshot.trends, key=lambda trend: trend.last.resident)
    summary = f"no instance grows steadily, the largest uses {_size(largest)}"
    ended = snapshot.signs.count(HEAP, MEMORY_LIMIT)
    if ended:
        # It was restarted, so the memory is still low.
        summary += f"; but it has run out of memory {ended:,} times before, see app.log_signs"
    reason = f"a slow leak does not show in {snapshot.seconds:.0f} s"
    return thresholds.not_judged("app.memory_growth", summary, reason, **more)


def _where(found: Growth) -> tuple[str, str]:
    """Which memory grows, and the remedy that follows from it."""
    if found.what == HEAP_GROWS:
        return "and its JavaScript heap grows", ""
    if found.what == OUTSIDE_GROWS:
        return (
            "and its memory outside the JavaScript heap grows (buffers, native add-ons)",
            "A heap snapshot hardly shows it: look for buffers and streams that are kept, and for "
            "native add-ons. 'external' and 'arrayBuffers' in app.heap (-e app_profile_cpu=true) "
            "tell buffers from add-ons.",
        )
    return "and grows; the app reports no figures of its heap to PM2", ""


def _seconds_left(found: Growth, trend: Trend) -> float:
    if trend.limit is None:
        return float("inf")
    return max(0.0, trend.limit - trend.last.resident) / found.rate


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
            remedy=AS_OWNER,
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
    before, after = (list((usage.files or {}).values()) for usage in (trend.first, trend.last))
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
