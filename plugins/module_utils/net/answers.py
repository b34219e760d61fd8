# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How requests to the endpoints of an app ended, and the verdicts on them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from ..core.check import CRITICAL, OK, Check
from ..core.definition import Threshold
from ..core.thresholds import Thresholds
from ..core.units import format_duration, pluralize
from .http import Answer


@dataclass
class Answers:
    """Those of one endpoint."""

    shown: str
    """Its URL, without secrets."""
    ask: Callable[[float], Answer]
    """Sends a request, and waits at most so many seconds."""
    healthy: int = 0
    problems: Counter[str] = field(default_factory=Counter)

    @property
    def asked(self) -> int:
        return self.healthy + sum(self.problems.values())

    @property
    def share(self) -> float:
        """Percent that were healthy."""
        return 100 * self.healthy / self.asked if self.asked else 0.0

    def count(self, problem: str) -> None:
        """One more answer; ``problem`` is empty if it was healthy."""
        if problem:
            self.problems[problem] += 1
        else:
            self.healthy += 1


def health_checks(
    name: str,
    health: Sequence[Answers],
    seconds: float,
    healthy_share: float,
    thresholds: Thresholds,
) -> list[Check]:
    """A check for each endpoint, asked for so many seconds; below ``healthy_share`` is critical."""
    if not health:
        reason = "health_urls names no endpoint"
        return [thresholds.not_judged(name, "no request was sent", reason)]
    limits = Threshold(warning=100.0, critical=healthy_share, below=True)
    checks = []
    for one in health:
        text = f"{one.healthy} of {pluralize(one.asked, 'answer')} healthy"
        text += f" in {format_duration(seconds)}" if seconds else ""
        if one.problems:
            text += f"; most often {one.problems.most_common(1)[0][0]}"
        checks.append(
            thresholds.evaluate(name, one.share, text, subject=one.shown, threshold=limits)
        )
    return checks


def version_check(name: str, named: Answers | None, live: str, thresholds: Thresholds) -> Check:
    """Whether each answer named what is ``live``; none if the app was not asked."""
    if not named:
        return thresholds.not_judged(name, "the app was not asked", "version_url is not set")
    if named.problems:
        problem, count = named.problems.most_common(1)[0]
        text = f"{count} of {pluralize(named.asked, 'answer')}: {problem}"
        return thresholds.verdict(name, CRITICAL, text, subject=named.shown)
    text = f"all of {pluralize(named.asked, 'answer')} name {live}"
    return thresholds.verdict(name, OK, text, subject=named.shown)
