# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The least that must be done for an app to be as described. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from ...core.check import PLANNED, Action
from ...core.units import pluralize
from ..instance import App, Instance
from ..liveness import describe_state
from .definition import describe
from .replacement import Replacement, plan_replacement
from .roll import Roll, plan_roll
from .settings import Settings

SCALE = "app.scale"
AS_REQUESTED = "as requested"

#: What only a new start changes: PM2 cannot reload from one mode into the other.
_COLD = ("exec_mode",)


@dataclass(frozen=True)
class Difference:
    """What differs between an app and its description."""

    app: App
    settings: Settings
    """The settings that it gets."""
    roll: Roll | None = None
    replacement: Replacement | None = None
    start: int = 0
    """Instances to start in addition."""
    remove: tuple[Instance, ...] = ()
    scale: tuple[Action, ...] = field(default=())

    @property
    def actions(self) -> list[Action]:
        plan = self.replacement or self.roll
        return [*(plan.actions if plan else []), *self.scale]


def compare(
    app: App,
    pairs: Sequence[tuple[Instance, Settings, Settings]],
    instances: int | None,
    everything: bool,
    elsewhere: frozenset[int] = frozenset(),
) -> Difference:
    """The difference for instances, each with the settings that it has and gets.

    ``everything`` is whether to reload instances without a difference too, ``elsewhere`` has the
    ids of those whose process is in another directory, as a link leads to another one by now.
    """
    wanted = pairs[0][2]
    count = instances or len(app.instances)
    surplus = app.instances[count:]
    staying = [pair for pair in pairs if pair[0] not in surplus]
    scale = _scale_action(app, count)
    start = max(0, count - len(app.instances))
    if any(set(now.changes_to(then)) & set(_COLD) for _, now, then in staying):
        now = staying[0][1]
        replacement = plan_replacement(app, now, wanted, f"{describe(now, wanted)}")
        return Difference(app, wanted, None, replacement, start, surplus, scale)
    changed = [
        pair
        for pair in staying
        if everything or pair[1] != pair[2] or not pair[0].alive or pair[0].pm_id in elsewhere
    ]
    idle = [pair for pair in changed if pair[0].waiting_for_cron and pair[1] == pair[2]]
    changed = [pair for pair in changed if pair not in idle]
    reason = _reason(changed, everything)
    if elsewhere and reason == AS_REQUESTED:
        reason = f"{wanted.cwd} leads to another directory by now"
    moved = elsewhere or any(now.cwd != then.cwd for _, now, then in changed)
    directory = wanted.cwd if moved else ""
    roll = plan_roll(app, changed, directory, reason) if changed else None
    return Difference(app, wanted, roll, None, start, surplus, scale)


def _reason(changed: Sequence[tuple[Instance, Settings, Settings]], everything: bool) -> str:
    for _, now, then in changed:
        if now != then:
            return describe(now, then)
    if everything or not changed or changed[0][0].alive:
        return AS_REQUESTED
    return f"it {describe_state(changed[0][0])}"


def _scale_action(app: App, count: int) -> tuple[Action, ...]:
    have = len(app.instances)
    if have == count:
        return ()
    before, after = pluralize(have, "instance"), pluralize(count, "instance")
    return (Action(SCALE, PLANNED, f"{before} → {after}", app.label, before=have, after=count),)
