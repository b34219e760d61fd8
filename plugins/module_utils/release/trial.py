# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tries a release beside the live one, before anything that serves is touched."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Callable

from ..core.check import CRITICAL, OK, Check
from ..core.errors import NotCollected, Unreachable
from ..core.thresholds import Thresholds
from ..core.units import format_duration, pluralize
from ..net.http import Answer, Target, ask
from ..net.url import Url
from .backends.pm2_start import Start, start_of
from .checks import CHECKS
from .options import Options
from .program import Program, free_port
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


class _Failed(Exception):
    """The release has not passed; the text says why."""


def trial(
    release: Release,
    options: Options,
    start: Start | None = None,
    report: Callable[[str], None] = lambda phase: None,
) -> list[Check]:
    """Start a release as PM2 does, on a free port, and watch it for ``trial_for`` seconds.

    One that was good before is watched for a second at most.

    It has the app's environment, so it uses the live database and cache. It ends before this
    returns, also on an exception, and the kernel ends it if this process is killed.
    """
    thresholds = Thresholds(CHECKS)
    try:
        start = start or start_of(release, options)
        port = free_port()
        report("trying the release")
        with Program(start, port) as program:
            summary = _watch(program, start, release, options, port)
    except (_Failed, NotCollected, Unreachable) as problem:
        text = f"{release.id} failed on trial: {problem}"
        remedy = _PORT_TAKEN if "EADDRINUSE" in text else ""
        return [_check(thresholds, CRITICAL, text, release, remedy)]
    return [_check(thresholds, OK, summary, release)]


def _check(
    thresholds: Thresholds, status: str, summary: str, release: Release, remedy: str = ""
) -> Check:
    return thresholds.verdict("release.trial", status, summary, subject=release.id, remedy=remedy)


def _watch(program: Program, start: Start, release: Release, options: Options, port: int) -> str:
    """What was seen while it was watched; raises `_Failed`."""
    targets = [Target(Url.parse("health_urls", url), port) for url in options.health_urls]
    _await(program, start, targets, options)
    _require_version(program, release, options, port)
    healthy = asked = 0
    seconds = options.trial_for
    if release.status == GOOD:
        seconds = min(seconds, _ONCE_GOOD)
    until = time.monotonic() + seconds
    while True:
        for target in targets:
            answer = _ask(program, target, options)
            asked += 1
            healthy += answer.healthy
            if not answer.healthy and options.healthy_share >= 100:
                raise _Failed(_unhealthy(program, target, answer, healthy, asked))
        _require_running(program)
        if time.monotonic() >= until:
            break
        time.sleep(_PAUSE)
    if targets and 100 * healthy < options.healthy_share * asked:
        raise _Failed(f"only {healthy} of {pluralize(asked, 'answer')} were healthy")
    seen = f"answered {pluralize(asked, 'request')}" if targets else "stayed up"
    return f"{release.id} {seen} on trial for {format_duration(seconds)}"


def _await(program: Program, start: Start, targets: Sequence[Target], options: Options) -> None:
    """Wait until it is up; raises `_Failed`."""
    end = time.monotonic() + options.start_within
    waiting = list(targets)
    last: Answer | None = None
    while True:
        _require_running(program)
        while waiting:
            last = _ask(program, waiting[0], options)
            if not last.healthy:
                break
            waiting.pop(0)
        if not waiting and (targets or program.ready or not start.wait_ready):
            return
        if time.monotonic() > end:
            limit = format_duration(options.start_within)
            if waiting and last:
                said = _with_error(program, f"{waiting[0].shown}: {last.shown}")
                raise _Failed(f"it was not healthy within {limit}: {said}")
            raise _Failed(_with_error(program, f"it did not say that it is ready within {limit}"))
        time.sleep(_PAUSE)


def _require_version(program: Program, release: Release, options: Options, port: int) -> None:
    if options.version_url:
        target = Target(Url.parse("version_url", options.version_url), port)
        answer = _ask(program, target, options)
        problem = mismatch(answer.content, release) if answer.healthy else answer.shown
        if problem:
            raise _Failed(_with_error(program, f"{target.shown}: {problem}"))


def _ask(program: Program, target: Target, options: Options) -> Answer:
    program.listen()
    return ask(target, min(options.timeout, _PATIENCE))


def _unhealthy(program: Program, target: Target, answer: Answer, healthy: int, asked: int) -> str:
    _require_running(program)
    before = f" after {pluralize(healthy, 'healthy answer')}" if healthy else ""
    return _with_error(program, f"{target.shown}: {answer.shown}{before}")


def _require_running(program: Program) -> None:
    if program.ended:
        raise _Failed(_with_error(program, program.ended))


def _with_error(program: Program, text: str) -> str:
    """The text with the last error message of the program."""
    message = program.last_error()
    return f"{text}; its last message: '{message}'" if message else text
