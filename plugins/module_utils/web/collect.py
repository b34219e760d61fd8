# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Requests to all endpoints in parallel, within one time limit; a slow one starves no other."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Callable

from ..core.parallel import ParallelCalls
from ..net.url import host_port
from .expectations import excerpt_of, problem_with
from .options import Endpoint, Options
from .progress import RequestProgress
from .snapshot import Answer, EndpointSnapshot, Sample, Snapshot

#: Seconds beyond its own time limit after which a request is abandoned. The client's own error says
#: more, so it gets the chance to come first.
SLACK = 0.2

Fetch = Callable[[Endpoint, RequestProgress], Answer]


@dataclass
class _Queue:
    """The requests of one endpoint."""

    endpoint: Endpoint
    seen: EndpointSnapshot = field(default_factory=EndpointSnapshot)
    started: int = 0
    running: int = 0
    answers: bool = False
    """The first request was answered, so it makes sense to send more."""

    def ready(self) -> bool:
        """Whether its next request may start now."""
        if self.started == 0:
            return True
        more = self.answers and self.started <= self.endpoint.samples
        return more and self.running < self.endpoint.concurrency


@dataclass
class _Request:
    queue: _Queue
    first: bool
    started: float
    progress: RequestProgress


def collect(options: Options, fetch: Fetch, seconds: float) -> Snapshot:
    """Request every endpoint once, then each as often as it has samples, within the seconds.

    An endpoint that does not answer its first request at all is not requested again.
    """
    queues = [_Queue(endpoint) for endpoint in options.endpoints]
    calls: ParallelCalls[int] = ParallelCalls()
    running: dict[int, _Request] = {}
    end = time.monotonic() + seconds
    number = 0
    while True:
        for queue in _next_queues(queues, options.concurrency - len(running)):
            number += 1
            running[number] = request = _start(queue)
            calls.start(number, partial(fetch, queue.endpoint, request.progress))
        now = time.monotonic()
        if not running or now >= end:
            break
        limit = options.request_timeout + SLACK
        next_timeout = min(request.started for request in running.values()) + limit
        ended = calls.next(min(next_timeout, end) - now)
        if ended and ended[0] in running:
            _finish(running.pop(ended[0]), ended[1])
        _abandon_late(running, options.request_timeout)
    for request in running.values():
        waited = time.monotonic() - request.started
        request.queue.seen.samples.append(Sample(waited, pending=True))
    return Snapshot(tuple(queue.seen for queue in queues), seconds)


def _next_queues(queues: Sequence[_Queue], slots: int) -> list[_Queue]:
    """The queues of the next requests, the one with the fewest requests first."""
    chosen = []
    for _slot in range(slots):
        ready = [queue for queue in queues if queue.ready()]
        if not ready:
            break
        queue = min(ready, key=lambda queue: queue.started)
        queue.started += 1
        queue.running += 1
        chosen.append(queue)
    return chosen


def _start(queue: _Queue) -> _Request:
    endpoint = queue.endpoint
    where = host_port(endpoint.address or endpoint.url.host, endpoint.url.port)
    return _Request(queue, queue.started == 1, time.monotonic(), RequestProgress(where))


def _abandon_late(running: dict[int, _Request], request_timeout: float) -> None:
    latest_start = time.monotonic() - request_timeout - SLACK
    late = [number for number, request in running.items() if request.started <= latest_start]
    for number in late:
        request = running.pop(number)
        _finish(request, Answer(failure=request.progress.timeout_problem(request_timeout)))


def _finish(request: _Request, answer: Answer) -> None:
    queue = request.queue
    queue.running -= 1
    # Judged in the main thread, the only one that the alarm can interrupt in a regular expression
    # that never ends.
    problem = problem_with(queue.endpoint, answer)
    excerpt = excerpt_of(answer) if problem else ""
    queue.seen.samples.append(Sample(answer.seconds, problem, excerpt, answer.remedy))
    if request.first:
        queue.answers = not answer.failure
        queue.seen.first = answer
