# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Verdicts on memory: what is in use, swap and OOM kills."""

from __future__ import annotations

from typing import Any

from ..core.check import OK, Check
from ..core.thresholds import Thresholds
from ..core.units import format_value, pluralize
from .snapshot import Process, Snapshot
from .verdicts import could_not_be_read, pressure_row, worse

_TOP_PROGRAMS = 5
#: Share of memory that must be available if what is in swap raises no alarm.
_ENOUGH = 0.2
#: Seconds since the start in which a first run counts OOM kills as recent.
_RECENT = 86400


def assess_memory(snapshot: Snapshot, thresholds: Thresholds) -> Check:
    """``host.memory``: the worse of the container's limit and the host machine."""
    total, available = snapshot.meminfo.get("MemTotal"), snapshot.meminfo.get("MemAvailable")
    if not total or available is None:
        return could_not_be_read("host.memory", snapshot, "memory", thresholds)
    evidence = _largest_programs(snapshot) + pressure_row(snapshot, "memory", "memory")
    percent = 100 * (total - available) / total
    summary = (
        f"{format_value(round(percent), 'percent')} in use, "
        f"{format_value(available, 'bytes')} of {format_value(total, 'bytes')} available"
    )
    host = thresholds.evaluate("host.memory", round(percent, 1), summary, evidence=evidence)
    cgroup = snapshot.memory_cgroup
    if not cgroup or cgroup.limit >= total:
        return host
    percent = 100 * cgroup.used / cgroup.limit
    summary = (
        f"{format_value(round(percent), 'percent')} in use, {format_value(cgroup.used, 'bytes')} "
        f"of this container's limit of {format_value(cgroup.limit, 'bytes')}"
    )
    container = thresholds.evaluate("host.memory", round(percent, 1), summary, evidence=evidence)
    return worse(container, host)


def assess_swap(snapshot: Snapshot, thresholds: Thresholds) -> Check:
    """``host.swap``."""
    total, free = snapshot.meminfo.get("SwapTotal"), snapshot.meminfo.get("SwapFree")
    if total is None or free is None:
        return could_not_be_read("host.swap", snapshot, "memory", thresholds)
    if not total:
        return thresholds.verdict("host.swap", OK, "No swap space is configured")
    check = thresholds.evaluate(
        "host.swap",
        round(100 * (total - free) / total, 1),
        f"{format_value(total - free, 'bytes')} of {format_value(total, 'bytes')} swap in use",
    )
    if check.status != OK and _is_calm(snapshot):
        summary = f"{check.summary}, but nothing is being swapped, and enough memory is available"
        return thresholds.verdict("host.swap", OK, summary, value=check.value)
    return check


def _is_calm(snapshot: Snapshot) -> bool:
    """Whether what is in swap was put there long ago and is not missed."""
    total, available = (snapshot.meminfo.get(f"Mem{name}", 0) for name in ("Total", "Available"))
    enough = bool(total) and available >= _ENOUGH * total
    waits = snapshot.pressure.get("memory")
    return enough and not snapshot.swapping and (waits is None or waits.minute < 1)


def assess_oom_kills(snapshot: Snapshot, thresholds: Thresholds) -> Check:
    """``host.oom_kills`` since the last run."""
    if not snapshot.oom_kills:
        return could_not_be_read("host.oom_kills", snapshot, "oom_kills", thresholds)
    count = int(snapshot.oom_kills.counters["oom_kill"])
    summary = "The OOM killer killed no process"
    if count:
        summary = f"The OOM killer killed {pluralize(count, 'process', 'processes')}"
    window = snapshot.oom_kills.window
    if count and not snapshot.oom_kills.since_last_run and snapshot.oom_kills.seconds > _RECENT:
        return thresholds.not_judged(
            "host.oom_kills",
            summary,
            "when is not known; the next run counts from this one on",
            value=count,
            window=window,
        )
    return thresholds.evaluate("host.oom_kills", count, summary, window=window)


def _largest_programs(snapshot: Snapshot) -> list[dict[str, Any]]:
    """Memory by name of process.

    What processes of one name share, such as PostgreSQL's buffers, counts once.
    """
    programs: dict[str, list[Process]] = {}
    for process in snapshot.end.processes.values() if snapshot.end else ():
        programs.setdefault(process.name, []).append(process)
    sizes = [(_memory_of(processes), name, len(processes)) for name, processes in programs.items()]
    return [
        {
            "what": name if count == 1 else f"{name}, {count} processes",
            "memory": format_value(size, "bytes"),
        }
        for size, name, count in sorted(sizes, reverse=True)[:_TOP_PROGRAMS]
        if size
    ]


def _memory_of(processes: list[Process]) -> int:
    return sum(each.private_bytes for each in processes) + max(
        each.shared_bytes for each in processes
    )
