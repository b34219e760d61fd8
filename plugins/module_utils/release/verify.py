# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Proves that the live release works, over a time, by its answers, processes and logs."""

from __future__ import annotations

import time
from collections.abc import Sequence
from functools import partial
from typing import Callable

from ..core.check import Check
from ..core.thresholds import Thresholds
from ..net.answers import Answers, health_checks, version_check
from ..net.http import Target, ask
from ..net.monitor import Outage
from ..net.url import Url
from .backend import Watch
from .checks import CHECKS
from .options import Options
from .record import Release
from .versions import mismatch

#: Seconds between two rounds, and the longest wait for one answer.
_PAUSE = 0.5
_PATIENCE = 10.0
#: Fewest rounds for each instance: connections go to the instances in turn.
_ROUNDS = 2


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
    health = [_answers("health_urls", url) for url in options.health_urls]
    versions = _answers("version_url", options.version_url) if options.version_url else None
    report("waiting for healthy answers")
    _await(watch, health, release, options)
    report("watching the release")
    _bake(watch, health, versions, release, options)
    return [
        watch.check_process(release, thresholds),
        *health_checks("release.health", health, options.bake, options.healthy_share, thresholds),
        version_check("release.version", versions, release.id, thresholds),
        watch.check_errors(thresholds),
    ]


def _answers(option: str, url: str) -> Answers:
    target = Target(Url.parse(option, url))
    return Answers(target.shown, partial(ask, target))


def outage_check(outage: Outage, subject: str) -> Check:
    """release.outage."""
    return Thresholds(CHECKS).evaluate(
        "release.outage", outage.seconds, outage.shown, subject=subject
    )


def _await(watch: Watch, health: Sequence[Answers], release: Release, options: Options) -> None:
    """Wait until every endpoint has answered once, or it is clear that none will."""
    end = time.monotonic() + options.start_within
    waiting = list(health)
    watch.look()
    while waiting and time.monotonic() < end and not watch.problem(release):
        if waiting[0].ask(_patience(options)).healthy:
            waiting.pop(0)
            continue
        time.sleep(_PAUSE)
        watch.look()


def _bake(
    watch: Watch,
    health: Sequence[Answers],
    versions: Answers | None,
    release: Release,
    options: Options,
) -> None:
    """Ask everything again and again, until the time is over or the release has failed."""
    until = time.monotonic() + options.bake
    rounds = 0
    while True:
        watch.look()
        for one in health:
            answer = one.ask(_patience(options))
            one.count("" if answer.healthy else answer.shown)
        if versions:
            answer = versions.ask(_patience(options))
            said = mismatch(answer.content, release) if answer.healthy else answer.shown
            versions.count(said)
        rounds += 1
        enough = rounds >= _ROUNDS * max(1, watch.running)
        if enough and (time.monotonic() >= until or _has_failed(watch, health, release, options)):
            return
        time.sleep(min(_PAUSE, max(0.02, until - time.monotonic())))


def _has_failed(
    watch: Watch, health: Sequence[Answers], release: Release, options: Options
) -> bool:
    """Whether more time cannot make it better."""
    expected = options.bake / _PAUSE
    allowed = (1 - options.healthy_share / 100) * expected
    too_many = any(sum(one.problems.values()) > max(allowed, 1) for one in health)
    return bool(watch.problem(release)) or too_many


def _patience(options: Options) -> float:
    return min(options.timeout, _PATIENCE)
