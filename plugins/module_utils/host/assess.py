# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The health of a host: processors, memory, disks, load, swap, OOM kills, failed units and the clock."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any, Callable, TypeVar

from ..core.check import CRITICAL, OK, STATUSES, UNKNOWN, WARNING, Check
from ..core.deadline import Deadline
from ..core.state import Delta, Sample, StateFile, now_sample
from ..core.thresholds import Thresholds
from ..core.units import format_value
from ..linux.cgroup import CpuGroup, MemoryGroup, cpu_group, memory_group
from .mounts import PATIENCE, Mount, assess_mounts, measure, real_mounts
from .system import Clock, FailedUnits, UnitQuery, clock, in_container

#: Share of its final value that the five-minute load, a decaying average, has reached after five minutes.
_SETTLED = 0.63
#: Rows of evidence that name processes.
_TOP = 5
_TICK = os.sysconf("SC_CLK_TCK")
_PAGE = os.sysconf("SC_PAGE_SIZE")

Fact = TypeVar("Fact")


@dataclass(frozen=True)
class Wanted:
    """What the operator asked to look at."""

    cpu_interval: float = 0.2
    mounts: Sequence[str] = ()
    mounts_ignore: Sequence[str] = ()


@dataclass(frozen=True)
class CpuTimes:
    """Processor seconds since boot, over the processors that this process may use."""

    total: float
    idle: float
    waiting: float
    """Idle while something waited for a disk."""
    stolen: float
    """Taken by other virtual machines."""
    processors: int
    """Usable ones; the next counts them all."""
    machine: int


@dataclass(frozen=True)
class Process:
    name: str
    """The kernel's name of it, never its arguments: they may hold secrets."""
    cpu: float
    """Processor seconds so far."""
    own: int
    """Resident bytes that are not shared with other processes, and those that are."""
    shared: int


@dataclass(frozen=True)
class Reading:
    """What is read twice, to see what happens in between."""

    time: float
    cpu: CpuTimes
    group: CpuGroup | None
    processes: Mapping[tuple[int, str], Process]
    """By pid and start time."""


@dataclass(frozen=True)
class Snapshot:
    """Everything that was seen; a fact that could not be had is none, and ``missing`` says why."""

    first: Reading | None = None
    last: Reading | None = None
    meminfo: Mapping[str, int] = field(default_factory=dict)
    memory_group: MemoryGroup | None = None
    pressure: Mapping[str, float] = field(default_factory=dict)
    """Percent of the last minute in which something waited, by resource."""
    mounts: Sequence[Mount] = ()
    load: float | None = None
    oom: Delta | None = None
    units: FailedUnits | None = None
    """None where systemd does not run."""
    clock: Clock | None = None
    container: bool = False
    missing: Mapping[str, str] = field(default_factory=dict)


def collect(wanted: Wanted, state: StateFile, deadline: Deadline) -> tuple[Snapshot, Sample | None]:
    """Look at the host, and return with what was seen the counters to keep for the next run."""
    missing: dict[str, str] = {}

    def fact(name: str, look: Callable[[], Fact]) -> Fact | None:
        try:
            return look()
        except (OSError, ValueError, LookupError) as error:
            missing[name] = str(error)
            return None

    first = fact("cpu", _reading)
    units = UnitQuery.start()
    meminfo = fact("memory", lambda: parse_meminfo(_text("/proc/meminfo"))) or {}
    group = memory_group()
    mounts = real_mounts(_text("/proc/self/mountinfo"), wanted.mounts_ignore, wanted.mounts)
    patience = min(PATIENCE, deadline.seconds / 3)
    sample = fact("oom_kills", lambda: _oom_sample(group))
    seen = Snapshot(
        first=first,
        meminfo=meminfo,
        memory_group=group,
        pressure=_pressure(),
        mounts=measure(mounts, deadline.remaining(patience)),
        load=fact("load", lambda: float(_text("/proc/loadavg").split()[1])),
        oom=state.delta(sample, _seconds_up(), "the container started" if group else "boot")
        if sample
        else None,
        clock=fact("clock", clock),
        container=in_container(),
        missing=missing,
    )
    if first:
        time.sleep(
            deadline.remaining(max(0.01, first.time + wanted.cpu_interval - time.monotonic()))
        )
    return replace(
        seen, last=fact("cpu", _reading), units=units.answer(deadline) if units else None
    ), sample


def assess(snapshot: Snapshot, thresholds: Thresholds) -> Iterator[Check]:
    """The verdicts."""
    yield _cpu(snapshot, thresholds)
    yield _memory(snapshot, thresholds)
    yield from assess_mounts(snapshot.mounts, thresholds)
    yield _load(snapshot, thresholds)
    yield _swap(snapshot, thresholds)
    yield _oom_kills(snapshot, thresholds)
    if snapshot.units:
        yield _failed_units(snapshot.units, thresholds)
    yield _clock(snapshot, thresholds)


def silent(thresholds: Thresholds, seconds: float) -> Check:
    """The check of a host that did not even get to look at itself."""
    summary = f"The host did not manage to look at itself within {format_value(seconds, 'seconds')}: it is overloaded or hangs"
    return thresholds.verdict("host.reachable", CRITICAL, summary)


# --- verdicts ---------------------------------------------------------------------------------------------------------


def _cpu(snapshot: Snapshot, thresholds: Thresholds) -> Check:
    first, last = snapshot.first, snapshot.last
    if not first or not last or last.cpu.total <= first.cpu.total:
        return _not_seen("host.cpu", snapshot, "cpu", thresholds)
    seconds, total = last.time - first.time, last.cpu.total - first.cpu.total
    waiting, stolen = (
        100 * max(0.0, after - before) / total
        for before, after in [
            (first.cpu.waiting, last.cpu.waiting),
            (first.cpu.stolen, last.cpu.stolen),
        ]
    )
    percent = min(100.0, max(0.0, 100 - 100 * (last.cpu.idle - first.cpu.idle) / total - waiting))
    summary = f"{format_value(round(percent), 'percent')} of {_processors(last.cpu.processors)} busy over {seconds:.1f} s"
    if stolen >= 5:
        summary += f", {format_value(round(stolen), 'percent')} taken by other virtual machines"
    if waiting >= 10:
        summary += f", and {format_value(round(waiting), 'percent')} idle waiting for a disk"
    more: dict[str, Any] = {
        "window": f"{seconds:.1f} s",
        "evidence": _busiest(first, last, seconds) + _waited(snapshot, "cpu", "a processor"),
    }
    machine = _lasting(
        thresholds.evaluate("host.cpu", round(percent, 1), summary, **more),
        snapshot,
        last.cpu.processors,
        thresholds,
    )
    if not first.group or not last.group or first.group.used is None or last.group.used is None:
        return machine
    share = min(100.0, 100 * (last.group.used - first.group.used) / (seconds * last.group.limit))
    summary = f"{format_value(round(share), 'percent')} of the {last.group.limit:g} processors that this container may use, over {seconds:.1f} s"
    throttled = last.group.throttled - first.group.throttled
    summary += f", held back {throttled} times" if throttled > 0 else ""
    container = _lasting(
        thresholds.evaluate("host.cpu", round(share, 1), summary, **more),
        snapshot,
        last.group.limit,
        thresholds,
    )
    return _worse(container, machine)


def _lasting(check: Check, snapshot: Snapshot, processors: float, thresholds: Thresholds) -> Check:
    """The runbook means processors that are busy for five minutes. Had they been, the five-minute load would be higher than this.

    Without it, whatever runs while the probe looks, such as the probes of other hosts on the same machine, would be an alarm.
    """
    limit = check.warning if check.warning is not None else check.critical
    if (
        check.status == OK
        or limit is None
        or snapshot.load is None
        or snapshot.load >= _SETTLED * processors * limit / 100
    ):
        return check
    summary = f"{check.summary}, but only for the moment: the load over five minutes is {snapshot.load:.2f}"
    return thresholds.verdict(
        "host.cpu", OK, summary, value=check.value, window=check.window, evidence=check.evidence
    )


def _memory(snapshot: Snapshot, thresholds: Thresholds) -> Check:
    total, available = snapshot.meminfo.get("MemTotal"), snapshot.meminfo.get("MemAvailable")
    if not total or available is None:
        return _not_seen("host.memory", snapshot, "memory", thresholds)
    percent = 100 * (total - available) / total
    summary = f"{format_value(round(percent), 'percent')} in use, {format_value(available, 'bytes')} of {format_value(total, 'bytes')} available"
    evidence = _largest(snapshot) + _waited(snapshot, "memory", "memory")
    machine = thresholds.evaluate("host.memory", round(percent, 1), summary, evidence=evidence)
    group = snapshot.memory_group
    if not group or group.limit >= total:
        return machine
    percent = 100 * group.used / group.limit
    summary = f"{format_value(round(percent), 'percent')} in use, {format_value(group.used, 'bytes')} of the {format_value(group.limit, 'bytes')} this container may use"
    return _worse(
        thresholds.evaluate("host.memory", round(percent, 1), summary, evidence=evidence), machine
    )


def _worse(container: Check, machine: Check) -> Check:
    """A container is judged by its own limits, unless the machine below it is in worse shape."""
    return (
        machine if STATUSES.index(machine.status) > STATUSES.index(container.status) else container
    )


def _load(snapshot: Snapshot, thresholds: Thresholds) -> Check:
    if snapshot.load is None or not snapshot.last:
        return _not_seen("host.load", snapshot, "load", thresholds)
    # The load is the machine's, whatever a container may use of it, so the machine's processors carry it.
    processors = snapshot.last.cpu.machine
    summary = f"Load {snapshot.load:.2f} on {_processors(processors)}"
    return thresholds.evaluate(
        "host.load",
        round(snapshot.load / processors, 2),
        summary,
        window="5 min",
        evidence=_waited(snapshot, "io", "a disk"),
    )


def _swap(snapshot: Snapshot, thresholds: Thresholds) -> Check:
    total, free = snapshot.meminfo.get("SwapTotal"), snapshot.meminfo.get("SwapFree")
    if total is None or free is None:
        return _not_seen("host.swap", snapshot, "memory", thresholds)
    if not total:
        return thresholds.verdict("host.swap", OK, "No swap space is set up")
    return thresholds.evaluate(
        "host.swap",
        round(100 * (total - free) / total, 1),
        f"{format_value(total - free, 'bytes')} of {format_value(total, 'bytes')} swap in use",
    )


def _oom_kills(snapshot: Snapshot, thresholds: Thresholds) -> Check:
    if not snapshot.oom:
        return _not_seen("host.oom_kills", snapshot, "oom_kills", thresholds)
    count = snapshot.oom.counters["oom_kill"]
    what = (
        "No process was"
        if not count
        else "1 process was"
        if count == 1
        else f"{count:.0f} processes were"
    )
    return thresholds.evaluate(
        "host.oom_kills", count, f"{what} killed for lack of memory", window=snapshot.oom.window
    )


def _failed_units(units: FailedUnits, thresholds: Thresholds) -> Check:
    if units.trouble:
        remedy = "Run 'systemctl list-units --failed' on the host and see why it does not answer."
        return thresholds.verdict(
            "host.failed_units",
            UNKNOWN,
            f"systemd was not willing to list its units: {units.trouble}",
            remedy=remedy,
        )
    names = ", ".join(units.names[:_TOP]) + (
        f" and {len(units.names) - _TOP} more" if len(units.names) > _TOP else ""
    )
    count = len(units.names)
    summary = (
        "No unit has failed"
        if not count
        else f"{count} unit{'s' if count > 1 else ''} failed: {names}"
    )
    return thresholds.evaluate(
        "host.failed_units", count, summary, evidence=[{"unit": name} for name in units.names]
    )


def _clock(snapshot: Snapshot, thresholds: Thresholds) -> Check:
    seen = snapshot.clock
    if not seen:
        return _not_seen("host.clock", snapshot, "clock", thresholds)
    if seen.synchronised:
        return thresholds.evaluate(
            "host.clock",
            seen.max_error,
            f"Synchronised, at most {format_value(seen.max_error, 'seconds')} off",
        )
    if snapshot.container:
        summary = "Nothing tells whether the clock is right: it belongs to the machine below this container, and no time service set it by the kernel's means"
        return thresholds.verdict(
            "host.clock",
            UNKNOWN,
            summary,
            remedy="Look at the clock of the machine below: 'timedatectl' or 'chronyc tracking' there.",
        )
    return thresholds.verdict(
        "host.clock",
        WARNING,
        "Not synchronised: no time service is setting the clock, or it has not reached its servers",
    )


def _not_seen(name: str, snapshot: Snapshot, fact: str, thresholds: Thresholds) -> Check:
    reason = snapshot.missing.get(fact, "the kernel does not tell")
    return thresholds.verdict(
        name,
        UNKNOWN,
        f"Could not be looked at: {reason}",
        remedy="Check that /proc is mounted, and that this user may read it.",
    )


def _processors(count: int) -> str:
    return f"{count} processor{'s' if count > 1 else ''}"


def _busiest(first: Reading, last: Reading, seconds: float) -> list[dict[str, Any]]:
    used = [
        (process.cpu - first.processes[key].cpu, key[0], process.name)
        for key, process in last.processes.items()
        if key in first.processes
    ]
    rows = [
        (100 * spent / seconds, pid, name)
        for spent, pid, name in sorted(used, reverse=True)[:_TOP]
        if spent > 0
    ]
    return [
        {"what": f"{name} (pid {pid})", "of one processor": format_value(round(percent), "percent")}
        for percent, pid, name in rows
    ]


def _largest(snapshot: Snapshot) -> list[dict[str, Any]]:
    """Memory by name of process. What processes of one name share with others, such as PostgreSQL's buffers, counts once."""
    groups: dict[str, list[Process]] = {}
    for process in snapshot.last.processes.values() if snapshot.last else ():
        groups.setdefault(process.name, []).append(process)
    sizes = [
        (sum(p.own for p in members) + max(p.shared for p in members), name, len(members))
        for name, members in groups.items()
    ]
    rows = sorted(sizes, reverse=True)[:_TOP]
    return [
        {
            "what": name if count == 1 else f"{name}, {count} processes",
            "memory": format_value(size, "bytes"),
        }
        for size, name, count in rows
        if size
    ]


def _waited(snapshot: Snapshot, resource: str, words: str) -> list[dict[str, Any]]:
    percent = snapshot.pressure.get(resource)
    return (
        []
        if percent is None
        else [
            {
                "what": f"some waited for {words}",
                "of the last minute": format_value(percent, "percent"),
            }
        ]
    )


# --- looking ----------------------------------------------------------------------------------------------------------


def _reading() -> Reading:
    return Reading(
        time.monotonic(),
        parse_cpu(_text("/proc/stat"), os.sched_getaffinity(0)),
        cpu_group(),
        _processes(),
    )


def parse_cpu(stat: str, usable: set[int]) -> CpuTimes:
    """Processor times from the text of ``/proc/stat``, over the processors in ``usable``, or all where it does not list these."""
    rows = {
        fields[0]: [int(number) / _TICK for number in fields[1:9]]
        for line in stat.splitlines()
        if line.startswith("cpu")
        for fields in [line.split()]
    }
    every = rows.pop("cpu")
    mine = [rows[name] for name in (f"cpu{number}" for number in usable) if name in rows]
    # A container engine that renumbers the processors (LXCFS) lists others than those of the affinity.
    times = [sum(column) for column in zip(*mine)] if len(mine) == len(usable) else every
    # user, nice, system, idle, iowait, irq, softirq, steal; guest time is part of user
    return CpuTimes(
        sum(times),
        times[3],
        times[4],
        times[7],
        len(mine) if len(mine) == len(usable) else len(rows),
        len(rows),
    )


def parse_meminfo(text: str) -> dict[str, int]:
    """``/proc/meminfo`` in bytes."""
    fields = (line.split() for line in text.splitlines())
    return {name.rstrip(":"): int(amount) * 1024 for name, amount, *_unit in fields}


def _processes() -> dict[tuple[int, str], Process]:
    found = {}
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            try:
                stat, memory = _text(f"/proc/{entry}/stat"), _text(f"/proc/{entry}/statm")
            except OSError:  # it ended meanwhile, or is hidden from this user
                continue
            fields = stat[stat.rindex(")") + 2 :].split()
            # A program can rename itself to a text of its own, such as its command line: the first word will do.
            name = "".join(stat[stat.index("(") + 1 : stat.rindex(")")].split()[:1]).rstrip(":")
            resident, shared = (int(pages) * _PAGE for pages in memory.split()[1:3])
            found[int(entry), fields[19]] = Process(
                name, (int(fields[11]) + int(fields[12])) / _TICK, resident - shared, shared
            )
    return found


def _pressure() -> dict[str, float]:
    """Percent of the last minute; the kernel may be too old or told not to keep these figures."""
    found = {}
    for resource in ("cpu", "memory", "io"):
        with suppress(OSError, LookupError, ValueError):
            found[resource] = float(
                _text(f"/proc/pressure/{resource}").split("avg60=")[1].split()[0]
            )
    return found


def _oom_sample(group: MemoryGroup | None) -> Sample:
    """The kernel counts for the machine; a limited container has its own count."""
    kills = group.oom_kills if group else None
    if kills is None:
        kills = int(dict(line.split() for line in _text("/proc/vmstat").splitlines())["oom_kill"])
    return now_sample(
        f"{_text('/proc/sys/kernel/random/boot_id').strip()} {_started()}", {"oom_kill": kills}
    )


def _started() -> int:
    """When process 1 started, in ticks since boot: a container's life is shorter than its machine's."""
    try:
        return int(_text("/proc/1/stat").rpartition(")")[2].split()[19])
    except OSError:  # hidden from this user
        return 0


def _seconds_up() -> float:
    return float(_text("/proc/uptime").split()[0]) - _started() / _TICK


def _text(path: str) -> str:
    with open(path, encoding="utf-8", errors="replace", newline="\n") as stream:
        return stream.read()
