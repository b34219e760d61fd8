# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is known of a check before anything is measured: its meaning, remedy, unit and thresholds.

The thresholds are those of the runbook's tables "System Metrics to Monitor" and "Performance Benchmarks". Where a
table gives one limit, it is the warning and the critical threshold is a default beyond it; where it gives Target and
Acceptable, these are warning and critical. A threshold that the runbook does not give names its source.
"""

from __future__ import annotations

from dataclasses import dataclass

from .check import CRITICAL, OK, WARNING

METRICS = "runbook, System Metrics to Monitor"
BENCHMARKS = "runbook, Performance Benchmarks"


#: What the names of checks begin with, and how the report calls it.
COMPONENTS = {
    "host": "Host",
    "app": "App",
    "web": "Web",
    "certificate": "Certificates",
    "postgres": "PostgreSQL",
    "redis": "Redis",
    "runbook": "Steps of the playbook",
}


@dataclass(frozen=True)
class Threshold:
    """The warning and critical level of one check; a missing level never applies."""

    warning: float | None = None
    critical: float | None = None
    below: bool = False
    """Values below the levels are bad, and not those above."""

    def status_of(self, value: float) -> str:
        for status, level in ((CRITICAL, self.critical), (WARNING, self.warning)):
            if level is not None and (value < level if self.below else value > level):
                return status
        return OK


@dataclass(frozen=True)
class Definition:
    """One check: what it means, what to do about it, and the levels it is judged by."""

    meaning: str
    remedy: str
    unit: str = ""
    threshold: Threshold = Threshold()
    source: str = ""
    """Where the thresholds come from; empty for a check that is a plain yes or no."""


def above(warning: float | None, critical: float | None) -> Threshold:
    """Values above these levels are bad."""
    return Threshold(warning, critical)


def below(warning: float, critical: float) -> Threshold:
    """Values below these levels are bad."""
    return Threshold(warning, critical, below=True)
