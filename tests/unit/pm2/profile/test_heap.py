"""When a heap snapshot could take the app down."""

from __future__ import annotations

import pytest

from ansible_collections.gpt_agent.runbook.plugins.module_utils.pm2.profile.heap import (
    Facts,
    Room,
    assess_heap,
    facts_from,
    refusal,
)
from tests.support.app_watch import MIB, THRESHOLDS

SAFE = Room(turns=True, serving=1, memory=200 * MIB, disk=1024 * MIB)
USED = 100.0 * MIB


def test_it_is_taken_with_another_instance_and_twice_the_heap_free() -> None:
    assert refusal(USED, SAFE) == ""


@pytest.mark.parametrize(
    ("used", "room", "reason"),
    [
        (USED, Room(False, 1, 200 * MIB, 1024 * MIB), "in the middle of a computation"),
        (USED, Room(True, 0, 200 * MIB, 1024 * MIB), "no other instance serves"),
        (USED, Room(True, 1, 200 * MIB - 1, 1024 * MIB), "200 MiB of free memory, twice the heap"),
        (USED, Room(True, 1, None, 1024 * MIB), "unknown is free"),
        (USED, Room(True, 1, 200 * MIB, 300 * MIB), "on disk, and 300 MiB is free"),
        (USED, Room(True, 1, 200 * MIB, None), "on disk, and unknown is free"),
        (0.0, SAFE, "does not say how large its heap is"),
    ],
)
def test_it_is_refused(used: float, room: Room, reason: str) -> None:
    assert reason in refusal(used, room)


def test_the_figures_of_a_process() -> None:
    answer = (
        '{"memory": {"rss": 100, "x": "y"}, "heap": {"used_heap_size": 90, "heap_size_limit": 100},'
        ' "delay": {"p95": 0.02}, "resources": {"TCPSocketWrap": 3}}'
    )
    facts = facts_from(answer)
    assert facts.used == 90
    check = assess_heap(facts, "web id 0", THRESHOLDS)
    assert check
    assert (check.status, check.value) == ("warning", 90)
    assert "below 20 ms" in check.summary
    assert {"figure": "open TCPSocketWrap", "value": "3"} in check.evidence


@pytest.mark.parametrize("answer", [None, "", "no JSON", '{"memory": 1, "heap": {"a": true}}'])
def test_an_answer_without_figures(answer: object) -> None:
    facts = facts_from(answer)
    assert facts == Facts()
    assert assess_heap(facts, "web id 0", THRESHOLDS) is None
