"""Which request comes next, and how a rate limit slows the probe down."""

from __future__ import annotations

from typing import Any

from ansible_collections.gpt_agent.runbook.plugins.module_utils.core.definition import Threshold
from ansible_collections.gpt_agent.runbook.plugins.module_utils.web.queues import (
    AGAIN,
    ALONE,
    FIRST,
    SAMPLE,
    UNCACHED,
    Queue,
    Server,
)
from ansible_collections.gpt_agent.runbook.plugins.module_utils.web.snapshot import Answer
from tests.support.web import answer, endpoint

LIMITS = Threshold(0.5, 1.0)
LIMITED = answer("Too Many Requests", status=429, headers={"retry-after": "2"})
REFUSED = answer("Too Many Requests", status=503, headers={"retry-after": "2"})
DEAD = Answer(failure="connection refused")


def queue(server: Server | None = None, **more: Any) -> Queue:
    return Queue(endpoint(**more), server or Server(), LIMITS, "mark")


def send(one: Queue, given: Answer, now: float = 0.0) -> str:
    """Send the next request and get this answer; returns what it was for."""
    assert one.ready(now)
    purpose, _asked = one.start()
    one.finish(purpose, given, now)
    return purpose


def test_a_fast_endpoint_gets_the_requests_that_were_asked_for() -> None:
    one = queue(samples=10)
    purposes = [send(one, answer()) for _request in range(11)]
    assert purposes == [FIRST, *[SAMPLE] * 10]
    assert not one.ready(0.0)


def test_a_slow_request_brings_more_and_three_slow_ones_are_enough() -> None:
    one = queue(samples=10)
    send(one, answer())
    send(one, answer(seconds=1.2))
    for _request in range(9):
        send(one, answer())
    assert one.ready(0.0)
    slow = queue(samples=10)
    for _request in range(4):
        send(slow, answer(seconds=1.2))
    assert not slow.ready(0.0)


def test_no_more_are_under_way_than_are_wanted() -> None:
    one = queue(samples=2, concurrency=8)
    send(one, answer())
    one.start()
    one.start()
    assert not one.ready(0.0)


def test_most_slow_after_a_fast_first_brings_two_requests_alone() -> None:
    one = queue(samples=10)
    send(one, answer())
    one.start()
    for _request in range(3):
        send(one, answer(seconds=1.2))
    assert not one.ready(5.0), "one is still under way"
    one.finish(SAMPLE, answer(seconds=1.2), 5.0)
    assert not one.ready(5.9)
    assert [send(one, answer(), now) for now in (6.0, 7.0)] == [ALONE, ALONE]
    assert one.seen.alone == [0.01, 0.01]
    assert len(one.seen.samples) == 5
    assert not one.ready(100.0)


def test_a_refused_first_request_is_repeated_after_the_pause() -> None:
    one = queue()
    assert send(one, LIMITED) == FIRST
    assert one.seen.samples == []
    assert not one.ready(1.9)
    assert one.waits_until() == 2.0
    assert send(one, answer(), 2.0) == FIRST
    assert not one.ready(10.0), "not one more than needed after a refusal"
    assert one.seen.limited == [429]
    assert [sample.problem for sample in one.seen.samples] == [""]


def test_a_refusal_that_does_not_end_is_a_warning() -> None:
    one = queue()
    for now in (0.0, 2.0, 4.0):
        send(one, LIMITED, now)
    assert [sample.level for sample in one.seen.samples] == ["warning"]
    given_up = queue()
    send(given_up, LIMITED)
    given_up.close()
    assert [sample.level for sample in given_up.seen.samples] == ["warning"]
    assert "is to wait for 2 s" in given_up.seen.samples[0].problem


def test_other_endpoints_of_the_server_wait_as_well_and_then_go_one_by_one() -> None:
    server = Server()
    first, second, elsewhere = queue(server), queue(server), queue()
    send(first, LIMITED)
    assert not second.ready(1.0)
    assert elsewhere.ready(1.0)
    assert second.ready(2.0)
    second.start()
    assert not first.ready(3.0)
    second.finish(FIRST, answer(), 3.0)
    assert not first.ready(4.9)
    assert first.ready(5.0)


def test_503_after_a_good_answer_is_a_limit_only_if_it_ends() -> None:
    def after(last: Answer) -> list[str]:
        one = queue(samples=5)
        send(one, answer())
        assert send(one, REFUSED) == SAMPLE
        assert send(one, last, 2.0) == AGAIN
        assert not one.ready(100.0)
        return [sample.problem for sample in one.seen.samples]

    assert after(answer()) == ["", ""]
    assert after(REFUSED) == ["", "HTTP 503 instead of 200"]


def test_503_at_once_is_an_answer_if_the_server_answers_nothing_else() -> None:
    one = queue()
    send(one, REFUSED)
    assert not one.ready(100.0)
    assert one.waits_until() is None
    one.close()
    assert [sample.problem for sample in one.seen.samples] == ["HTTP 503 instead of 200"]


def test_503_at_once_is_a_limit_if_the_server_answers_another_request() -> None:
    server = Server()
    one, other = queue(server), queue(server)
    other.start()
    send(one, REFUSED)
    other.finish(FIRST, answer(), 0.0)
    assert one.waits_until() == 2.0
    assert send(one, answer(), 2.0) == FIRST
    assert [sample.problem for sample in one.seen.samples] == [""]


def test_429_is_no_limit_where_it_is_expected() -> None:
    one = queue(statuses=(429,))
    send(one, LIMITED)
    assert (one.seen.limited, len(one.seen.samples)) == ([], 1)


def test_an_answer_from_a_cache_brings_a_request_past_it() -> None:
    def past(given: Answer) -> Queue:
        one = queue()
        send(one, answer(headers={"age": "9"}))
        assert send(one, given) == UNCACHED
        assert one.ready(0.0), "and then the samples"
        return one

    assert past(answer()).seen.still_cached is False
    assert past(answer(headers={"age": "9"})).seen.still_cached is True
    assert past(answer(status=404)).seen.uncached is None
    dead = past(DEAD).seen.uncached
    assert dead
    assert dead.problem == "connection refused"
