# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the verdicts on a host share."""

from __future__ import annotations

from typing import Any

from ..core.check import STATUSES, UNKNOWN, Check
from ..core.thresholds import Thresholds
from ..core.units import format_value
from .snapshot import Snapshot

_FACTS = {
    "cpu": "Processor times",
    "memory": "Memory figures",
    "load": "The load average",
    "oom_kills": "The count of OOM kills",
    "clock": "The state of the clock",
}


def could_not_be_read(name: str, snapshot: Snapshot, fact: str, thresholds: Thresholds) -> Check:
    """The check of a fact that is missing from the snapshot."""
    reason = snapshot.missing.get(fact, "the kernel does not report it")
    return thresholds.verdict(
        name,
        UNKNOWN,
        f"{_FACTS[fact]} could not be read: {reason}",
        remedy="Check that /proc is mounted, and that this user has permission to read it.",
    )


def pressure_row(snapshot: Snapshot, resource: str, what: str) -> list[dict[str, Any]]:
    """How much of the last minute tasks waited; no row if the kernel does not report it."""
    pressure = snapshot.pressure.get(resource)
    if pressure is None:
        return []
    return [
        {
            "what": f"tasks waiting for {what}",
            "of the last minute": format_value(pressure.minute, "percent"),
        }
    ]


def worse(container: Check, host: Check) -> Check:
    """The check of the container, unless the host machine is in worse shape."""
    if STATUSES.index(host.status) > STATUSES.index(container.status):
        return host
    return container
