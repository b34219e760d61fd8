"""Which step of a plan is started next."""

from __future__ import annotations

from ansible_collections.gpt_agent.runbook.plugins.module_utils.postgres.maintenance import (
    schedule as schedules,
)
from ansible_collections.gpt_agent.runbook.plugins.module_utils.postgres.maintenance.step import (
    Step,
)
from tests.support.relations import seen, table

PARTITIONED = seen(
    table(1, "events", partitioned=True), table(2, "events_1", parents=[1]), table(3, "other")
)


def step(operation: str, oid: int, name: str = "") -> Step:
    return Step(operation, oid, name or f"public.t{oid}", "")


def schedule(*steps: Step) -> schedules.Schedule:
    return schedules.Schedule(PARTITIONED, steps)


def test_steps_start_in_order_and_one_at_a_time_on_a_table() -> None:
    vacuum, analyze, other = step("vacuum", 2), step("analyze", 2), step("vacuum", 3)
    queue = schedule(vacuum, analyze, other)
    assert queue.next([]) == schedules.Queued(vacuum, 0)
    assert queue.next([vacuum]) == schedules.Queued(other, 0), "the analyze waits for the vacuum"
    assert queue.next([vacuum, other]) is None
    assert queue.next([other]) == schedules.Queued(analyze, 0)
    assert len(queue) == 0


def test_a_partition_waits_for_its_parent_and_the_parent_for_its_partition() -> None:
    parent, partition = step("analyze", 1), step("vacuum", 2)
    assert schedule(partition).next([parent]) is None
    assert schedule(parent).next([partition]) is None


def test_a_step_does_not_overtake_an_earlier_one_on_its_table() -> None:
    reindex, analyze, vacuum = step("reindex", 2), step("analyze", 1), step("vacuum", 2)
    running = step("vacuum", 1)
    assert schedule(analyze, reindex, vacuum).next([running]) is None


def test_only_cleanup_starts_while_a_standby_is_behind() -> None:
    vacuum, cleanup = step("vacuum", 2), step("cleanup", 3)
    queue = schedule(vacuum, cleanup)
    assert queue.next([], only_cleanup=True) == schedules.Queued(cleanup, 0)
    assert queue.next([], only_cleanup=True) is None
    assert queue.next([]) == schedules.Queued(vacuum, 0)


def test_a_cleanup_goes_first_and_a_retry_last() -> None:
    vacuum, retried, cleanup = step("vacuum", 2), step("reindex", 3), step("cleanup", 3)
    queue = schedule(vacuum)
    queue.retry_later(retried)
    queue.add_first(cleanup)
    assert queue.total == 2, "a retry is no further step"
    assert [queue.next([]) for _turn in range(3)] == [
        schedules.Queued(cleanup, 0),
        schedules.Queued(vacuum, 0),
        schedules.Queued(retried, 1),
    ]


def test_dropped_steps_are_returned_in_order() -> None:
    steps = [step("vacuum", 2), step("cleanup", 3), step("reindex", 3)]
    queue = schedule(*steps)
    assert queue.drop(lambda each: each.operation != "cleanup") == [steps[0], steps[2]]
    assert queue.next([]) == schedules.Queued(steps[1], 0)
