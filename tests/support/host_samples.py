"""A healthy host as the probe sees it, for tests that change one thing about it."""

from __future__ import annotations

from typing import Any

from ansible_collections.gpt_agent.runbook.plugins.module_utils.core.check import Check
from ansible_collections.gpt_agent.runbook.plugins.module_utils.core.state import Delta
from ansible_collections.gpt_agent.runbook.plugins.module_utils.core.thresholds import Thresholds
from ansible_collections.gpt_agent.runbook.plugins.module_utils.host.assess import assess
from ansible_collections.gpt_agent.runbook.plugins.module_utils.host.checks import CHECKS
from ansible_collections.gpt_agent.runbook.plugins.module_utils.host.clock import Clock
from ansible_collections.gpt_agent.runbook.plugins.module_utils.host.mounts import Mount
from ansible_collections.gpt_agent.runbook.plugins.module_utils.host.snapshot import (
    CpuReading,
    CpuTimes,
    Process,
    Snapshot,
)
from ansible_collections.gpt_agent.runbook.plugins.module_utils.linux.cgroup import CpuGroup
from ansible_collections.gpt_agent.runbook.plugins.module_utils.linux.pressure import Pressure

GIB = 1024**3


def cpu_times(
    total: float, idle: float, iowait: float = 0, steal: float = 0, processors: int = 2
) -> CpuTimes:
    """Processor times on a machine with four processors."""
    return CpuTimes(total, idle, iowait, steal, processors, 4)


def cpu_reading(
    at: float, times: CpuTimes, group: CpuGroup | None = None, **processes: tuple[int, float, int]
) -> CpuReading:
    """``name=(pid, processor seconds, own bytes)``"""
    return CpuReading(
        at,
        times,
        group,
        {(pid, "1"): Process(name, spent, own, 0) for name, (pid, spent, own) in processes.items()},
    )


HEALTHY = Snapshot(
    start=cpu_reading(10, cpu_times(100, 50), node=(7, 1, GIB)),
    end=cpu_reading(11, cpu_times(102, 51.5), node=(7, 1.5, GIB)),
    meminfo={"MemTotal": 8 * GIB, "MemAvailable": 6 * GIB, "SwapTotal": 0, "SwapFree": 0},
    pressure={"cpu": Pressure(12.5, 12.5)},
    mounts=[
        Mount(
            "/",
            "ext4",
            "/dev/sda1",
            size=100 * GIB,
            used=10 * GIB,
            free=90 * GIB,
            inodes=1000,
            inodes_free=900,
        )
    ],
    load=2.0,
    oom_kills=Delta({"oom_kill": 0}, "since boot 9 days ago", 800000, False),
    clock=Clock(True, 0.02),
)


def verdicts(snapshot: Snapshot, **thresholds: Any) -> dict[str, Check]:
    return {check.name: check for check in assess(snapshot, Thresholds(CHECKS, thresholds))}
