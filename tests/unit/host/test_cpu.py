"""The verdict on processors, from plain data."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.gpt_agent.runbook.plugins.module_utils.core.check import Check
from ansible_collections.gpt_agent.runbook.plugins.module_utils.host.snapshot import CpuTimes
from ansible_collections.gpt_agent.runbook.plugins.module_utils.linux.cgroup import CpuGroup
from ansible_collections.gpt_agent.runbook.plugins.module_utils.linux.pressure import Pressure
from tests.support.host_samples import HEALTHY, cpu_reading, cpu_times, verdicts


def processor_check(
    first: CpuTimes,
    last: CpuTimes,
    groups: tuple[CpuGroup, CpuGroup] | tuple[None, None] = (None, None),
    load: float = 2,
    minute: float = 2,
    **more: Any,
) -> Check:
    return verdicts(
        replace(
            HEALTHY,
            start=cpu_reading(0, first, groups[0]),
            end=cpu_reading(1, last, groups[1]),
            load=load,
            load_minute=minute,
            **more,
        )
    )["host.cpu"]


def test_iowait_is_not_busy_but_is_mentioned() -> None:
    check = processor_check(cpu_times(0, 0, 0), cpu_times(2, 0.4, 1.2))
    assert check.value == 20
    assert "60 % idle, waiting for disk I/O" in check.summary


def test_steal_is_busy_and_is_mentioned() -> None:
    check = processor_check(cpu_times(0, 0), cpu_times(2, 0.1, steal=0.8))
    assert check.value == 95
    assert check.status == "warning"
    assert "40 % stolen by other virtual machines" in check.summary


def test_a_container_is_judged_by_its_own_limit_unless_the_machine_is_worse() -> None:
    groups = CpuGroup(0.5, 10, 3), CpuGroup(0.5, 10.49, 5)
    check = processor_check(cpu_times(0, 0), cpu_times(2, 1.5), groups)
    assert (check.status, check.value) == ("critical", 98)
    assert (
        check.summary
        == "98 % of this container's limit of 0.5 processors, over 1.0 s, throttled 2 times"
    )
    idle = CpuGroup(0.5, 10, 0), CpuGroup(0.5, 10, 0)
    assert "this container" in processor_check(cpu_times(0, 0), cpu_times(2, 1.5), idle).summary
    assert "of 2 processors busy" in processor_check(cpu_times(0, 0), cpu_times(2, 0), idle).summary


def test_a_moment_raises_no_alarm_a_minute_warns_and_five_are_judged() -> None:
    times = cpu_times(0, 0), cpu_times(2, 0)
    assert processor_check(*times, load=1.1).status == "critical"
    minute = processor_check(*times, load=0.9)
    assert (minute.status, minute.value, minute.warning) == ("warning", 100, 80)
    assert minute.summary.endswith("busy over 1.0 s, for about a minute so far")
    moment = processor_check(*times, load=0.9, minute=0.9)
    assert (moment.status, moment.value, moment.warning) == ("ok", 100, None)
    assert moment.summary.endswith("but only briefly: the one-minute load is 0.90")
    groups = CpuGroup(0.5, 0, 0), CpuGroup(0.5, 0.5, 0)
    whole = cpu_times(0, 0), cpu_times(2, 2)
    assert processor_check(*whole, groups, load=0.3).status == "critical"
    assert processor_check(*whole, groups, load=0.2, minute=0.2).status == "ok"


def test_tasks_that_wait_show_how_long_it_has_been_busy() -> None:
    times = cpu_times(0, 0), cpu_times(2, 0)
    for waits, status in ((Pressure(40, 5), "ok"), (Pressure(90, 5), "warning")):
        check = processor_check(*times, load=0.1, minute=0.1, pressure={"cpu": waits})
        assert check.status == status
    full = Pressure(99, 80)
    check = processor_check(*times, load=0.1, minute=0.1, pressure={"cpu": full})
    assert check.status == "critical"
    groups = CpuGroup(0.5, 0, 0), CpuGroup(0.5, 0.5, 9, full)
    check = processor_check(cpu_times(0, 0), cpu_times(2, 2), groups, load=0, minute=0)
    assert check.status == "critical"


def test_a_recent_run_is_what_this_one_is_compared_with() -> None:
    now = cpu_times(1000, 500), cpu_times(1000.2, 500)
    calm = cpu_reading(-300, cpu_times(400, 100))
    check = processor_check(*now, load=0.2, minute=0.2, earlier=calm)
    assert (check.status, check.window, check.value) == ("ok", "5 min 1 s", 33.4)
    busy = cpu_reading(-300, cpu_times(400, 499))
    assert processor_check(*now, load=0, minute=0, earlier=busy).status == "critical"
    check = processor_check(*now, load=0.9, earlier=calm)
    assert (check.status, check.window) == ("warning", "1.0 s"), "a minute that five do not show"
    check = processor_check(*now, earlier=calm, glance=True)
    assert (check.status, check.window) == ("ok", "5 min 1 s"), "some milliseconds show nothing"


def test_the_probe_does_not_count_itself() -> None:
    start, end = cpu_reading(0, cpu_times(0, 0)), cpu_reading(1, cpu_times(2, 1))
    check = verdicts(replace(HEALTHY, start=start, end=replace(end, own=0.9)))["host.cpu"]
    assert check.value == 9.1
    start, end = cpu_reading(0, cpu_times(0, 0)), cpu_reading(1, cpu_times(2, 0))
    check = verdicts(replace(HEALTHY, start=start, end=replace(end, own=0.9)))["host.cpu"]
    assert check.value == 100, "what it displaced would have kept the processors as busy"


def test_processor_times_that_stand_still_are_unknown() -> None:
    assert processor_check(cpu_times(5, 5), cpu_times(5, 5)).status == "unknown"
    assert (
        verdicts(replace(HEALTHY, end=None, missing={"cpu": "no /proc"}))["host.cpu"].summary
        == "Processor times could not be read: no /proc"
    )


@given(st.lists(st.floats(0, 1e6), min_size=6, max_size=6))
def test_the_share_of_processors_is_a_share(numbers: list[float]) -> None:
    check = processor_check(cpu_times(0, 0), cpu_times(sum(numbers), *numbers[:3]))
    assert check.value is None or 0 <= check.value <= 100
