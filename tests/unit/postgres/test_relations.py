"""Which indexes are measured, and until when."""

from __future__ import annotations

import time

from ansible_collections.gpt_agent.runbook.plugins.module_utils.core.deadline import Deadline
from ansible_collections.gpt_agent.runbook.plugins.module_utils.postgres.relations import _measure
from tests.support.relations import MIB, index, seen, table


class Measures:
    """A connection that knows one answer, in so many of its hundred seconds."""

    def __init__(self, left: float) -> None:
        self.deadline = Deadline(100)
        self.deadline._end = time.monotonic() + left
        self.asked: list[int] = []

    def rows(
        self, _question: str, _query: str, parameters: dict[str, int]
    ) -> list[tuple[float, ...]]:
        self.asked.append(parameters["oid"])
        return [(100 * MIB, 10, 9, 45.0)]


def test_what_is_measured_first_and_until_when() -> None:
    relations = [
        index(11, "estimated"),
        index(12, "hidden", known=0),
        index(13, "gin", method="gin"),
        index(14, "locked", known=0, table=2),
    ]
    inventory = seen(table(), table(2, "u", held=True), *relations, tuple_tools="public")
    early, late = Measures(60), Measures(40)
    assert set(_measure(early, inventory, 1 << 30)) == {11, 12}  # type: ignore[arg-type]
    assert early.asked == [11, 12], "what is known to be wasteful comes before what is not known"
    measured = _measure(late, inventory, 1 << 30)  # type: ignore[arg-type]
    assert measured == {}, "half of the time is for other questions"
    assert late.asked == []
