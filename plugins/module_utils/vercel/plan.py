# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The plan: what a rollback or a promotion does. Pure."""

from __future__ import annotations

import time
from collections.abc import Collection
from dataclasses import dataclass, field

from ..core.check import PLANNED, Action
from ..core.confirmation import require_match
from ..core.errors import NotCollected, Refused
from ..core.units import format_duration
from .choose import choose, is_rolled_back, previous
from .options import PROMOTED, ROLLED_BACK, Options
from .snapshot import PROMOTE, ROLLBACK, Deployment, Job, Snapshot

#: Names of the actions.
SWITCH, WAIT = "vercel.switch", "vercel.wait"


class Busy(Refused):
    """Another request moves the domains at this moment."""


@dataclass(frozen=True)
class Plan:
    target: Deployment
    actions: list[Action] = field(default_factory=list)
    """None if the target is live already."""
    job: Job | None = None
    """A job that was requested earlier and moves the domains to the target."""
    note: str = ""
    """Why there is nothing to do."""


def job_type(options: Options) -> str:
    """What Vercel calls it."""
    return PROMOTE if options.state == PROMOTED else ROLLBACK


def require_confirmed(options: Options, snapshot: Snapshot) -> None:
    """Raise `UsageError` if another project was confirmed."""
    project = snapshot.project
    if options.confirm != project.id:
        require_match(options.confirm, "project", project.name)


def plan(options: Options, snapshot: Snapshot, left: Collection[str]) -> Plan:
    """What to do; raises `NotCollected` without a target, and `Busy`."""
    job, kind = snapshot.project.job, job_type(options)
    if job is not None and job.running:
        return _joined(options, snapshot, left, job)
    if options.state == ROLLED_BACK and not options.wanted and is_rolled_back(snapshot):
        live = snapshot.live
        if job is not None and live is not None:
            return Plan(live, note=_note(snapshot, left, job))
    target = choose(options, snapshot, left)
    if target.id == snapshot.live_id:
        return Plan(target, note=f"{target.shown} is live already")
    reason = f"{'promotion' if kind == PROMOTE else 'rollback'} of {_count(snapshot)}"
    if kind == ROLLBACK:
        reason += "; variables and cron jobs come back as they were built, and new pushes get "
        reason += "these domains again once one is promoted"
    live = snapshot.live
    before = live.url if live else ""
    return Plan(
        target, [Action(SWITCH, PLANNED, reason, snapshot.project.name, before, target.url)]
    )


def _joined(options: Options, snapshot: Snapshot, left: Collection[str], job: Job) -> Plan:
    """Wait for a job that does what is asked for; raises `Busy` for any other."""
    kind = job_type(options)
    since = age(job)
    what = f"a {job.type} to {snapshot.name_of(job.target)}, requested {since} ago,"
    target = snapshot.deployment(job.target)
    wanted = job.target
    if options.wanted:
        wanted = choose(options, snapshot, left).id
    if job.type != kind or job.target != wanted or target is None:
        raise Busy(
            f"{what} has not ended",
            "Wait until it has ended, then run this again; state=verified shows it.",
        )
    reason = f"{what} is still running: it is waited for, not requested again"
    before = snapshot.live.url if snapshot.live else ""
    return Plan(
        target,
        [Action(WAIT, PLANNED, reason, snapshot.project.name, before, target.url)],
        job=job,
    )


def _note(snapshot: Snapshot, left: Collection[str], job: Job) -> str:
    note = f"already rolled back from {snapshot.name_of(job.source)} {age(job)} ago"
    try:
        further = previous(snapshot, left).url
    except NotCollected:
        return f"{note}, and Vercel offers no deployment before it"
    return f"{note}; to go further back: rollback_to={further}"


def age(job: Job) -> str:
    return format_duration(time.time() - job.requested)


def _count(snapshot: Snapshot) -> str:
    names = sorted(snapshot.domains)
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more domains" if len(names) > 3 else "")
