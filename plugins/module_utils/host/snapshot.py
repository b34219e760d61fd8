# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the host probe saw, as plain data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from ..core.state import Delta, Sample
from ..linux.cgroup import CpuGroup, MemoryGroup
from ..linux.pressure import Pressure
from .clock import Clock
from .mounts import Mount
from .systemd import FailedUnits


@dataclass(frozen=True)
class CpuTimes:
    """Processor seconds since boot, over the processors that this process may use."""

    total: float
    idle: float
    iowait: float
    """Idle while a task waited for disk I/O."""
    steal: float
    """Used by other virtual machines."""
    processors: int
    """Number of processors that this process may use."""
    all_processors: int
    """Number of processors of the host machine."""


@dataclass(frozen=True)
class Process:
    """Processor time and memory of a process."""

    name: str
    """The kernel's name for it, never its arguments: they may contain secrets."""
    cpu_seconds: float
    private_bytes: int
    """Resident memory that no other process shares."""
    shared_bytes: int


@dataclass(frozen=True)
class CpuReading:
    """What is read at the start and at the end of the interval."""

    time: float
    """Seconds of the monotonic clock."""
    cpu: CpuTimes
    cgroup: CpuGroup | None
    processes: Mapping[tuple[int, str], Process]
    """By pid and start time."""
    own: float = 0.0
    """Processor seconds that this probe has used itself."""


@dataclass(frozen=True)
class Snapshot:
    """Everything that was seen; a fact that could not be read is none, see ``missing``."""

    earlier: CpuReading | None = None
    """That of a recent run, without its processes."""
    start: CpuReading | None = None
    end: CpuReading | None = None
    glance: bool = False
    """Whether start and end are so close that they say little beside an earlier reading."""
    meminfo: Mapping[str, int] = field(default_factory=dict)
    """Bytes."""
    swapping: bool = False
    """Whether pages were swapped in or out during this run."""
    memory_cgroup: MemoryGroup | None = None
    """The container's memory limit."""
    pressure: Mapping[str, Pressure] = field(default_factory=dict)
    """How long tasks waited for ``cpu``, ``memory`` or ``io``."""
    load_minute: float | None = None
    """One-minute load average."""
    mounts: Sequence[Mount] = ()
    load: float | None = None
    """Five-minute load average."""
    oom_kills: Delta | None = None
    units: FailedUnits | None = None
    """None if systemd is not the first process."""
    clock: Clock | None = None
    in_container: bool = False
    missing: Mapping[str, str] = field(default_factory=dict)
    """Why a fact could not be read: ``cpu``, ``memory``, ``load``, ``oom_kills`` or ``clock``."""
    sample: Sample | None = None
    """Counters to keep for the next run."""
    cpu_sample: Sample | None = None
