# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Pressure stall information: how long tasks waited for a resource."""

from __future__ import annotations

from dataclasses import dataclass

from .proc import read_text


@dataclass(frozen=True)
class Pressure:
    """Percent of the time in which at least one task waited."""

    minute: float
    """Of the last minute."""
    five_minutes: float


def read_pressure(path: str) -> Pressure | None:
    """From a file such as /proc/pressure/cpu; none if the kernel does not keep these figures."""
    try:
        fields = dict(
            field.split("=") for field in read_text(path).splitlines()[0].split()[1:] if field
        )
        return Pressure(float(fields["avg60"]), float(fields["avg300"]))
    except (OSError, LookupError, ValueError):
        return None
