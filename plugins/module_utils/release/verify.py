# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Proves that the live release works, over a time, by its answers, processes and logs."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Callable

from ..core.check import CRITICAL, OK, Check
from ..core.definition import Threshold
from ..core.thresholds import Thresholds
from ..core.units import format_duration, pluralize
from ..net.http import Target, ask
from ..net.url import Url
from .backend import Watch
from .checks import CHECKS
from .monitor import Outage
from .options import Options
from .record import Release
from .versions import mismatch

#: Seconds between two rounds, and the longest wait for one answer.
_PAUSE = 0.5
_PATIENCE = 10.0
#: Fewest rounds for each instance: connections go to the instances in turn.
_ROUNDS = 2


@dataclass
class _Answers:
    """How the requests to one URL ended."""

    target: Target
    healthy: int = 0
    problems: Counter[str] = field(default_factory=Counter)

    @property
    def asked(self) -> int:
        return self.healthy + sum(self.problems.values())

    @property
    def share(self) -> float:
        """Percent that were healthy."""
        return 100 * self.healthy / self.asked if self.asked else 0.0


def verify(
    release: Release,
    options: Options,
    watch: Watch,
    report: Callable[[str], None] = lambda phase: None,
) -> list[Check]:
    """Watch the live release for ``bake`` seconds, or until it has certainly failed.

    Raises nothing: what could not be seen is unknown.
    """
    thresholds = Thresholds(CHECKS)
    health = [_Answers(Target(Url.parse("health_urls", url))) for url in options.health_urls]
    versions = _version_target(options)
    report("waiting for healthy answers")
    _await(watch, health, release, options)
    report("watching the release")
    _bake(watch, health, versions, release, options)
    return [
        watch.check_process(release, thresholds),
        *_health_checks(health, options, thresholds),
        _version_check(versions, release, options, thresholds),
        watch.check_errors(thresholds),
    ]


def _version_target(options: Options) -> _Answers | None:
    if not options.version_url:
        return None
    return _Answers(Target(Url.parse("version_url", options.version_url)))


def outage_check(outage: Outage, subject: str) -> Check:
    """release.outage."""
    return Thresholds(CHECKS).evaluate(
        "release.outage", outage.seconds, outage.shown, subject=subject
    )


def _await(watch: Watch, health: Sequence[_Answers], release: Release, options: Options) -> None:
    """Wait until every endpoint has answered once, or it is clear that none will."""
    end = time.monotonic() + options.start_within
    waiting = [one.target for one in health]
    watch.look()
    while waiting and time.monotonic() < end and not watch.problem(release):
        if ask(waiting[0], _patience(options)).healthy:
            waiting.pop(0)
            continue
        time.sleep(_PAUSE)
        watch.look()


def _bake(
    watch: Watch,
    health: Sequence[_Answers],
    versions: _Answers | None,
    release: Release,
    options: Options,
) -> None:
    """Ask everything again and again, until the time is over or the release has failed."""
    until = time.monotonic() + options.bake
    rounds = 0
    while True:
        watch.look()
        for one in health:
            answer = ask(one.target, _patience(options))
            one.healthy += answer.healthy
            if not answer.healthy:
                one.problems[answer.shown] += 1
        if versions:
            answer = ask(versions.target, _patience(options))
            problem = mismatch(answer.content, release) if answer.healthy else answer.shown
            versions.healthy += not problem
            if problem:
                versions.problems[problem] += 1
        rounds += 1
        enough = rounds >= _ROUNDS * max(1, watch.running)
        if enough and (time.monotonic() >= until or _has_failed(watch, health, release, options)):
            return
        time.sleep(min(_PAUSE, max(0.02, until - time.monotonic())))


def _has_failed(
    watch: Watch, health: Sequence[_Answers], release: Release, options: Options
) -> bool:
    """Whether more time cannot make it better."""
    expected = options.bake / _PAUSE
    allowed = (1 - options.healthy_share / 100) * expected
    too_many = any(sum(one.problems.values()) > max(allowed, 1) for one in health)
    return bool(watch.problem(release)) or too_many


def _health_checks(
    health: Sequence[_Answers], options: Options, thresholds: Thresholds
) -> list[Check]:
    if not health:
        reason = "health_urls names no endpoint"
        return [thresholds.not_judged("release.health", "no request was sent", reason, subject="")]
    limits = Threshold(warning=100.0, critical=options.healthy_share, below=True)
    checks = []
    for one in health:
        text = f"{one.healthy} of {pluralize(one.asked, 'answer')} healthy"
        text += f" in {format_duration(options.bake)}" if options.bake else ""
        if one.problems:
            text += f"; most often {one.problems.most_common(1)[0][0]}"
        checks.append(
            thresholds.evaluate(
                "release.health", one.share, text, subject=one.target.shown, threshold=limits
            )
        )
    return checks


def _version_check(
    versions: _Answers | None, release: Release, options: Options, thresholds: Thresholds
) -> Check:
    if not versions:
        return thresholds.not_judged(
            "release.version", "the app was not asked", "version_url is not set"
        )
    subject = versions.target.shown
    if versions.problems:
        problem, count = versions.problems.most_common(1)[0]
        text = f"{count} of {pluralize(versions.asked, 'answer')}: {problem}"
        return thresholds.verdict("release.version", CRITICAL, text, subject=subject)
    text = f"all of {pluralize(versions.asked, 'answer')} name {release.id}"
    return thresholds.verdict("release.version", OK, text, subject=subject)


def _patience(options: Options) -> float:
    return min(options.timeout, _PATIENCE)
