"""A constant stream of requests to an app while something is done to it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from demo.services import fetch

#: Seconds between two requests.
PAUSE = 0.02


@dataclass(frozen=True)
class Request:
    """One request, by the monotonic clock."""

    sent: float
    seconds: float
    """How long the answer took."""
    status: int
    """0 without an answer."""
    body: str

    @property
    def failed(self) -> bool:
        return self.status != 200


@dataclass(frozen=True)
class Stream:
    """What the requests saw."""

    began: float
    """When the work began, by the monotonic clock."""
    in_total: float
    """Seconds that the work took."""
    requests: Sequence[Request]

    @property
    def failed(self) -> int:
        return sum(one.failed for one in self.requests)

    @property
    def without_service(self) -> float:
        """Seconds from each failed request to the next that was answered."""
        seconds, since = 0.0, None
        for one in self.requests:
            if one.failed and since is None:
                since = one.sent
            elif not one.failed and since is not None:
                seconds, since = seconds + one.sent - since, None
        return seconds


def watched(url: str, work: Callable[[], object]) -> Stream:
    """Send requests one after the other while some work is done, and for a second after it."""
    requests: list[Request] = []
    finished = threading.Event()

    def send() -> None:
        while not finished.wait(PAUSE):
            sent = time.monotonic()
            status, body = fetch(url)
            requests.append(Request(sent, time.monotonic() - sent, status, body))

    client = threading.Thread(target=send)
    began = time.monotonic()
    client.start()
    try:
        work()
        in_total = time.monotonic() - began
        time.sleep(1)
    finally:
        finished.set()
        client.join()
    return Stream(began, in_total, requests)
