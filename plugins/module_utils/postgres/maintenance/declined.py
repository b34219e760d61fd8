# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The outcome of a run that could not begin."""

from __future__ import annotations

from ...core.check import CRITICAL, UNKNOWN
from ...core.errors import RunbookError, Unreachable
from ...core.operation import Outcome
from ...core.thresholds import Thresholds
from ..verdicts import unreachable
from .verify import CHECK


def declined(error: RunbookError, thresholds: Thresholds) -> Outcome:
    """The server could not be reached, or did not answer what a plan needs."""
    if isinstance(error, Unreachable):
        check = unreachable(error, thresholds)
    else:
        summary = f"Whether maintenance is needed is unknown: {error}"
        check = thresholds.verdict(CHECK, CRITICAL, summary, remedy=error.remedy)
    return Outcome([check], problem=f"Nothing was done: {error}. {error.remedy}")


def on_standby(thresholds: Thresholds) -> Outcome:
    """A standby cannot be maintained, which is not a failure."""
    check = thresholds.verdict(
        CHECK,
        UNKNOWN,
        "This server is a standby, which cannot be vacuumed, analyzed or reindexed: it replays "
        "what is done on the primary",
        remedy="Run it with a database_url that leads to the primary.",
    )
    return Outcome([check])


def locked_by(holder: str, thresholds: Thresholds) -> Outcome:
    """Another run maintains the database."""
    summary = f"Another run maintains this database: {holder}"
    remedy = (
        "Wait until it has ended. An interrupted run keeps running in the background on its host; "
        "SELECT pg_terminate_backend(PID) ends it."
    )
    check = thresholds.verdict(CHECK, CRITICAL, summary, remedy=remedy)
    return Outcome([check], problem=f"Nothing was done. {summary}. {remedy}")
