# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Verdicts on a release that was watched. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from ...core.check import CRITICAL, OK, UNKNOWN, WARNING, Check
from ...core.thresholds import Thresholds
from ...core.units import format_duration, format_value, pluralize
from ..backends.pm2_watch import judge_errors
from ..record import Switch
from ..response import Endpoint
from .collect import Messages
from .options import Options
from .rounds import Seen

#: Seconds that an answer may take longer than before without anyone noticing.
_NOT_NOTICED = 0.1
#: Messages below which a rate means nothing, and the shortest time before to compare with.
_FEW = 10
_SHORTEST = 3600.0


@dataclass(frozen=True)
class Watched:
    """The whole of a watch."""

    seen: Seen
    endpoints: Sequence[Endpoint]
    seconds: float
    """How long it was watched."""
    now: float
    """Unix time."""
    deployed: Switch | None
    """The switch that put the release into service; none if none is recorded."""
    replaced_by: str = ""
    """The release that took its place while it was watched; empty if none did."""
    messages: Messages | None = None
    """None if there is no switch to compare with, or PM2 did not name the logs."""
    since: float = 0.0
    """Unix time of the switch."""
    before: Mapping[str, float] | None = None
    """Median seconds before the deployment, by endpoint."""


def has_failed(watched: Watched) -> bool:
    return bool(watched.seen.failed) and not watched.replaced_by


def may_roll_back(watched: Watched, options: Options) -> bool:
    """Whether the release has failed, and a recent deployment is what put it into service.

    After a rollback the last switch is no deployment, so one never leads to the next.
    """
    switch = watched.deployed
    is_deployment = switch is not None and switch.kind == "deploy"
    return has_failed(watched) and is_deployment and is_recent(watched, options)


def is_recent(watched: Watched, options: Options) -> bool:
    """Whether the release has been live for so short a time that it may be the cause."""
    switch = watched.deployed
    return switch is not None and watched.now - switch.at < options.deployed_within * 3600


def assess(watched: Watched, options: Options, thresholds: Thresholds) -> list[Check]:
    """The verdict first, and then what led to it."""
    return [
        replace(_verdict(watched, options, thresholds), evidence=tuple(_rows(watched))),
        *(_response(one, watched, thresholds) for one in watched.endpoints),
        *_messages(watched, options, thresholds),
    ]


def _rows(watched: Watched) -> list[dict[str, object]]:
    """What was seen of each endpoint, and of the instances."""
    rows: list[dict[str, object]] = [
        {
            "of": one.target.shown,
            "requests": one.asked,
            "failed": len(one.problems),
            "last_failure": one.problems[-1] if one.problems else "",
        }
        for one in watched.endpoints
    ]
    seen = watched.seen
    instances = {"of": "instances", "online": seen.instances, "restarts": seen.restarted}
    return [*rows, instances]


def _verdict(watched: Watched, options: Options, thresholds: Thresholds) -> Check:
    name, seen, subject = "release.watch", watched.seen, options.release.name
    span = f"watched for {format_duration(watched.seconds)}"
    if watched.replaced_by:
        text = f"{seen.release.id} was {span}, until {watched.replaced_by} took its place"
        remedy = "Run this again for the release that is live now."
        return thresholds.verdict(name, WARNING, text, subject=subject, remedy=remedy)
    if seen.failed:
        what = "; ".join(f"{name} {problem}" for name, problem in seen.failed.items())
        text = f"{seen.release.id} failed, {span}: {what}"
        remedy = "" if may_roll_back(watched, options) else _not_the_cause(watched, options)
        return thresholds.verdict(name, CRITICAL, text, subject=subject, remedy=remedy)
    if not seen.answered:
        text = f"PM2 could not be asked: {seen.unreachable}"
        return thresholds.verdict(name, UNKNOWN, text, subject=subject)
    text = f"{seen.release.id} works, {span} in {pluralize(seen.rounds, 'round')}"
    accidents = [
        f"{what} failed in {count} of them, but not {options.failures} times in a row"
        for what, count in seen.failed_rounds.items()
    ]
    if seen.restarted:
        accidents.append(f"an instance restarted {pluralize(seen.restarted, 'time')}")
    if seen.unreachable:
        accidents.append(f"PM2 could not be asked each time: {seen.unreachable}")
    if accidents:
        text = f"{text}; {'; '.join(accidents)}"
        remedy = "Read the app's error log for that time; watch it again if in doubt."
        return thresholds.verdict(name, WARNING, text, subject=subject, remedy=remedy)
    if not watched.endpoints:
        text = f"its processes run, {span}; no health endpoint is named"
        remedy = "Name the app's health endpoints in health_urls (app_release_health_urls)."
        return thresholds.verdict(name, UNKNOWN, text, subject=subject, remedy=remedy)
    return thresholds.verdict(name, OK, text, subject=subject)


def _not_the_cause(watched: Watched, options: Options) -> str:
    """What to do if no recent deployment can be taken back."""
    switch = watched.deployed
    if switch is None:
        what = "No deployment of it is recorded"
    elif switch.kind != "deploy":
        what = f"It is live since a {switch.kind}, so nothing is rolled back a second time"
    else:
        age = format_duration(watched.now - switch.at)
        what = f"It was deployed {age} ago, so the deployment is hardly the cause"
    return f"{what}: read the app's error log, and check the database and Redis."


def _response(endpoint: Endpoint, watched: Watched, thresholds: Thresholds) -> Check:
    name, subject, now = "release.response_time", endpoint.target.shown, endpoint.median
    before = (watched.before or {}).get(subject)
    if now is None:
        reason = "there was no healthy answer"
        return thresholds.not_judged(name, "no response time", reason, subject=subject)
    text = f"half of the answers within {format_value(now, 'seconds')}"
    if not before:
        reason = "pre_deploy.yml measured nothing before this deployment"
        return thresholds.not_judged(name, text, reason, subject=subject)
    percent = round(100 * now / before, 1)
    text += f", {format_value(before, 'seconds')} before the deployment"
    if now - before < _NOT_NOTICED:
        return thresholds.verdict(name, OK, text, subject=subject, value=percent)
    return thresholds.evaluate(name, percent, text, subject=subject)


def _messages(watched: Watched, options: Options, thresholds: Thresholds) -> list[Check]:
    found, subject = watched.messages, options.release.name
    if found is None:
        reason = "PM2 could not be asked"
        if watched.deployed is None:
            reason = "no deployment of it is recorded"
        elif not is_recent(watched, options):
            age = format_duration(watched.now - watched.deployed.at)
            reason = f"it has been live for {age}"
        text = "error messages not compared"
        return [
            thresholds.not_judged(name, text, reason, subject=subject)
            for name in ("release.errors", "release.error_rate")
        ]
    errors = judge_errors(found.week, watched.since, subject, thresholds)
    return [errors, _rate(found, watched, subject, thresholds)]


def _rate(found: Messages, watched: Watched, subject: str, thresholds: Thresholds) -> Check:
    name = "release.error_rate"
    hours = max(watched.now - watched.since, 60.0) / 3600
    text = f"{pluralize(found.since, 'error message')} since the switch"
    if found.since < _FEW:
        return thresholds.verdict(name, OK, text, subject=subject)
    if found.before_seconds < _SHORTEST:
        reason = "the logs do not go back far enough"
        return thresholds.not_judged(name, text, reason, subject=subject)
    rate, before = found.since / hours, found.before * 3600 / found.before_seconds
    percent = round(100 * rate / max(before, 1.0), 1)
    text += f", {rate:.0f} per hour; {before:.3g} on the day before"
    return thresholds.evaluate(name, percent, text, subject=subject)
