# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Processor times: now, at a recent run, and whether a longer look is needed."""

from __future__ import annotations

import os
import time
from collections.abc import Collection, Iterable, Mapping

from ..core.state import Sample, now_sample
from ..linux.cgroup import CpuGroup, cpu_group
from ..linux.proc import read_text
from .snapshot import CpuReading, CpuTimes, Process, Snapshot

_TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")
_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")

#: Seconds between this run and the earlier one that it is compared with: the runbook means five
#: minutes.
_LEAST, _BEST, _MOST = 60.0, 300.0, 900.0
#: Seconds that a reading must take to mean anything: the kernel counts in steps of 10 ms.
SHORTEST = 0.05
#: Share of the capacity from which on the machine looks busy.
_BUSY = 0.5


def cpu_reading() -> CpuReading:
    return CpuReading(
        time.monotonic(),
        parse_cpu(read_text("/proc/stat"), os.sched_getaffinity(0)),
        cpu_group(),
        _processes(),
        time.process_time(),
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


def cpu_sample(reading: CpuReading, epoch: str) -> Sample:
    """The counters of a reading, for the next run."""
    counters = {
        "monotonic": reading.time,
        "processors": reading.cpu.processors,
        "total": reading.cpu.total,
        "idle": reading.cpu.idle,
        "iowait": reading.cpu.iowait,
        "steal": reading.cpu.steal,
    }
    if reading.cgroup and reading.cgroup.used is not None:
        counters["limit"] = reading.cgroup.limit
        counters["used"] = reading.cgroup.used
        counters["throttled"] = reading.cgroup.throttled
    return now_sample(epoch, counters)


def recent_reading(now: CpuReading, samples: Iterable[Sample]) -> CpuReading | None:
    """That of the earlier run which is closest to five minutes ago; none if none is recent.

    ``samples`` are those since the same start of the counters. The age is that of the monotonic
    clock, which cannot be set. Other processors than then are not compared.
    """
    usable = [
        sample.counters
        for sample in samples
        if _LEAST <= now.time - sample.counters.get("monotonic", now.time) <= _MOST
        and sample.counters.get("processors") == now.cpu.processors
    ]
    if not usable:
        return None
    best = min(usable, key=lambda counters: abs(now.time - counters["monotonic"] - _BEST))
    total, idle, iowait, steal = (
        best.get(name, 0.0) for name in ("total", "idle", "iowait", "steal")
    )
    cpu = CpuTimes(total, idle, iowait, steal, now.cpu.processors, now.cpu.all_processors)
    group = None
    if now.cgroup and best.get("limit") == now.cgroup.limit:
        group = CpuGroup(now.cgroup.limit, best.get("used"), int(best.get("throttled", 0)))
    return CpuReading(best["monotonic"], cpu, group, {}, now.own)


def was_busy(snapshot: Snapshot) -> bool:
    """Whether the processors were busy since a recent run."""
    earlier, end = snapshot.earlier, snapshot.end
    if not earlier or not end or end.cpu.total <= earlier.cpu.total:
        return False
    idle = end.cpu.idle - earlier.cpu.idle + end.cpu.iowait - earlier.cpu.iowait
    return idle <= (1 - _BUSY) * (end.cpu.total - earlier.cpu.total)


def looks_busy(snapshot: Snapshot) -> bool:
    """Whether the load or the waiting tasks of the last minute deserve a longer look."""
    if not snapshot.end:
        return False
    group, load = snapshot.end.cgroup, snapshot.load_minute or 0.0
    if group and group.waits:
        if group.waits.minute >= 100 * _BUSY:
            return True
    elif group and load >= _BUSY * group.limit:
        return True
    waits = snapshot.pressure.get("cpu")
    if waits and waits.minute >= 100 * _BUSY:
        return True
    return load >= _BUSY * snapshot.end.cpu.processors
