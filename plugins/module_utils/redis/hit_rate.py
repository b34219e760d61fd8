# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The verdict on the cache hit rate."""

from __future__ import annotations

from ..core.check import Check
from ..core.thresholds import Thresholds
from ..core.units import format_value, pluralize
from .counters import count_and_window
from .options import Options
from .snapshot import Snapshot


def assess_hit_rate(snapshot: Snapshot, options: Options, thresholds: Thresholds) -> Check:
    """``redis.hit_rate``; not judged with too few lookups, or if it may not be a cache."""
    hits, window = count_and_window(snapshot, "keyspace_hits")
    total = hits + count_and_window(snapshot, "keyspace_misses")[0]
    rate = round(100 * hits / total, 1) if total else None
    if total < options.min_lookups:
        return thresholds.not_judged(
            "redis.hit_rate",
            pluralize(total, "lookup") if total else "No lookups",
            f"needs at least {options.min_lookups:,} lookups in one window (min_lookups)",
            value=rate,
            window=window,
        )
    summary = f"{format_value(rate, 'percent')} of {pluralize(total, 'lookup')} found their key"
    if not options.purpose:
        reason = "what it is used for is not declared (redis_purpose)"
        return thresholds.not_judged("redis.hit_rate", summary, reason, value=rate, window=window)
    return thresholds.evaluate("redis.hit_rate", rate, summary, window=window)
