# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The plan: which instances to restart, and in which order. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from ...core.check import PLANNED, Action
from ...core.units import format_duration, format_value, pluralize
from ..instance import ONLINE, App, Instance
from ..liveness import describe_state
from .options import RESTARTED

#: Name of the actions.
RESTART = "app.restart"


@dataclass(frozen=True)
class Step:
    """One instance, and the action planned for it."""

    instance: Instance
    action: Action


@dataclass(frozen=True)
class Plan:
    """The steps, in the order in which they are carried out."""

    steps: tuple[Step, ...]

    @property
    def actions(self) -> list[Action]:
        return [step.action for step in self.steps]


def plan(app: App, state: str, now: float) -> Plan:
    """One restart for each instance that ``state`` is about; ``now`` is in epoch seconds.

    Instances that are down come first: they show whether the app starts at all before one that
    serves is touched. Jobs waiting for cron are left alone, as each of their runs is a new process.
    """
    chosen = [row for row in app.instances if _is_chosen(row, state)]
    chosen.sort(key=lambda row: (row.status == ONLINE, row.pm_id))
    causes_outage = len(app.instances) == 1 and bool(app.online)
    return Plan(tuple(Step(row, _action(app, row, causes_outage, now)) for row in chosen))


def _is_chosen(row: Instance, state: str) -> bool:
    if row.waiting_for_cron:
        return False
    return state == RESTARTED or row.status != ONLINE


def _action(app: App, row: Instance, causes_outage: bool, now: float) -> Action:
    reason = _describe(row, now)
    if causes_outage:
        reason += "; the app is down until it is back"
    return Action(
        RESTART,
        PLANNED,
        reason,
        subject=f"{app.label} id {row.pm_id}",
        before=f"process {row.pid}" if row.pid else row.status,
    )


def _describe(row: Instance, now: float) -> str:
    """``online for 3 days, 210 MiB, restarted 4 times so far``."""
    if row.status != ONLINE:
        return f"it {describe_state(row)}"
    parts = ["online"]
    if row.started:
        parts = [f"online for {format_duration(row.seconds_running(now))}"]
    if row.memory:
        parts.append(format_value(row.memory, "bytes"))
    times = f"restarted {pluralize(row.restarts, 'time')} so far"
    parts.append(times if row.restarts else "never restarted")
    return ", ".join(parts)
