# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How long the app's endpoints take to answer."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from statistics import median

from ..net.http import Answer, Target, ask
from ..net.url import Url

#: Longest wait for one answer.
PATIENCE = 10.0


@dataclass
class Endpoint:
    """One URL, and how its requests ended."""

    target: Target
    seconds: list[float] = field(default_factory=list)
    """How long each healthy answer took."""
    problems: list[str] = field(default_factory=list)
    """How each other request ended."""

    @classmethod
    def of(cls, option: str, url: str) -> Endpoint:
        return cls(Target(Url.parse(option, url)))

    @property
    def asked(self) -> int:
        return len(self.seconds) + len(self.problems)

    @property
    def median(self) -> float | None:
        """Seconds; none without a healthy answer."""
        return median(self.seconds) if self.seconds else None

    def ask(self, timeout: float) -> Answer:
        """Send one request, on a connection of its own."""
        began = time.monotonic()
        answer = ask(self.target, min(timeout, PATIENCE))
        if answer.healthy:
            self.seconds.append(time.monotonic() - began)
        else:
            self.problems.append(answer.shown)
        return answer


def medians(urls: Sequence[str], requests: int, timeout: float) -> dict[str, float]:
    """The median seconds of these URLs, without those that do not answer."""
    found = {}
    for url in urls:
        endpoint = Endpoint.of("health_urls", url)
        for _number in range(requests):
            if not endpoint.ask(timeout).healthy:
                break
        if endpoint.median is not None:
            found[endpoint.target.shown] = round(endpoint.median, 6)
    return found
