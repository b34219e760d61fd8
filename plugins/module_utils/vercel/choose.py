# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which deployment to switch to, and what forbids it. Pure."""

from __future__ import annotations

from collections.abc import Collection

from ..core.errors import NotCollected
from .options import PROMOTED, Options
from .snapshot import PRODUCTION, PROMOTE, READY, ROLLBACK, SUCCEEDED, Deployment, Snapshot

_LISTED = "state=listed shows the deployments."


def is_rolled_back(snapshot: Snapshot) -> bool:
    """Whether what is live is there by the last rollback."""
    job = snapshot.project.job
    return (
        job is not None
        and (job.type, job.status) == (ROLLBACK, SUCCEEDED)
        and job.target == snapshot.live_id
    )


def choose(options: Options, snapshot: Snapshot, left: Collection[str]) -> Deployment:
    """The deployment to switch to; raises `NotCollected` if there is none, or it cannot be.

    ``left`` are deployments that were rolled back from, by id: never chosen, unless named.
    """
    if not options.wanted:
        return previous(snapshot, left)
    target = named(options.wanted, snapshot)
    if target.id == snapshot.live_id:
        return target
    _require_usable(target, options, snapshot)
    return target


def previous(snapshot: Snapshot, left: Collection[str]) -> Deployment:
    """The production deployment before the live one, of those that were not rolled back from."""
    live, job = snapshot.live, snapshot.project.job
    if live is None:
        raise NotCollected(
            "no deployment is live, so there is none before it",
            f"Name one in rollback_to; {_LISTED}",
        )
    rejected = {*left, live.id}
    if job is not None and job.type == ROLLBACK:
        rejected.add(job.source)
    usable = [each for each in snapshot.deployments if _is_candidate(each, rejected)]
    if job is not None and (job.type, job.target, job.status) == (PROMOTE, live.id, SUCCEEDED):
        before = next((each for each in usable if each.id == job.source), None)
        if before is not None:  # a promotion says itself what was live before it
            return before
    older = [each for each in usable if each.created < live.created]
    if not older:
        raise NotCollected(
            f"Vercel offers no production deployment before {live.shown} to roll back to",
            f"Name one in rollback_to; {_LISTED}",
        )
    return max(older, key=lambda each: each.created)


def _is_candidate(deployment: Deployment, rejected: Collection[str]) -> bool:
    return (
        bool(deployment.candidate)
        and deployment.state == READY
        and deployment.was_live
        and deployment.id not in rejected
    )


def named(wanted: str, snapshot: Snapshot) -> Deployment:
    """The deployment of that name; raises `NotCollected` if none or several have it."""
    found = [each for each in snapshot.deployments if each.is_called(wanted)]
    if snapshot.named is not None and not found:
        found = [snapshot.named]
    if not found:
        raise NotCollected(
            f"{wanted}: there is no such deployment of {snapshot.project.name}, as far as the "
            "token can see",
            f"Correct the name; {_LISTED}",
        )
    if wanted in (found[0].id, found[0].url) or len({each.commit for each in found}) == 1:
        usable = [each for each in found if each.state == READY]
        return max(usable or found, key=lambda each: each.created)
    several = ", ".join(each.url for each in found[:4])
    raise NotCollected(
        f"{wanted} is the name of {len(found)} deployments of different commits: {several}",
        "Name one of them by its URL.",
    )


def _require_usable(target: Deployment, options: Options, snapshot: Snapshot) -> None:
    if target.project != snapshot.project.id:
        raise NotCollected(
            f"{target.shown} belongs to another project than {snapshot.project.name}",
            f"Correct the name or the project; {_LISTED}",
        )
    if target.state != READY:
        raise NotCollected(
            f"{target.shown} is not ready: its state is {target.state}", f"Name another; {_LISTED}"
        )
    if target.target != PRODUCTION:
        raise NotCollected(
            f"{target.shown} is a preview, built with the variables of previews",
            "Merge it into the production branch, or build it again for production with 'vercel "
            "promote URL', and then name that deployment.",
        )
    if options.state == PROMOTED:
        return
    if not target.was_live or target.candidate is False:
        reason = (
            "it never had the production domains: use state=promoted"
            if not target.was_live
            else "Vercel does not offer it; a plan may be limited to the deployment before"
        )
        raise NotCollected(f"{target.shown} cannot be rolled back to: {reason}", _LISTED)
