"""Processor times: what the text of /proc is read as, and which earlier run is compared with."""

from __future__ import annotations

import os
from dataclasses import replace

import pytest

from ansible_collections.gpt_agent.runbook.plugins.module_utils.core.state import Sample
from ansible_collections.gpt_agent.runbook.plugins.module_utils.host.processors import (
    cpu_sample,
    looks_busy,
    parse_cpu,
    recent_reading,
    was_busy,
)
from ansible_collections.gpt_agent.runbook.plugins.module_utils.linux.cgroup import CpuGroup
from ansible_collections.gpt_agent.runbook.plugins.module_utils.linux.pressure import Pressure
from tests.support.host_samples import HEALTHY, cpu_reading, cpu_times

STAT = """cpu  100 0 100 600 100 0 0 100 50 0
cpu0 100 0 0 0 0 0 0 0 50 0
cpu1 0 0 100 600 100 0 0 100 0 0
intr 12345
"""


def test_only_usable_processors_count() -> None:
    tick = os.sysconf("SC_CLK_TCK")
    every, first = parse_cpu(STAT, {0, 1}), parse_cpu(STAT, {0})
    assert (every.total, every.idle, every.iowait, every.steal) == tuple(
        number / tick for number in (1000, 600, 100, 100)
    )
    assert (every.processors, every.all_processors) == (2, 2)
    assert (first.total, first.idle, first.processors, first.all_processors) == (
        100 / tick,
        0,
        1,
        2,
    )
    assert parse_cpu(STAT, {7}) == every, "a container engine that renumbers processors"


def samples(*ages: float, processors: int = 2) -> list[Sample]:
    group = CpuGroup(0.5, 7, 3)
    return [
        cpu_sample(cpu_reading(1000 - age, cpu_times(age, 0, processors=processors), group), "boot")
        for age in ages
    ]


@pytest.mark.parametrize(
    ("ages", "age"),
    [
        ((), None),
        ((30,), None),
        ((1000,), None),
        ((60,), 60),
        ((900,), 900),
        ((400, 90), 400),
        ((700, 290), 290),
    ],
)
def test_the_earlier_run_that_is_closest_to_five_minutes_ago(
    ages: tuple[float, ...], age: float | None
) -> None:
    now = cpu_reading(1000, cpu_times(9999, 0), CpuGroup(0.5, 9, 3))
    earlier = recent_reading(now, samples(*ages))
    assert (earlier and earlier.cpu.total) == age
    assert not earlier or earlier.cgroup == CpuGroup(0.5, 7, 3)


def test_another_machine_is_not_compared_with() -> None:
    now = cpu_reading(1000, cpu_times(9999, 0), CpuGroup(2, 9, 3))
    assert recent_reading(now, samples(300, processors=4)) is None
    earlier = recent_reading(now, samples(300))
    assert earlier
    assert earlier.cgroup is None, "the limit was another"
    assert recent_reading(now, [Sample(1, "boot", {})]) is None


def test_a_machine_looks_busy_by_its_load_or_its_waiting_tasks() -> None:
    def busy(load: float, waits: Pressure | None = None, group: CpuGroup | None = None) -> bool:
        end = cpu_reading(1, cpu_times(2, 1), group)
        pressure = {"cpu": waits} if waits else {}
        return looks_busy(replace(HEALTHY, end=end, load_minute=load, pressure=pressure))

    assert not busy(0.9)
    assert busy(1)
    assert busy(0, Pressure(50, 0))
    assert busy(0.25, group=CpuGroup(0.5, 1, 0)), "cgroup version 1 says nothing of waiting"
    assert not busy(0.25, group=CpuGroup(0.5, 1, 0, Pressure(5, 0)))
    assert busy(0, group=CpuGroup(0.5, 1, 0, Pressure(60, 0)))


def test_only_a_busy_time_since_a_recent_run_makes_a_longer_look_needless() -> None:
    def busy(total: float, idle: float) -> bool:
        earlier = cpu_reading(0, cpu_times(100, 100))
        end = cpu_reading(300, cpu_times(100 + total, 100 + idle))
        return was_busy(replace(HEALTHY, earlier=earlier, end=end))

    assert busy(600, 300)
    assert not busy(600, 301)
    assert not busy(0, 0)
    assert not was_busy(replace(HEALTHY, earlier=None))
