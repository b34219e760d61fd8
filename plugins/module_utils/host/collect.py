# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the host probe reads: /proc, the mounts, systemd and the kernel's clock."""

from __future__ import annotations

import os
import time
from collections.abc import Collection, Mapping
from contextlib import suppress
from dataclasses import replace
from typing import Callable, TypeVar

from ..core.deadline import Deadline
from ..core.state import Sample, StateFile, now_sample
from ..linux.cgroup import MemoryGroup, cpu_group, memory_group
from ..linux.container import in_container
from ..linux.proc import read_text, stat_fields
from .canary import CANARY_TIMEOUT, write_canaries
from .clock import read_clock
from .filesystem import inspect
from .fstab import read_declared
from .mounts import MOUNT_TIMEOUT, Mount, measure, real_mounts
from .options import Options
from .snapshot import CpuReading, CpuTimes, Process, Snapshot
from .systemd import FailedUnitsQuery

_TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")
_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")

Fact = TypeVar("Fact")


def collect(options: Options, state: StateFile, deadline: Deadline) -> Snapshot:
    """Read everything, within the deadline; raises `DeadlineExceeded`."""
    missing: dict[str, str] = {}
    start = _fact("cpu", missing, _cpu_reading)
    units = FailedUnitsQuery.start()
    cgroup = memory_group()
    sample = _fact("oom_kills", missing, lambda: _oom_sample(cgroup))
    epoch = "the container started" if cgroup else "boot"
    snapshot = Snapshot(
        start=start,
        meminfo=_fact("memory", missing, lambda: parse_meminfo(read_text("/proc/meminfo"))) or {},
        memory_cgroup=cgroup,
        pressure=_pressure(),
        load=_fact("load", missing, lambda: float(read_text("/proc/loadavg").split()[1])),
        oom_kills=state.delta(sample, _uptime(), epoch) if sample else None,
        clock=_fact("clock", missing, read_clock),
        in_container=in_container(),
        missing=missing,
        sample=sample,
    )
    snapshot = replace(snapshot, mounts=_mounts(options, deadline, snapshot.in_container))
    if start:
        rest = start.time + options.cpu_interval - time.monotonic()
        time.sleep(deadline.remaining(max(0.01, rest)))
    return replace(
        snapshot,
        end=_fact("cpu", missing, _cpu_reading),
        units=units.result(deadline) if units else None,
    )


def _mounts(options: Options, deadline: Deadline, in_container: bool) -> list[Mount]:
    declared = read_declared()
    if in_container:  # the engine mounts what the container has, whatever its image says
        declared = {point: replace(entry, at_boot=False) for point, entry in declared.items()}
    mounts = real_mounts(
        read_text("/proc/self/mountinfo"), options.mounts_ignore, options.mounts, declared
    )
    timeout = deadline.remaining(min(MOUNT_TIMEOUT, deadline.seconds / 3))
    mounts = [inspect(mount) for mount in measure(mounts, timeout)]
    if options.canary:
        timeout = deadline.remaining(min(CANARY_TIMEOUT, deadline.seconds / 3))
        mounts = write_canaries(mounts, timeout)
    return mounts


def _fact(name: str, missing: dict[str, str], read: Callable[[], Fact]) -> Fact | None:
    """What ``read`` returns; none if it fails, with the reason in ``missing``."""
    try:
        return read()
    except (OSError, ValueError, LookupError) as error:
        missing[name] = str(error)
        return None


def _cpu_reading() -> CpuReading:
    return CpuReading(
        time.monotonic(),
        parse_cpu(read_text("/proc/stat"), os.sched_getaffinity(0)),
        cpu_group(),
        _processes(),
    )


def parse_cpu(stat: str, usable: Collection[int]) -> CpuTimes:
    """Processor times from the text of ``/proc/stat``.

    Over the processors in ``usable``, or over all if the text does not list each of these: a
    container engine that renumbers the processors (LXCFS) lists others.
    """
    rows: dict[str, list[float]] = {}
    for line in stat.splitlines():
        if line.startswith("cpu"):
            name, *fields = line.split()
            rows[name] = [int(ticks) / _TICKS_PER_SECOND for ticks in fields[:8]]
    overall = rows.pop("cpu")
    names = [f"cpu{number}" for number in usable]
    times, processors = overall, len(rows)
    if all(name in rows for name in names):
        times = [sum(column) for column in zip(*(rows[name] for name in names))]
        processors = len(names)
    # user, nice, system, idle, iowait, irq, softirq, steal; user includes guest time
    return CpuTimes(sum(times), times[3], times[4], times[7], processors, len(rows))


def parse_meminfo(text: str) -> dict[str, int]:
    """``/proc/meminfo`` in bytes."""
    fields = (line.split() for line in text.splitlines())
    return {name.rstrip(":"): int(amount) * 1024 for name, amount, *_unit in fields}


def _processes() -> Mapping[tuple[int, str], Process]:
    """Every process that this user can see, by pid and start time."""
    processes = {}
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            try:
                stat, memory = read_text(f"/proc/{entry}/stat"), read_text(f"/proc/{entry}/statm")
            except OSError:  # it has ended, or is hidden from this user
                continue
            start_time, process = _parse_process(stat, memory)
            processes[int(entry), start_time] = process
    return processes


def _parse_process(stat: str, memory: str) -> tuple[str, Process]:
    """Start time and figures of a process from its ``stat`` and ``statm``."""
    name, _parenthesis, rest = stat.partition("(")[2].rpartition(")")
    fields = rest.split()
    # A program can change its name to any text, such as its command line, so only the first word
    # is used.
    first_word = "".join(name.split()[:1]).rstrip(":")
    resident, shared = (int(pages) * _PAGE_BYTES for pages in memory.split()[1:3])
    cpu_seconds = (int(fields[11]) + int(fields[12])) / _TICKS_PER_SECOND
    return fields[19], Process(first_word, cpu_seconds, resident - shared, shared)


def _pressure() -> dict[str, float]:
    """Percent of the last minute; empty if the kernel is too old or does not keep these figures."""
    pressure = {}
    for resource in ("cpu", "memory", "io"):
        with suppress(OSError, LookupError, ValueError):
            text = read_text(f"/proc/pressure/{resource}")
            pressure[resource] = float(text.split("avg60=")[1].split()[0])
    return pressure


def _oom_sample(cgroup: MemoryGroup | None) -> Sample:
    """The OOM kills so far: the kernel's count, or that of a container with a memory limit."""
    kills = cgroup.oom_kills if cgroup else None
    if kills is None:
        vmstat = dict(line.split() for line in read_text("/proc/vmstat").splitlines())
        kills = int(vmstat["oom_kill"])
    boot = read_text("/proc/sys/kernel/random/boot_id").strip()
    return now_sample(f"{boot} {_start_ticks()}", {"oom_kill": kills})


def _start_ticks() -> int:
    """When process 1 started, in ticks since boot: later than boot in a container; 0 if hidden."""
    fields = stat_fields(1)
    return int(fields[19]) if fields else 0


def _uptime() -> float:
    """Seconds since the host or container started."""
    return float(read_text("/proc/uptime").split()[0]) - _start_ticks() / _TICKS_PER_SECOND
