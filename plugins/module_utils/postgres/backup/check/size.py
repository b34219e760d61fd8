# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether a backup is much smaller than those before it. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from statistics import median
from typing import Any

from ....core.check import CRITICAL, Check
from ....core.thresholds import Thresholds
from ....core.units import format_value, pluralize
from .snapshot import Copy, Series

NAME = "backup.size"
#: Earlier backups that the newest one is compared with.
EARLIER = 7


def assess_size(one: Series, thresholds: Thresholds) -> Check | None:
    """``backup.size`` of one database; none without a verified backup."""
    if not one.verified or one.globals:
        return None
    newest = one.verified[-1]
    earlier = [copy for copy in one.verified[:-1] if copy.kind == newest.kind][-EARLIER:]
    size = format_value(newest.bytes, "bytes")
    if not earlier:
        return thresholds.not_judged(
            NAME,
            f"The newest backup has {size}{_rows(newest)}",
            "there is no earlier one of its kind to compare with",
            subject=one.subject,
        )
    usual = median(copy.bytes for copy in earlier)
    percent = 100 * newest.bytes / usual if usual else 100.0
    summary = (
        f"The newest backup has {size}{_rows(newest)}, {format_value(percent, 'percent')} of the"
        f" {'one' if len(earlier) == 1 else f'median of {len(earlier)}'} before it"
    )
    lost = rows_lost(earlier[-1].rows or {}, newest.rows or {})
    more: dict[str, Any] = {
        "subject": one.subject,
        "evidence": [{"table": name, "before": then, "now": left} for name, then, left in lost],
    }
    check = thresholds.evaluate(NAME, round(percent, 1), summary, **more)
    if newest.rows is not None and not sum(newest.rows.values()) and lost:
        return thresholds.verdict(
            NAME,
            CRITICAL,
            f"The newest backup holds no row; the one before it held"
            f" {pluralize(sum((earlier[-1].rows or {}).values()), 'row')}",
            value=check.value,
            **more,
        )
    return check


def _rows(copy: Copy) -> str:
    if copy.rows is None:
        return ""
    tables = pluralize(len(copy.rows), "table")
    return f" with {pluralize(sum(copy.rows.values()), 'row')} in {tables}"


def rows_lost(before: Mapping[str, int], now: Mapping[str, int]) -> list[tuple[str, int, int]]:
    """Tables with fewer rows than before, those that lost most first: name, before, now."""
    fewer = [(name, rows, now.get(name, 0)) for name, rows in before.items()]
    lost = [(name, then, left) for name, then, left in fewer if left < then]
    return sorted(lost, key=lambda item: item[2] - item[1])
