# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The app as its users reach it: single requests, and how long it answers none."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from ..core.units import format_duration, pluralize
from ..net.failures import timed_out
from ..net.http import Answer
from ..net.url import Url
from .failures import failure_of

with suppress(ImportError):  # the module reports that it is missing
    import requests

#: Bytes of an answer that are read; a health answer is far shorter.
_BODY = 64 << 10
#: Requests per second to a public site, whose rate limits are for its users.
RATE = 4.0
#: Seconds after which a request of the monitor has failed.
_PATIENCE = 3.0
_HEADERS = {
    "User-Agent": "gpt_agent.runbook vercel_deployment",
    "Accept-Encoding": "identity",
    "Cache-Control": "no-cache",
    "Connection": "close",
}


def ask(url: Url, seconds: float) -> Answer:
    """The answer to a GET on a connection of its own; redirects are not followed."""
    end = time.monotonic() + seconds
    try:
        with requests.get(
            url.text,
            headers=_HEADERS,
            auth=_credentials(url),
            timeout=seconds,
            allow_redirects=False,
            stream=True,
        ) as response:
            body = b""
            for chunk in response.iter_content(1024):
                body += chunk
                if time.monotonic() > end:
                    return Answer(problem=f"no complete answer within {seconds:g} s")
                if len(body) >= _BODY:
                    break
            return Answer(response.status_code, body=body)
    except (requests.RequestException, OSError) as error:
        if timed_out(error):
            return Answer(problem=f"no answer within {seconds:g} s")
        return Answer(problem=failure_of(error, url).text)


def _credentials(url: Url) -> Any:
    if url.credentials is None:
        return None
    user, password = url.credentials
    return user.encode(), password.encode()


@dataclass(frozen=True)
class Outage:
    """What users noticed while the domains moved."""

    requests: int
    failed: int
    seconds: float
    """From each request that failed to the next that was answered."""
    problem: str = ""
    """How the first one failed."""

    @property
    def shown(self) -> str:
        sent = pluralize(self.requests, "request")
        if not self.failed:
            return f"none of {sent} failed, one about every {format_duration(1 / RATE)}"
        return (
            f"{self.failed} of {sent} failed, {format_duration(self.seconds)} without service; "
            f"the first: {self.problem}"
        )


@dataclass(frozen=True)
class Request:
    """When a request was sent and had ended, and why it failed; empty if it did not."""

    sent: float
    ended: float
    problem: str = ""


class Monitor:
    """Asks a URL at a bounded rate until it is stopped."""

    def __init__(self, url: Url) -> None:
        self._url = url
        self._requests: list[Request] = []
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def start(self) -> Monitor:
        self._thread.start()
        return self

    def stop(self) -> Outage:
        self._stopped.set()
        self._thread.join(2 * _PATIENCE)
        return outage(tuple(self._requests))

    def _run(self) -> None:
        while not self._stopped.is_set():
            sent = time.monotonic()
            answer = ask(self._url, _PATIENCE)
            problem = "" if answer.healthy else answer.shown
            self._requests.append(Request(sent, time.monotonic(), problem))
            self._stopped.wait(max(0.0, sent + 1 / RATE - time.monotonic()))


def outage(sent: Sequence[Request]) -> Outage:
    """What these requests say, which were sent one after the other."""
    seconds, since = 0.0, None
    for one in sent:
        if one.problem and since is None:
            since = one.sent
        elif not one.problem and since is not None:
            seconds += one.sent - since
            since = None
    if since is not None:
        seconds += sent[-1].ended - since
    failed = [one for one in sent if one.problem]
    problem = failed[0].problem if failed else ""
    return Outage(len(sent), len(failed), round(seconds, 3), problem)
