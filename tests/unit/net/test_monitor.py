"""How long a service answered no one, from the requests that were sent to it."""

from __future__ import annotations

import threading
import time

from ansible_collections.gpt_agent.runbook.plugins.module_utils.net.http import Answer
from ansible_collections.gpt_agent.runbook.plugins.module_utils.net.monitor import (
    Request,
    ServiceMonitor,
    outage,
)

REFUSED = "connection refused"


def requests(*problems: str) -> list[Request]:
    """One each second, each answered or refused at once."""
    return [Request(number, number + 0.1, problem) for number, problem in enumerate(problems)]


def test_nothing_failed() -> None:
    found = outage(requests("", "", ""))
    assert (found.requests, found.failed, found.seconds) == (3, 0, 0.0)
    assert found.shown == "none of 3 requests failed, one about every 0.05 s"


def test_an_interruption_lasts_until_the_next_answer() -> None:
    found = outage(requests("", REFUSED, REFUSED, "", ""))
    assert (found.failed, found.seconds) == (2, 2.0)
    assert found.shown == f"2 of 5 requests failed, 2 s without service; the first: {REFUSED}"


def test_interruptions_add_up() -> None:
    assert outage(requests(REFUSED, "", REFUSED, REFUSED, "")).seconds == 3.0


def test_an_interruption_that_does_not_end() -> None:
    assert outage(requests("", REFUSED, REFUSED)).seconds == 1.1


def test_a_request_that_waits_does_not_hide_what_others_see() -> None:
    waited = [Request(1.05, 4.05, "no answer within 3 s")]
    found = outage([*requests("", "", "", "", ""), *waited])
    assert (found.failed, found.seconds) == (1, 0.95)


def test_no_request_at_all() -> None:
    assert outage([]).shown.startswith("none of 0 requests failed")


def test_the_rate_is_bounded_while_the_service_refuses_at_once() -> None:
    sent = []

    def refuse(seconds: float) -> Answer:
        sent.append(threading.get_ident())
        return Answer(problem=REFUSED)

    monitor = ServiceMonitor(refuse).start()
    time.sleep(0.5)
    found = monitor.stop()
    assert found.requests == found.failed == len(sent) <= 12
    assert found.problem == REFUSED
