# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Judges a Redis that does not work, and verifies the restart that its judgment called for."""

from __future__ import annotations

from ...core.commands import not_runnable
from ...core.operation import Outcome
from ...core.recovery import Finding, Recovery
from ...core.thresholds import Thresholds
from .collect import collect
from .judge import evidence, judge
from .options import Options


def run(options: Options, thresholds: Thresholds, check_mode: bool) -> Outcome:
    """The judgment; after a restart, whether it has helped."""
    recovery = Recovery(
        "redis.recovery", "redis.restart", "Redis", "playbooks/redis_recovery.yml", thresholds
    )
    return recovery.run(
        lambda: look(options, thresholds), options.attempt, options.wait, check_mode
    )


def look(options: Options, thresholds: Thresholds) -> Finding:
    """One judgment of what is the case now."""
    seen = collect(options, thresholds)
    unit = seen.unit.name if seen.unit else ""
    ended = seen.unit is not None and seen.unit.ended
    command = options.restart_command
    wrong = not_runnable(command)
    return Finding(judge(seen), evidence(seen), unit, command, seen.address, ended, wrong)
