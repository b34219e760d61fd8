# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The verdict on a run, and what check mode foresees. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ...core.check import CRITICAL, DONE, FAILED, OK, PLANNED, Action, Check
from ...core.thresholds import Thresholds
from ...core.units import format_duration, format_value, pluralize

#: The check of a run, and its actions.
RUN = "backup.run"
DUMP, REMOVE = "backup.dump", "backup.remove"


def verify(actions: Sequence[Action], where: str, thresholds: Thresholds) -> Check:
    """The verdict on the backups that a run has made, or would make."""
    failed = [action for action in actions if action.status == FAILED]
    dumps = [action for action in actions if action.name == DUMP]
    good = [action for action in dumps if action.status == DONE]
    if failed:
        first = failed[0]
        done = f"{len(good)} of {len(dumps)} backups made" if dumps else "nothing done"
        summary = f"{done} in {where}; {first.subject}: {first.reason}"
        return thresholds.verdict(RUN, CRITICAL, summary, evidence=_evidence(failed))
    planned = [action for action in dumps if action.status == PLANNED]
    if planned:
        summary = f"{pluralize(len(planned), 'backup')} to make in {where}{_removed(actions)}"
        return thresholds.verdict(RUN, OK, summary)
    size = sum(action.bytes or 0 for action in good)
    seconds = sum(action.seconds or 0 for action in good)
    summary = (
        f"{pluralize(len(good), 'backup')} made and verified in {where}: "
        f"{format_value(size, 'bytes')} in {format_duration(seconds)}{_removed(actions)}"
    )
    return thresholds.verdict(RUN, OK, summary)


def problem_of(actions: Sequence[Action]) -> str:
    """Why a run failed; empty if it did not."""
    failed = [action for action in actions if action.status == FAILED]
    return "; ".join(f"{action.subject}: {action.reason}" for action in failed[:3])


def _removed(actions: Sequence[Action]) -> str:
    done = [each for each in actions if each.name == REMOVE and each.status == DONE]
    planned = [each for each in actions if each.name == REMOVE and each.status == PLANNED]
    if done:
        return f"; {len(done)} old ones removed"
    return f"; {len(planned)} old ones to remove" if planned else ""


def _evidence(actions: Sequence[Action]) -> tuple[dict[str, Any], ...]:
    return tuple({"what": action.subject, "failed": action.reason} for action in actions)
