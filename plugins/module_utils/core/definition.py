# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The definition of a check: its meaning, remedy, unit and thresholds.

The thresholds come from the runbook's tables "System Metrics to Monitor" and "Performance
Benchmarks". If a table gives one limit, it is the warning, and critical is a default beyond it;
if it gives Target and Acceptable, these are warning and critical. A threshold that is not the
runbook's names its source.
"""

from __future__ import annotations

from dataclasses import dataclass

from .check import ABOVE, BELOW, CRITICAL, OK, WARNING

METRICS = "runbook, System Metrics to Monitor"
BENCHMARKS = "runbook, Performance Benchmarks"

#: The components that names of checks start with, and their titles in the report.
COMPONENTS = {
    "host": "Host",
    "app": "App",
    "release": "Releases",
    "vercel": "Vercel",
    "npm": "npm packages",
    "web": "Web",
    "certificate": "Certificates",
    "postgres": "PostgreSQL",
    "redis": "Redis",
    "backup": "Backups",
    "logs": "Logs",
    "maintenance": "Maintenance",
    "runbook": "Steps of the playbook",
}


@dataclass(frozen=True)
class Threshold:
    """The warning and critical level of one check; a level that is none never applies."""

    warning: float | None = None
    critical: float | None = None
    below: bool = False
    """Whether values below the levels are bad; otherwise those above are."""

    @property
    def direction(self) -> str:
        """``above`` or ``below``: where values are bad; empty if there is no level."""
        if self.warning is None and self.critical is None:
            return ""
        return BELOW if self.below else ABOVE

    def status_of(self, value: float) -> str:
        """``ok``, ``warning`` or ``critical``; a value equal to a level is not beyond it."""
        for status, level in ((CRITICAL, self.critical), (WARNING, self.warning)):
            if level is not None and (value < level if self.below else value > level):
                return status
        return OK


@dataclass(frozen=True)
class Definition:
    """One check: what it means, what to do about it, and its thresholds."""

    meaning: str
    """What is true if the check is ok, or what its value is; a sentence."""
    remedy: str
    """What to do if it is not ok; a sentence."""
    unit: str = ""
    """One of `UNITS`."""
    threshold: Threshold = Threshold()
    source: str = ""
    """Where the thresholds come from; empty for a check without thresholds."""


def above(warning: float | None, critical: float | None) -> Threshold:
    """Values above these levels are bad."""
    return Threshold(warning, critical)


def below(warning: float, critical: float) -> Threshold:
    """Values below these levels are bad."""
    return Threshold(warning, critical, below=True)
