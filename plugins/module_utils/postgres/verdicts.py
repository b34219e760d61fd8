# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The checks for what PostgreSQL did not answer. Pure."""

from __future__ import annotations

from ..core.check import CRITICAL, UNKNOWN, Check
from ..core.errors import NotCollected, Unreachable
from ..core.thresholds import Thresholds

#: In place of an answer if the time limit passed before the server was asked at all.
OUT_OF_TIME = Unreachable(
    "The time limit passed before PostgreSQL was asked",
    "Raise timeout, or find out what slows down the host that the module runs on.",
)


def unreachable(error: Unreachable, thresholds: Thresholds) -> Check:
    """The only check there is of a server that cannot be asked."""
    return thresholds.verdict("postgres.reachable", CRITICAL, str(error), remedy=error.remedy)


def unknown(name: str, error: NotCollected, thresholds: Thresholds, subject: str = "") -> Check:
    """A check whose basis could not be read."""
    summary = f"Unknown: {error}"
    return thresholds.verdict(name, UNKNOWN, summary, subject=subject, remedy=error.remedy)
