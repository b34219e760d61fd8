# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The proof that a release works."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from urllib.error import HTTPError
from urllib.request import ProxyHandler, Request, build_opener

from ..core.check import CRITICAL, OK, Check
from ..core.thresholds import Thresholds
from .checks import CHECKS
from .options import Options
from .record import Release

_POLL = 0.2
_REQUEST_SECONDS = 10.0


@dataclass(frozen=True)
class Outage:
    """What requests during the switch met."""

    failed: int
    requests: int
    seconds: float

    @property
    def shown(self) -> str:
        """The finding in one line."""
        return f"{self.failed} of {self.requests} requests failed"


class ServiceMonitor:
    """Asks a URL in a thread of its own until it is stopped."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._end = threading.Event()
        self._answers: list[bool] = []
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def start(self) -> None:
        if self._url:
            self._thread.start()

    def stop(self) -> Outage:
        self._end.set()
        if self._thread.is_alive():
            self._thread.join(_REQUEST_SECONDS)
        failed = self._answers.count(False)
        return Outage(failed, len(self._answers), failed * _POLL)

    def _watch(self) -> None:
        while not self._end.wait(_POLL):
            self._answers.append(not _problem(self._url))


def trial(release: Release, options: Options) -> list[Check]:
    """Whether a release works beside the running one."""
    return []


def verify(release: Release, options: Options, since: float) -> list[Check]:
    """Whether the live release works."""
    end = time.monotonic() + options.bake
    while True:
        problems = [f"{url} {said}" for url in options.health_urls if (said := _problem(url))]
        if problems or time.monotonic() >= end:
            break
        time.sleep(_POLL)
    status = CRITICAL if problems else OK
    summary = "; ".join(problems) or "all health endpoints answer"
    return [Thresholds(CHECKS).verdict("release.health", status, summary, subject=options.name)]


def _problem(url: str) -> str:
    request = Request(url, headers={"Connection": "close"})  # noqa: S310
    try:
        with build_opener(ProxyHandler({})).open(request, timeout=_REQUEST_SECONDS):
            return ""
    except HTTPError as error:
        return f"answers {error.code}"
    except OSError as error:
        return f"does not answer: {error}"
