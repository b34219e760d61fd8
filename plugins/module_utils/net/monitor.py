# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Measures from the host for how long the app answers no one, while something is done to it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ..core.units import format_duration, pluralize
from .http import Answer

#: Requests per second in total, and threads that send them: one that waits does not hide what the
#: others see.
RATE = 20.0
_THREADS = 4
#: Seconds after which a request has failed.
_PATIENCE = 3.0
#: Requests that are kept; the oldest hours of a switch without end are of no interest.
_KEPT = 200_000


@dataclass(frozen=True)
class Request:
    """When a request was sent and had ended, by the monotonic clock, and why it failed."""

    sent: float
    ended: float
    problem: str = ""
    """Empty if it was answered with a status of 2xx."""


@dataclass(frozen=True)
class Outage:
    """What users of the app noticed."""

    requests: int
    failed: int
    seconds: float
    """Seconds without service: from each request that failed to the next that was answered."""
    problem: str = ""
    """How the first request failed."""
    resolution: float = 1 / RATE
    """Seconds between two requests: a shorter interruption may go unnoticed."""

    @property
    def shown(self) -> str:
        """The finding in one line."""
        sent = pluralize(self.requests, "request")
        if not self.failed:
            every = format_duration(self.resolution)
            return f"none of {sent} failed, one about every {every}"
        return (
            f"{self.failed} of {sent} failed, {format_duration(self.seconds)} without service; "
            f"the first: {self.problem}"
        )


class ServiceMonitor:
    """Asks at a bounded rate until it is stopped.

    ``ask`` sends a request on a new connection and waits at most so many seconds; ``rate`` is that
    of all ``threads`` together, in requests a second.
    """

    def __init__(
        self, ask: Callable[[float], Answer], rate: float = RATE, threads: int = _THREADS
    ) -> None:
        self._ask, self._rate = ask, rate
        self._requests: list[Request] = []
        self._stopped = threading.Event()
        self._threads = [
            threading.Thread(target=self._run, args=(number,), daemon=True)
            for number in range(threads)
        ]
        self._began = 0.0

    def start(self) -> ServiceMonitor:
        self._began = time.monotonic()
        for thread in self._threads:
            thread.start()
        return self

    def stop(self) -> Outage:
        """What was measured; waits for requests that have not ended."""
        self._stopped.set()
        for thread in self._threads:
            thread.join(2 * _PATIENCE)
        took = time.monotonic() - self._began
        interval = max(1 / self._rate, took / max(1, len(self._requests)))
        return outage(tuple(self._requests), interval)

    def _run(self, number: int) -> None:
        pause = len(self._threads) / self._rate
        due = self._began + number / self._rate
        while not self._stopped.wait(max(0.0, due - time.monotonic())):
            sent = time.monotonic()
            answer = self._ask(_PATIENCE)
            problem = "" if answer.healthy else answer.shown
            if len(self._requests) < _KEPT:
                self._requests.append(Request(sent, time.monotonic(), problem))
            due = max(due + pause, time.monotonic())


def outage(requests: Sequence[Request], resolution: float = 1 / RATE) -> Outage:
    """What these requests say."""
    in_order = sorted(requests, key=lambda one: one.sent)
    failed = [one for one in in_order if one.problem]
    seconds = 0.0
    since: float | None = None
    for one in in_order:
        if one.problem and since is None:
            since = one.sent
        elif not one.problem and since is not None:
            seconds += one.sent - since
            since = None
    if since is not None:
        seconds += max(one.ended for one in in_order) - since
    problem = failed[0].problem if failed else ""
    return Outage(len(in_order), len(failed), round(seconds, 3), problem, resolution)
