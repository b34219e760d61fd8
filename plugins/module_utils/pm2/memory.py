# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Check app.memory: how close the instances are to the limit at which PM2 restarts them."""

from __future__ import annotations

from ..core.check import UNKNOWN, Check
from ..core.thresholds import Thresholds
from ..core.units import format_value
from .instance import App, Instance


def assess_memory(app: App, thresholds: Thresholds) -> Check:
    """The online instance that is closest to its limit; not judged if none has a limit."""
    measured = [row for row in app.online if row.memory]
    if not measured:
        return thresholds.verdict(
            "app.memory",
            UNKNOWN,
            "neither PM2 nor the kernel reported how much memory it uses",
            subject=app.label,
            remedy="Check with 'pm2 monit'.",
        )
    limited = [row for row in measured if row.memory_limit]
    if not limited:
        return thresholds.not_judged(
            "app.memory",
            _summary_without_limit(measured),
            "PM2 has no limit for it (max_memory_restart in the ecosystem file)",
            subject=app.label,
            evidence=[_evidence_row(row) for row in measured],
        )
    fullest = max(limited, key=_share)
    return thresholds.evaluate(
        "app.memory",
        round(100 * _share(fullest), 1),
        _summary(fullest, len(measured)),
        subject=app.label,
        evidence=[_evidence_row(row) for row in measured],
    )


def _share(row: Instance) -> float:
    return row.memory / (row.memory_limit or 1)


def _summary(fullest: Instance, instances: int) -> str:
    used = format_value(fullest.memory, "bytes")
    limit = format_value(fullest.memory_limit, "bytes")
    text = f"uses {used} of the {limit} at which PM2 restarts it"
    if instances == 1:
        return f"the app {text}"
    return f"id {fullest.pm_id} {text}, the highest share of {instances} instances"


def _summary_without_limit(measured: list[Instance]) -> str:
    largest = max(measured, key=lambda row: row.memory)
    used = format_value(largest.memory, "bytes")
    if len(measured) == 1:
        return f"the app uses {used}"
    return f"id {largest.pm_id} uses {used}, the most of {len(measured)} instances"


def _evidence_row(row: Instance) -> dict[str, object]:
    return {
        "id": row.pm_id,
        "memory": format_value(row.memory, "bytes"),
        "limit": format_value(row.memory_limit, "bytes"),
    }
