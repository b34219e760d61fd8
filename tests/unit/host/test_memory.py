"""The verdicts on memory, swap and OOM kills, from plain data."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from ansible_collections.gpt_agent.runbook.plugins.module_utils.core.check import Check
from ansible_collections.gpt_agent.runbook.plugins.module_utils.core.state import Delta
from ansible_collections.gpt_agent.runbook.plugins.module_utils.host.snapshot import (
    CpuReading,
    Process,
)
from ansible_collections.gpt_agent.runbook.plugins.module_utils.linux.cgroup import MemoryGroup
from ansible_collections.gpt_agent.runbook.plugins.module_utils.linux.pressure import Pressure
from tests.support.host_samples import GIB, HEALTHY, cpu_times, verdicts


def memory(**more: Any) -> Check:
    return verdicts(replace(HEALTHY, **more))["host.memory"]


def test_memory_is_what_is_not_available_to_programs() -> None:
    check = memory(meminfo={"MemTotal": 100 * GIB, "MemAvailable": 3 * GIB, "MemFree": GIB})
    assert (check.status, check.value) == ("critical", 97)
    assert check.summary == "97 % in use, 3 GiB of 100 GiB available"
    assert memory(meminfo={"MemTotal": 1, "MemFree": 1}).status == "unknown"


def test_a_container_is_judged_by_its_own_memory_unless_the_machine_is_worse() -> None:
    check = memory(memory_cgroup=MemoryGroup(GIB, int(0.9 * GIB), 0))
    assert (check.status, check.value) == ("warning", 90)
    assert "922 MiB of this container's limit of 1 GiB" in check.summary
    low = {"MemTotal": 100 * GIB, "MemAvailable": GIB}
    assert (
        "of 100 GiB available" in memory(memory_cgroup=MemoryGroup(GIB, 1, 0), meminfo=low).summary
    )
    assert "of 8 GiB available" in memory(memory_cgroup=MemoryGroup(9 * GIB, 1, 0)).summary


def test_memory_is_listed_by_name_and_what_processes_share_counts_once() -> None:
    processes = {(pid, "1"): Process("postgres", 0, 10 * 1024**2, GIB) for pid in range(20)}
    check = memory(end=CpuReading(1, cpu_times(9, 9), None, processes), pressure={})
    assert check.evidence == ({"what": "postgres, 20 processes", "memory": "1.2 GiB"},)


@pytest.mark.parametrize(("free", "status"), [(60, "ok"), (49, "warning"), (9, "critical")])
def test_swap(free: int, status: str) -> None:
    assert (
        verdicts(replace(HEALTHY, meminfo={"SwapTotal": 100, "SwapFree": free}))["host.swap"].status
        == status
    )


@pytest.mark.parametrize(
    ("count", "status", "said"),
    [
        (0, "ok", "no process"),
        (1, "warning", "1 process"),
        (6, "critical", "6 processes"),
    ],
)
def test_oom_kills(count: int, status: str, said: str) -> None:
    check = verdicts(
        replace(
            HEALTHY, oom_kills=Delta({"oom_kill": count}, "2026-11-23T06:00Z/PT24H", 86400, True)
        )
    )["host.oom_kills"]
    assert check.status == status
    assert check.summary == f"The OOM killer killed {said}"
    assert check.window == "2026-11-23T06:00Z/PT24H"
    assert verdicts(replace(HEALTHY, oom_kills=None))["host.oom_kills"].status == "unknown"


@pytest.mark.parametrize(("seconds", "judged"), [(3600, True), (900_000, False)])
def test_a_first_run_does_not_know_when_processes_were_killed(seconds: int, judged: bool) -> None:
    delta = Delta({"oom_kill": 7}, "since boot 9 days ago", seconds, False)
    check = verdicts(replace(HEALTHY, oom_kills=delta))["host.oom_kills"]
    assert (check.status, check.value) == ("critical" if judged else "ok", 7)
    assert bool(check.not_judged) != judged


def test_swap_that_nothing_misses_raises_no_alarm() -> None:
    swap = {"SwapTotal": 100, "SwapFree": 2, "MemTotal": 100, "MemAvailable": 60}

    def status(**more: Any) -> str:
        return verdicts(replace(HEALTHY, **{"meminfo": swap, **more}))["host.swap"].status

    assert status() == "ok"
    assert status(swapping=True) == "critical"
    assert status(pressure={"memory": Pressure(5, 5)}) == "critical"
    assert status(meminfo={**swap, "MemAvailable": 10}) == "critical"
