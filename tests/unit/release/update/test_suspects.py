"""The search for the package that breaks an update."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from ansible_collections.gpt_agent.runbook.plugins.module_utils.release.update.suspects import (
    narrow,
)

PACKAGES = [f"p{number}" for number in range(9)]


class Trials:
    """Says whether a part of the update fails, and counts the questions."""

    def __init__(self, *guilty: str, time: int = 100) -> None:
        self.guilty, self.left, self.asked = set(guilty), time, 0

    def breaks(self, part: Sequence[str]) -> bool:
        self.asked += 1
        self.left -= 1
        return self.guilty <= set(part)

    def in_time(self) -> bool:
        return self.left > 0


@pytest.mark.parametrize("guilty", PACKAGES)
def test_the_one_is_found(guilty: str) -> None:
    trials = Trials(guilty)
    assert narrow(PACKAGES, trials.breaks, trials.in_time) == (guilty,)
    assert trials.asked <= 5


def test_two_that_only_break_it_together_are_not_blamed_alone() -> None:
    trials = Trials("p0", "p8")
    assert narrow(PACKAGES, trials.breaks, trials.in_time) == ()


def test_one_package_needs_no_search() -> None:
    trials = Trials("p0")
    assert narrow(["p0"], trials.breaks, trials.in_time) == ("p0",)
    assert trials.asked == 0


def test_what_is_not_proven_when_the_time_is_over_is_not_said() -> None:
    trials = Trials("p0", time=1)
    assert narrow(PACKAGES, trials.breaks, trials.in_time) == ("p0", "p1", "p2", "p3")
    trials = Trials("p8", time=1)
    assert narrow(PACKAGES, trials.breaks, trials.in_time) == ()
    trials = Trials("p0", time=0)
    assert narrow(PACKAGES, trials.breaks, trials.in_time) == ()
