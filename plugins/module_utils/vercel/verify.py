# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Proves that users get the deployment that is meant to be live."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from ..core.check import CRITICAL, OK, UNKNOWN, WARNING, Check
from ..core.thresholds import Thresholds
from ..core.units import pluralize
from ..net.answers import Answers, health_checks, version_check
from ..net.http import Answer
from ..net.monitor import Outage
from ..net.url import Url
from .endpoint import ask
from .identity import compare
from .options import Options
from .plan import age
from .snapshot import READY, SUCCEEDED, Deployment, Snapshot

#: Seconds between two rounds, and fewest rounds.
_PAUSE = 0.5
_ROUNDS = 2


def live_check(snapshot: Snapshot, thresholds: Thresholds) -> Check:
    """vercel.live."""
    name, subject = "vercel.live", snapshot.project.name
    live = snapshot.live
    rows = [
        {"domain": domain, "deployment": snapshot.name_of(to)}
        for domain, to in snapshot.domains.items()
    ]
    if live is None:
        text = "no production domain leads to a deployment"
        return thresholds.verdict(name, CRITICAL, text, subject=subject, evidence=tuple(rows))
    elsewhere = snapshot.elsewhere(live.id)
    if elsewhere:
        domain, to = next(iter(elsewhere.items()))
        text = f"{live.shown} is live, but {pluralize(len(elsewhere), 'domain')} elsewhere: "
        text += f"{domain} leads to {snapshot.name_of(to)}"
        return thresholds.verdict(name, WARNING, text, subject=subject, evidence=tuple(rows))
    if live.state != READY:
        text = f"{live.shown} is live, and its state is {live.state}"
        return thresholds.verdict(name, CRITICAL, text, subject=subject)
    text = f"{live.shown} is live on {pluralize(len(snapshot.domains), 'production domain')}"
    text += f"; {snapshot.uncertain}" if snapshot.uncertain else ""
    return thresholds.verdict(name, OK, text, subject=subject)


def job_check(
    snapshot: Snapshot, thresholds: Thresholds, evidence: tuple[Mapping[str, Any], ...] = ()
) -> Check:
    """vercel.job."""
    name, subject, job = "vercel.job", snapshot.project.name, snapshot.project.job
    if job is None:
        reason = "no rollback or promotion was ever requested"
        return thresholds.not_judged(name, "nothing moves the domains", reason, subject=subject)
    text = f"the {job.type} to {snapshot.name_of(job.target)}, requested {age(job)} ago, "
    if job.status == SUCCEEDED:
        return thresholds.verdict(name, OK, f"{text}succeeded", subject=subject)
    if job.running:
        return thresholds.verdict(name, WARNING, f"{text}is {job.status}", subject=subject)
    if snapshot.live and snapshot.live.created > job.requested:
        text += f"was {job.status}, and a newer deployment is live"
        return thresholds.verdict(name, OK, text, subject=subject)
    return thresholds.verdict(
        name, WARNING, f"{text}was {job.status}", subject=subject, evidence=evidence
    )


def auto_assign_check(snapshot: Snapshot, thresholds: Thresholds) -> Check:
    """vercel.auto_assign."""
    name, subject = "vercel.auto_assign", snapshot.project.name
    if snapshot.project.auto_assign is None:
        reason = "Vercel does not say whether"
        return thresholds.not_judged(
            name, "new production deployments may get the domains", reason, subject=subject
        )
    if snapshot.project.auto_assign:
        text = "a new production deployment gets the domains"
        return thresholds.verdict(name, OK, text, subject=subject)
    text = "no new deployment goes live by itself: it must be promoted"
    return thresholds.verdict(name, WARNING, text, subject=subject)


def environment_check(
    deployment: Deployment, changed: list[str] | None, problem: str, thresholds: Thresholds
) -> Check:
    """vercel.environment; ``changed`` is none if the variables could not be read."""
    name, subject = "vercel.environment", deployment.url
    if changed is None:
        text = f"the project's variables could not be read: {problem}"
        remedy = "Give the token access to the project's variables."
        return thresholds.verdict(name, UNKNOWN, text, subject=subject, remedy=remedy)
    if not changed:
        text = "no production variable was changed since it was built"
        return thresholds.verdict(name, OK, text, subject=subject)
    shown = ", ".join(changed[:5]) + (" …" if len(changed) > 5 else "")
    text = f"it has the old values of {pluralize(len(changed), 'variable')}: {shown}"
    rows = tuple({"variable": each} for each in changed)
    return thresholds.verdict(name, WARNING, text, subject=subject, evidence=rows)


def outage_check(outage: Outage, subject: str, thresholds: Thresholds) -> Check:
    """vercel.outage."""
    return thresholds.evaluate("vercel.outage", outage.seconds, outage.shown, subject=subject)


@dataclass
class _Named(Answers):
    unclear: str = ""
    """Why an answer could not be compared with the deployment; empty if all could."""


def watch(
    deployment: Deployment,
    options: Options,
    thresholds: Thresholds,
    report: Callable[[str], None] = lambda phase: None,
) -> list[Check]:
    """Ask the endpoints for ``bake`` seconds; raises nothing."""
    urls = [Url.parse("health_urls", url) for url in options.health_urls]
    health = [Answers(url.shown, partial(ask, url)) for url in urls]
    version = Url.parse("version_url", options.version_url) if options.version_url else None
    named = _Named(version.shown, partial(ask, version)) if version else None
    report("waiting for healthy answers")
    _await(health, named, deployment, options)
    report("watching the deployment")
    until, rounds = time.monotonic() + options.bake, 0
    while (health or named) and (rounds < _ROUNDS or time.monotonic() < until):
        if rounds:
            time.sleep(min(_PAUSE, max(0.02, until - time.monotonic())))
        for one in health:
            answer = one.ask(options.timeout)
            one.count("" if answer.healthy else answer.shown)
        if named:
            _count_version(named, named.ask(options.timeout), deployment)
        rounds += 1
    share = options.healthy_share
    checks = health_checks("vercel.health", health, options.bake, share, thresholds)
    return [*checks, _version_check(named, deployment, thresholds)]


def _count_version(named: _Named, answer: Answer, deployment: Deployment) -> None:
    if not answer.healthy:
        named.count(answer.shown)
        return
    comparison = compare(answer.content, deployment)
    named.count(comparison.text if comparison.differs else "")
    if not comparison.differs:
        named.unclear = named.unclear or comparison.text


def _await(
    health: list[Answers], named: _Named | None, deployment: Deployment, options: Options
) -> None:
    """Wait until every endpoint has answered once as it should, at most ``start_within``."""
    end = time.monotonic() + options.start_within
    waiting = [*health, *([named] if named else [])]
    while waiting and time.monotonic() < end:
        one = waiting[0]
        answer = one.ask(options.timeout)
        fine = answer.healthy
        if fine and one is named:
            fine = not compare(answer.content, deployment).differs
        if fine:
            waiting.pop(0)
            continue
        time.sleep(_PAUSE)


def _version_check(named: _Named | None, deployment: Deployment, thresholds: Thresholds) -> Check:
    if named and named.unclear and not named.problems:
        remedy = "Have the app answer with the commit that it was built from."
        return thresholds.verdict(
            "vercel.version", UNKNOWN, named.unclear, subject=named.shown, remedy=remedy
        )
    return version_check("vercel.version", named, deployment.shown, thresholds)
