# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Counts, sizes and durations as people write them."""

from __future__ import annotations


def pluralize(count: int, what: str, more: str = "") -> str:
    """A count with its noun: ``1 table``, ``1,200 tables``; ``more`` is an irregular plural."""
    return f"{count:,} {what if count == 1 else more or what + 's'}"


def format_value(value: float | None, unit: str = "") -> str:
    """A value with its unit: ``1.5 GiB``, ``12 ms``, ``93 %``, ``1,300,000``."""
    if value is None:
        return "–"
    if unit == "bytes":
        return _bytes(value)
    if unit == "seconds":
        return _seconds(value)
    whole = float(value).is_integer() or abs(value) >= 100
    number = f"{value:,.0f}" if whole else f"{value:.3g}"
    if unit == "percent":
        return f"{number} %"
    if unit == "days":
        return f"{number} day" if number == "1" else f"{number} days"
    return number


def format_duration(seconds: float) -> str:
    """A duration in the one or two units that matter: ``9 days``, ``3 h 20 min``.

    A negative one is the difference of two clocks, and counts as none.
    """
    seconds = max(0.0, seconds)
    minutes, hours, days = int(seconds // 60), int(seconds // 3600), int(seconds // 86400)
    if days >= 2:
        return f"{days} days"
    if hours >= 1:
        return f"{hours} h {minutes % 60} min" if minutes % 60 else f"{hours} h"
    if minutes >= 1:
        return f"{minutes} min"
    return f"{seconds:.0f} s" if seconds >= 10 else f"{seconds:.2g} s"


def iso_duration(seconds: float) -> str:
    """A duration in ISO 8601, to the minute: ``PT24H``, ``PT5M``."""
    hours, minutes = divmod(round(seconds / 60), 60)
    return "PT" + (f"{hours}H" if hours else "") + (f"{minutes}M" if minutes or not hours else "")


def _bytes(value: float) -> str:
    for name in ("B", "KiB", "MiB", "GiB"):
        if abs(value) < 1024:
            whole = name == "B" or abs(value) >= 100
            return f"{value:.0f} {name}" if whole else f"{value:.3g} {name}"
        value /= 1024
    return f"{value:,.1f} TiB"


def _seconds(value: float) -> str:
    size = abs(value)
    if size < 0.001 and size > 0:
        return f"{value * 1e6:.0f} µs"
    if size < 1:
        return f"{value * 1000:.3g} ms"
    if size < 120:
        return f"{value:.3g} s"
    if size < 7200:
        return f"{value / 60:.0f} min"
    if size < 172800:
        return f"{value / 3600:.0f} h"
    return f"{value / 86400:,.0f} days"
