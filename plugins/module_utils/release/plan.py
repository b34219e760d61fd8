# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The plan: what a deployment or a rollback does. Pure."""

from __future__ import annotations

from ..core.check import PLANNED, Action
from .collect import Snapshot
from .options import DEPLOYED, Options
from .record import GOOD, Release
from .target import Target

#: Names of the actions.
ADOPT, BUILD, TRIAL, SWITCH = "release.adopt", "release.build", "release.trial", "release.switch"
MIGRATE = "release.migrate"
REVERT, RECOVER, REMOVE = "release.revert", "release.recover", "release.remove"


def plan(options: Options, snapshot: Snapshot, target: Target) -> list[Action]:
    """The actions, in order; none if the app runs in the target already."""
    release, current = target.release, snapshot.current
    is_current = release.id == current.id and not snapshot.layout.checkout
    if is_current and snapshot.live.runs(release.path):
        return []
    actions = []
    if snapshot.layout.checkout:
        reason = "it is a plain checkout; a link takes its place, and the app keeps running"
        actions.append(
            Action(ADOPT, PLANNED, reason, current.id, snapshot.layout.store.link, current.path)
        )
    if not target.exists:
        reason = f"{target.origin}, beside the running release"
        actions.append(Action(BUILD, PLANNED, reason, release.id, after=release.path))
    if options.try_first and not is_current:
        reason = "shows whether it works, before anything that serves is changed"
        actions.append(Action(TRIAL, PLANNED, reason, release.id))
    what = "deployment" if options.state == DEPLOYED else "rollback"
    if options.state != DEPLOYED and not options.rollback_to:
        what += " to the last good release"
    reason = f"{what}; returns to {current.id} if {release.id} does not prove itself"
    actions.append(Action(SWITCH, PLANNED, reason, options.name, current.id, release.id))
    actions += [
        Action(REMOVE, PLANNED, f"only {options.keep} others are kept", old.id, before=old.path)
        for old in superfluous(options, snapshot, target)
    ]
    return actions


def superfluous(options: Options, snapshot: Snapshot, target: Target) -> list[Release]:
    """The releases to remove after the switch: none that another tool made, and good ones last."""
    kept = {snapshot.current.id, target.release.id}
    others = [each for each in snapshot.releases.values() if each.id not in kept and each.built]
    others.sort(key=lambda each: (each.status == GOOD, each.verified or each.built or 0.0))
    return others[: max(0, len(others) + 1 - options.keep)]
