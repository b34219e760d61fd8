# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The order in which endpoints are asked: side by side, within one time limit, none starved by a slow one."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Callable

from ..core.parallel import ParallelCalls
from ..core.units import format_value
from ..net.url import host_port
from .assess import Answer, Endpoint, Observation, Sample, excerpt_of, problem_with

#: Seconds after a request's own limit at which it is given up; the answer's own error says more, so it gets to speak first.
SLACK = 0.2

CONNECT, HANDSHAKE, ANSWER, BODY = "connect", "handshake", "answer", "body"
_LATE = {
    CONNECT: "no connection to {where} within {limit}",
    HANDSHAKE: "{where} accepts the connection, but does not finish the TLS handshake within {limit}",
    ANSWER: "{where} accepts the connection, but does not answer within {limit}",
    BODY: "the answer of {where} began, but was not complete after {limit}",
}


@dataclass
class Progress:
    """How far a request has come, written by its thread and read by the one that gives it up."""

    where: str = ""
    phase: str = ANSWER
    opening: float | None = None
    peer: str = ""
    tls: str = ""

    def late(self, seconds: float) -> str:
        return _LATE[self.phase].format(where=self.where, limit=format_value(seconds, "seconds"))


Fetch = Callable[[Endpoint, Progress], Answer]


@dataclass
class _Queue:
    """Where one endpoint stands."""

    observation: Observation
    started: int = 0
    running: int = 0
    opened: bool = False
    """The first request was answered, so that it makes sense to send more."""

    @property
    def due(self) -> bool:
        endpoint = self.observation.endpoint
        if self.started == 0:
            return True
        return (
            self.opened and self.started <= endpoint.samples and self.running < endpoint.concurrency
        )


@dataclass
class _Request:
    queue: _Queue
    first: bool
    since: float
    progress: Progress = field(default_factory=Progress)


def collect(
    endpoints: Sequence[Endpoint],
    fetch: Fetch,
    concurrency: int,
    request_timeout: float,
    seconds: float,
) -> list[Observation]:
    """Ask every endpoint once, then each as often as it has samples, all within the seconds.

    At most ``concurrency`` requests are under way at once. An endpoint that gives no answer at all to its first request gets no further one.
    """
    queues = [_Queue(Observation(endpoint)) for endpoint in endpoints]
    crew: ParallelCalls[int] = ParallelCalls()
    running: dict[int, _Request] = {}
    end = time.monotonic() + seconds
    number = 0
    while True:
        while len(running) < concurrency:
            queue = min(
                (queue for queue in queues if queue.due),
                key=lambda queue: queue.started,
                default=None,
            )
            if queue is None:
                break
            number += 1
            running[number] = request = _begin(queue)
            crew.start(number, partial(fetch, request.queue.observation.endpoint, request.progress))
        now = time.monotonic()
        if not running or now >= end:
            break
        patience = min(request.since for request in running.values()) + request_timeout + SLACK
        done = crew.next(min(patience, end) - now)
        if done and done[0] in running:
            _finish(running.pop(done[0]), done[1])
        for key in [
            key
            for key, request in running.items()
            if time.monotonic() >= request.since + request_timeout + SLACK
        ]:
            late = running.pop(key)
            _finish(late, Answer(failure=late.progress.late(request_timeout)))
    for request in running.values():
        request.queue.observation.samples.append(
            Sample(time.monotonic() - request.since, pending=True)
        )
    return [queue.observation for queue in queues]


def _begin(queue: _Queue) -> _Request:
    queue.started += 1
    queue.running += 1
    endpoint = queue.observation.endpoint
    return _Request(
        queue,
        queue.started == 1,
        time.monotonic(),
        Progress(host_port(endpoint.address or endpoint.url.host, endpoint.url.port)),
    )


def _finish(request: _Request, answer: Answer) -> None:
    queue = request.queue
    queue.running -= 1
    observation = queue.observation
    # Judged here, in the main thread: it is the one that the alarm can interrupt in a regular expression that never ends.
    problem = problem_with(observation.endpoint, answer)
    observation.samples.append(
        Sample(answer.seconds, problem, excerpt_of(answer) if problem else "")
    )
    if request.first:
        queue.opened = not answer.failure
        observation.first = answer
