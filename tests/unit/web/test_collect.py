"""The order of the requests, and what happens when time is up."""

from __future__ import annotations

import threading
import time
from typing import Any

from ansible_collections.gpt_agent.runbook.plugins.module_utils.web.collect import Fetch, collect
from ansible_collections.gpt_agent.runbook.plugins.module_utils.web.options import Endpoint, Options
from ansible_collections.gpt_agent.runbook.plugins.module_utils.web.progress import (
    CONNECT,
    RequestProgress,
)
from ansible_collections.gpt_agent.runbook.plugins.module_utils.web.snapshot import (
    Answer,
    EndpointSnapshot,
    Sample,
)
from tests.support.web import answer, endpoint


def collected(
    endpoints: tuple[Endpoint, ...],
    fetch: Fetch,
    concurrency: int,
    request_timeout: float,
    seconds: float,
) -> tuple[EndpointSnapshot, ...]:
    options = Options(endpoints, concurrency=concurrency, request_timeout=request_timeout)
    return collect(options, fetch, seconds).endpoints


class Asked:
    """A stand-in for the client; counts how many requests are under way."""

    def __init__(self, **behaviour: Any) -> None:
        self.behaviour = behaviour
        self.order: list[str] = []
        self.now = self.most = 0
        self.lock = threading.Lock()

    def __call__(self, one: Endpoint, progress: RequestProgress) -> Answer:
        with self.lock:
            self.order.append(one.subject)
            self.now += 1
            self.most = max(self.most, self.now)
        try:
            result = self.behaviour.get(one.subject, 0.0)
            if isinstance(result, Answer):
                return result
            progress.phase = CONNECT
            time.sleep(result)
            return answer(seconds=result)
        finally:
            with self.lock:
                self.now -= 1


def sites(*names: str, **more: Any) -> tuple[Endpoint, ...]:
    return tuple(endpoint(f"https://{name}/", subject=name, **more) for name in names)


def test_every_endpoint_is_asked_once_before_any_is_asked_again() -> None:
    fetch = Asked()
    observations = collected(sites("a", "b", "c", samples=3), fetch, 1, 5, 5)
    assert fetch.order[:3] == ["a", "b", "c"]
    assert [len(one.samples) for one in observations] == [4, 4, 4]
    assert fetch.most == 1


def test_concurrency_is_bounded_over_all_and_for_each() -> None:
    fetch = Asked(a=0.01, b=0.01)
    collected(sites("a", "b", samples=20), fetch, 4, 5, 5)
    assert fetch.most <= 4
    alone = Asked(a=0.01)
    collected(sites("a", samples=10, concurrency=2), alone, 8, 5, 5)
    assert alone.most <= 2


def test_an_endpoint_without_an_answer_is_not_asked_again() -> None:
    fetch = Asked(a=Answer(failure="connection refused", remedy="start it"))
    (observation,) = collected(sites("a", samples=10), fetch, 4, 5, 5)
    assert fetch.order == ["a"]
    assert observation.samples == [Sample(0.0, "connection refused", "", "start it")]


def test_an_endpoint_with_a_wrong_answer_is_asked_again() -> None:
    fetch = Asked(a=answer(status=500))
    (observation,) = collected(sites("a", samples=10), fetch, 4, 5, 5)
    assert len(observation.samples) == 11


def test_a_request_that_never_ends_is_given_up_and_starves_nobody() -> None:
    fetch = Asked(a=30.0)
    started = time.monotonic()
    slow, fast = collected(sites("a", "b", samples=5), fetch, 1, 0.2, 5)
    assert time.monotonic() - started < 4
    assert slow.samples[0].problem == "no connection to a:443 within 200 ms"
    assert len(slow.samples) == 1
    assert len(fast.samples) == 6


def test_the_time_limit_holds_over_all_and_the_rest_is_named() -> None:
    fetch = Asked(a=30.0, b=30.0)
    started = time.monotonic()
    a, b, c = collected(sites("a", "b", "c"), fetch, 2, 20, 0.3)
    assert time.monotonic() - started < 3
    assert [one.samples[0].pending for one in (a, b)] == [True, True]
    assert c.samples == []
