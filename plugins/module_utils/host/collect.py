# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the host probe reads: /proc, the mounts, systemd and the kernel's clock."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from typing import Callable, TypeVar

from ..core.deadline import Deadline
from ..core.state import Sample, StateFile, now_sample
from ..linux.cgroup import MemoryGroup, memory_group
from ..linux.container import in_container
from ..linux.pressure import Pressure, read_pressure
from ..linux.proc import read_text, stat_fields
from .canary import CANARY_TIMEOUT, write_canaries
from .clock import read_clock
from .filesystem import inspect
from .fstab import read_declared
from .mounts import MOUNT_TIMEOUT, Mount, measure, real_mounts
from .options import Options
from .processors import SHORTEST, cpu_reading, cpu_sample, looks_busy, recent_reading, was_busy
from .snapshot import Snapshot
from .systemd import FailedUnitsQuery

_TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")

Fact = TypeVar("Fact")


def collect(options: Options, state: StateFile, deadline: Deadline) -> Snapshot:
    """Read everything, within the deadline; raises `DeadlineExceeded`."""
    missing: dict[str, str] = {}
    counters = _vmstat()
    start = _fact("cpu", missing, cpu_reading)
    units = FailedUnitsQuery.start()
    cgroup = memory_group()
    loads = _fact("load", missing, _loads)
    sample = _fact("oom_kills", missing, lambda: _oom_sample(cgroup, counters))
    epoch = "the container started" if cgroup else "boot"
    snapshot = Snapshot(
        start=start,
        meminfo=_fact("memory", missing, _meminfo) or {},
        memory_cgroup=cgroup,
        pressure=_pressure(),
        load=loads[1] if loads else None,
        load_minute=loads[0] if loads else None,
        oom_kills=state.delta(sample, _uptime(), epoch) if sample else None,
        clock=_fact("clock", missing, read_clock),
        in_container=in_container(),
        missing=missing,
        sample=sample,
    )
    snapshot = replace(snapshot, mounts=_mounts(options, deadline, snapshot.in_container))
    snapshot = replace(snapshot, units=units.result(deadline) if units else None)
    snapshot = _with_processors(snapshot, missing, options, deadline)
    return replace(snapshot, swapping=_swapped_pages(_vmstat()) != _swapped_pages(counters))


def _with_processors(
    snapshot: Snapshot,
    missing: dict[str, str],
    options: Options,
    deadline: Deadline,
) -> Snapshot:
    """Read the processors' counters last: the longer the interval, the better.

    Sleeps only if they look busy and the time since a recent run does not show it.
    """
    start = snapshot.start
    if not start:
        return snapshot
    _wait_until(start.time + SHORTEST, deadline)
    snapshot = _read_processors(snapshot, missing, options)
    if looks_busy(snapshot) and not was_busy(snapshot):
        _wait_until(start.time + options.cpu_interval, deadline)
        return _read_processors(snapshot, missing, options)
    return replace(snapshot, glance=True)


def _read_processors(snapshot: Snapshot, missing: dict[str, str], options: Options) -> Snapshot:
    """The counters now, and those of a recent run."""
    end = _fact("cpu", missing, cpu_reading)
    if not end or not snapshot.sample:
        return replace(snapshot, end=end)
    sample = cpu_sample(end, snapshot.sample.epoch)
    earlier = recent_reading(end, cpu_state(options).of_epoch(sample.epoch))
    return replace(snapshot, end=end, earlier=earlier, cpu_sample=sample)


def cpu_state(options: Options) -> StateFile:
    """The earlier counters of the processors.

    In a file of their own, as they can decrease: the kernel's count of idle time does.
    """
    return StateFile(options.state_dir, "host_cpu", "this host")


def _wait_until(moment: float, deadline: Deadline) -> None:
    rest = moment - time.monotonic()
    if rest > 0:
        time.sleep(deadline.remaining(rest))


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


def _meminfo() -> dict[str, int]:
    meminfo = parse_meminfo(read_text("/proc/meminfo"))
    with suppress(OSError, LookupError, ValueError):
        cache = reclaimable_by_zfs(read_text("/proc/spl/kstat/zfs/arcstats"))
        meminfo["MemAvailable"] = min(meminfo["MemTotal"], meminfo["MemAvailable"] + cache)
    return meminfo


def reclaimable_by_zfs(arcstats: str) -> int:
    """Bytes of ZFS's cache that it gives back on demand; the kernel does not count them."""
    rows = (line.split() for line in arcstats.splitlines()[2:])
    figures = {name: int(value) for name, _type, value in rows}
    return max(0, figures["size"] - figures["c_min"])


def parse_meminfo(text: str) -> dict[str, int]:
    """``/proc/meminfo`` in bytes."""
    fields = (line.split() for line in text.splitlines())
    return {name.rstrip(":"): int(amount) * 1024 for name, amount, *_unit in fields}


def _pressure() -> dict[str, Pressure]:
    """By resource; empty if the kernel is too old or does not keep these figures."""
    figures = {name: read_pressure(f"/proc/pressure/{name}") for name in ("cpu", "memory", "io")}
    return {name: pressure for name, pressure in figures.items() if pressure}


def _loads() -> list[float]:
    """The load averages of one and of five minutes."""
    one, five = read_text("/proc/loadavg").split()[:2]
    return [float(one), float(five)]


def _vmstat() -> dict[str, str]:
    """The kernel's counters of memory; empty if they cannot be read."""
    with suppress(OSError, ValueError):
        return dict(line.split() for line in read_text("/proc/vmstat").splitlines())
    return {}


def _swapped_pages(counters: Mapping[str, str]) -> list[str | None]:
    """How many pages were swapped in and out so far."""
    return [counters.get(name) for name in ("pswpin", "pswpout")]


def _oom_sample(cgroup: MemoryGroup | None, counters: Mapping[str, str]) -> Sample:
    """The OOM kills so far: the kernel's count, or that of a container with a memory limit."""
    kills = cgroup.oom_kills if cgroup else None
    if kills is None:
        if "oom_kill" not in counters:
            raise ValueError("/proc/vmstat has no oom_kill")
        kills = int(counters["oom_kill"])
    boot = read_text("/proc/sys/kernel/random/boot_id").strip()
    return now_sample(f"{boot} {_start_ticks()}", {"oom_kill": kills})


def _start_ticks() -> int:
    """When process 1 started, in ticks since boot: later than boot in a container; 0 if hidden."""
    fields = stat_fields(1)
    return int(fields[19]) if fields else 0


def _uptime() -> float:
    """Seconds since the host or container started."""
    return float(read_text("/proc/uptime").split()[0]) - _start_ticks() / _TICKS_PER_SECOND
