# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Requests to all endpoints in parallel, within one time limit; a slow one starves no other."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Callable

from ..core.definition import Threshold
from ..core.parallel import ParallelCalls
from ..net.url import host_port
from .options import Endpoint, Options
from .progress import RequestProgress
from .queues import FIRST, Queue, Server
from .remedies import TIMEOUTS
from .snapshot import Answer, Sample, Snapshot

#: Seconds beyond its own time limit after which a request is abandoned. The client's own error says
#: more, so it gets the chance to come first.
SLACK = 0.2

Fetch = Callable[[Endpoint, RequestProgress], Answer]


@dataclass
class _Request:
    queue: Queue
    purpose: str
    endpoint: Endpoint
    started: float
    progress: RequestProgress


def collect(
    options: Options,
    fetch: Fetch,
    seconds: float,
    limits: Mapping[str, Threshold] | None = None,
) -> Snapshot:
    """Request every endpoint once, then as often as a verdict on its time needs it.

    ``limits`` are those of the response time by subject. An endpoint that does not answer its first
    request at all is not requested again.
    """
    queues = _queues(options, limits or {})
    calls: ParallelCalls[int] = ParallelCalls()
    running: dict[int, _Request] = {}
    end = time.monotonic() + seconds
    number = 0
    while True:
        for queue in _next_queues(queues, options.concurrency - len(running)):
            number += 1
            running[number] = request = _start(*queue)
            calls.start(number, partial(fetch, request.endpoint, request.progress))
        now = time.monotonic()
        next_event = _next_event(queues, running, options.request_timeout + SLACK)
        if now >= end or next_event is None or (not running and next_event >= end):
            break
        ended = calls.next(min(next_event, end) - now)
        if ended and ended[0] in running:
            _finish(running.pop(ended[0]), ended[1])
        _abandon_late(running, options.request_timeout)
    for request in running.values():
        waited = time.monotonic() - request.started
        request.queue.seen.samples.append(Sample(waited, pending=True))
    for one in queues:
        one.close()
    return Snapshot(tuple(one.seen for one in queues), seconds)


def _queues(options: Options, limits: Mapping[str, Threshold]) -> list[Queue]:
    servers: dict[tuple[str, str, int, str], Server] = {}
    mark = format(time.time_ns(), "x")
    return [
        Queue(
            endpoint,
            servers.setdefault(endpoint.server, Server()),
            limits.get(endpoint.subject, Threshold()),
            mark,
        )
        for endpoint in options.endpoints
    ]


def _next_event(
    queues: Sequence[Queue], running: Mapping[int, _Request], limit: float
) -> float | None:
    """When to look again at the latest; none if nothing is under way and nothing is to come."""
    times = [request.started + limit for request in running.values()]
    times += [until for until in (queue.waits_until() for queue in queues) if until is not None]
    return min(times, default=None)


def _next_queues(queues: Sequence[Queue], slots: int) -> list[tuple[Queue, str, Endpoint]]:
    """The next requests, those of the queue with the fewest requests first."""
    chosen = []
    now = time.monotonic()
    for _slot in range(slots):
        ready = [queue for queue in queues if queue.ready(now)]
        if not ready:
            break
        queue = min(ready, key=lambda queue: (queue.started, queue.pending != FIRST))
        chosen.append((queue, *queue.start()))
    return chosen


def _start(queue: Queue, purpose: str, endpoint: Endpoint) -> _Request:
    where = host_port(endpoint.address or endpoint.url.host, endpoint.url.port)
    return _Request(queue, purpose, endpoint, time.monotonic(), RequestProgress(where))


def _abandon_late(running: dict[int, _Request], request_timeout: float) -> None:
    latest_start = time.monotonic() - request_timeout - SLACK
    late = [number for number, request in running.items() if request.started <= latest_start]
    for number in late:
        request = running.pop(number)
        problem = request.progress.timeout_problem(request_timeout)
        _finish(request, Answer(failure=problem, remedy=TIMEOUTS[request.progress.phase]))


def _finish(request: _Request, answer: Answer) -> None:
    request.queue.finish(request.purpose, answer, time.monotonic())
