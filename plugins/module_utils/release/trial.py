# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tries a release beside the live one, before anything that serves is touched."""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import Callable, Protocol

from ..core.check import CRITICAL, OK, Check
from ..core.errors import NotCollected, Unreachable
from ..core.thresholds import Thresholds
from ..core.units import format_duration, pluralize
from ..net.http import Answer, Target, ask
from ..net.url import Url
from .checks import CHECKS
from .options import Options
from .record import GOOD, Release
from .versions import mismatch

#: Seconds between two looks, and the longest wait for one answer.
_PAUSE = 0.25
_PATIENCE = 10.0
#: Seconds that are enough for a release that has proven itself before: users wait for it.
_ONCE_GOOD = 1.0
_PORT_TAKEN = (
    "The app seems to take its port from elsewhere than the variable PORT, so it cannot run beside "
    "the live one: let it use PORT, or set try_first to false."
)


class Failed(Exception):
    """The release has not passed; the text says why."""


class Candidate(Protocol):
    """A release that runs beside the live one."""

    host: str
    """Address to send requests to."""
    port: int
    """Its port there; 0 if it has none to send requests to."""

    @property
    def ready(self) -> bool:
        """Whether it has said so, or says nothing of the kind."""

    @property
    def ended(self) -> str:
        """``it ended with exit code 1 after 3 s``; empty while it runs."""

    def listen(self) -> None:
        """Take in what it says."""

    def last_error(self) -> str:
        """Its last error message, as a fingerprint; empty if there is none."""


def trial(
    release: Release,
    options: Options,
    start: Callable[[], AbstractContextManager[Candidate]],
    report: Callable[[str], None] = lambda phase: None,
) -> list[Check]:
    """Start a release as its manager does, and watch it for ``trial_for`` seconds.

    One that was good before is watched for a second at most.

    It has the app's environment, so it uses the live database and cache. It ends before this
    returns, also on an exception.
    """
    thresholds = Thresholds(CHECKS)
    try:
        report("trying the release")
        with start() as candidate:
            summary = watch(candidate, release, options)
    except (Failed, NotCollected, Unreachable) as problem:
        text = f"{release.id} failed on trial: {problem}"
        remedy = _PORT_TAKEN if "EADDRINUSE" in text else ""
        return [_check(thresholds, CRITICAL, text, release, remedy)]
    return [_check(thresholds, OK, summary, release)]


def _check(
    thresholds: Thresholds, status: str, summary: str, release: Release, remedy: str = ""
) -> Check:
    return thresholds.verdict("release.trial", status, summary, subject=release.id, remedy=remedy)


def watch(candidate: Candidate, release: Release, options: Options) -> str:
    """What was seen while it was watched; raises `Failed`."""
    targets = targets_of(candidate, options)
    await_healthy(candidate, targets, options)
    _require_version(candidate, release, options)
    healthy = asked = 0
    seconds = options.trial_for
    if release.status == GOOD:
        seconds = min(seconds, _ONCE_GOOD)
    until = time.monotonic() + seconds
    while True:
        for target in targets:
            answer = _ask(candidate, target, options)
            asked += 1
            healthy += answer.healthy
            if not answer.healthy and options.healthy_share >= 100:
                raise Failed(_unhealthy(candidate, target, answer, healthy))
        _require_running(candidate)
        if time.monotonic() >= until:
            break
        time.sleep(_PAUSE)
    if targets and 100 * healthy < options.healthy_share * asked:
        raise Failed(f"only {healthy} of {pluralize(asked, 'answer')} were healthy")
    seen = f"answered {pluralize(asked, 'request')}" if targets else "stayed up"
    return f"{release.id} {seen} on trial for {format_duration(seconds)}"


def targets_of(candidate: Candidate, options: Options) -> list[Target]:
    """The health endpoints of a candidate; none if no request can be sent to it."""
    urls = options.health_urls if candidate.port else ()
    return [Target(Url.parse("health_urls", url), candidate.port, candidate.host) for url in urls]


def await_healthy(candidate: Candidate, targets: Sequence[Target], options: Options) -> None:
    """Wait until it is up; raises `Failed`."""
    end = time.monotonic() + options.start_within
    waiting = list(targets)
    last: Answer | None = None
    while True:
        _require_running(candidate)
        while waiting:
            last = _ask(candidate, waiting[0], options)
            if not last.healthy:
                break
            waiting.pop(0)
        if not waiting and (targets or candidate.ready):
            return
        if time.monotonic() > end:
            limit = format_duration(options.start_within)
            if waiting and last:
                said = _with_error(candidate, f"{waiting[0].shown}: {last.shown}")
                raise Failed(f"it was not healthy within {limit}: {said}")
            raise Failed(_with_error(candidate, f"it did not say that it is ready within {limit}"))
        time.sleep(_PAUSE)


def _require_version(candidate: Candidate, release: Release, options: Options) -> None:
    if options.version_url and candidate.port:
        url = Url.parse("version_url", options.version_url)
        target = Target(url, candidate.port, candidate.host)
        answer = _ask(candidate, target, options)
        problem = mismatch(answer.content, release) if answer.healthy else answer.shown
        if problem:
            raise Failed(_with_error(candidate, f"{target.shown}: {problem}"))


def _ask(candidate: Candidate, target: Target, options: Options) -> Answer:
    candidate.listen()
    return ask(target, min(options.timeout, _PATIENCE))


def _unhealthy(candidate: Candidate, target: Target, answer: Answer, healthy: int) -> str:
    _require_running(candidate)
    before = f" after {pluralize(healthy, 'healthy answer')}" if healthy else ""
    return _with_error(candidate, f"{target.shown}: {answer.shown}{before}")


def _require_running(candidate: Candidate) -> None:
    if candidate.ended:
        raise Failed(_with_error(candidate, candidate.ended))


def _with_error(candidate: Candidate, text: str) -> str:
    """The text with its last error message."""
    message = candidate.last_error()
    return f"{text}; its last message: '{message}'" if message else text
