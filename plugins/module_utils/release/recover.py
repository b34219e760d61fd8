# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Finishes what a killed run has left: its switch is completed, or taken back."""

from __future__ import annotations

from ..core.check import DONE, FAILED, PLANNED, Action
from ..core.errors import NotCollected
from .collect import Snapshot
from .plan import RECOVER
from .record import Release
from .store import Pending, Store
from .switch import Result, Switcher


def releases_of(pending: Pending, snapshot: Snapshot) -> tuple[Release, Release]:
    """The releases before and after a switch; raises `NotCollected` if one is gone."""
    found = [snapshot.releases.get(name) for name in (pending.before, pending.after)]
    before, after = found
    if before is None or after is None:
        gone = pending.before if before is None else pending.after
        raise NotCollected(
            f"a killed run was switching from {pending.before} to {pending.after}, and {gone} is "
            "gone since",
            "Let the app run in a release that works, and remove "
            f"{snapshot.layout.store.records}/pending.json.",
        )
    return before, after


def has_not_begun(pending: Pending, snapshot: Snapshot, before: Release) -> bool:
    """Whether a killed run has written its switch down and done nothing else."""
    live = snapshot.live
    return pending.phase == "switch" and snapshot.current.id == before.id and live.runs(before.path)


def describe(pending: Pending, status: str = PLANNED) -> Action:
    """The action that recovers."""
    way = "going back" if pending.phase == "revert" else "switching"
    owner = f" of '{pending.owner}'" if pending.owner else ""
    reason = f"a killed run{owner} was {way} from {pending.before} to {pending.after}"
    return Action(RECOVER, status, reason, f"{pending.before} to {pending.after}")


def recover(
    pending: Pending, snapshot: Snapshot, store: Store, switcher: Switcher
) -> tuple[Result | None, Action]:
    """What came of the switch, and the action; no result if nothing had been switched yet."""
    before, after = releases_of(pending, snapshot)
    action = describe(pending, DONE)
    if has_not_begun(pending, snapshot, before):
        store.finish()
        return None, _ended(action, before)
    if pending.phase == "revert":
        result = switcher.revert(pending, before, after, "the run was killed while it went back")
    else:
        result = switcher.complete(pending, before, after, only_others=True)
    failed = result.problem and not (result.reverted and result.reverted.status == DONE)
    return result, _ended(action, result.live, FAILED if failed else DONE)


def _ended(action: Action, live: Release, status: str = DONE) -> Action:
    return Action(**{**vars(action), "status": status, "after": live.id})
