# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Judges a PostgreSQL that does not work, and verifies the restart that its judgment called for."""

from __future__ import annotations

import time

from ...core.operation import Outcome
from ...core.recovery import NOTHING, OTHER, WAIT, Finding, Recovery
from ...core.thresholds import Thresholds
from ..url import Target
from .collect import collect
from .judge import evidence, judge
from .options import Options

#: Seconds between two checks after a restart.
_POLL = 0.5


def run(target: Target, options: Options, thresholds: Thresholds, check_mode: bool) -> Outcome:
    """The judgment; after a restart, whether it has helped."""
    recovery = Recovery(
        "postgres.recovery",
        "postgres.restart",
        "PostgreSQL",
        "playbooks/postgres_recovery.yml",
        thresholds,
    )
    found = look(target, options)
    if not options.attempt:
        return recovery.judged(found, check_mode)
    end = time.monotonic() + options.wait
    while found.cause.cure not in (NOTHING, WAIT) and time.monotonic() < end:
        if options.attempt.failed and found.cause.cure == OTHER:
            break
        time.sleep(_POLL)
        found = look(target, options)
    # Recovery is no fault, but the app does not work yet.
    while found.cause.cure == WAIT and time.monotonic() < end:
        time.sleep(_POLL)
        found = look(target, options)
    return recovery.verified(options.attempt, found)


def look(target: Target, options: Options) -> Finding:
    """One judgment of what is the case now."""
    seen = collect(target, options)
    unit = seen.unit.name if seen.unit else ""
    return Finding(judge(seen), evidence(seen), unit, options.restart_command, seen.address)
