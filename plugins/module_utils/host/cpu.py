# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The verdict on processors: the host machine's, and a container's limit."""

from __future__ import annotations

from typing import Any

from ..core.check import OK, Check
from ..core.thresholds import Thresholds
from ..core.units import format_value, pluralize
from ..linux.cgroup import CpuGroup
from .snapshot import CpuReading, Snapshot
from .verdicts import could_not_be_read, pressure_row, worse

#: Share of its final value that the five-minute load, a decaying average, reaches in five minutes.
_REACHED_IN_FIVE_MINUTES = 0.63
#: Percent from which on the summary mentions it.
_NOTABLE_STEAL = 5
_NOTABLE_IOWAIT = 10
_TOP_PROCESSES = 5


def assess_cpu(snapshot: Snapshot, thresholds: Thresholds) -> Check:
    """``host.cpu``: the worse of the container's limit and the host machine."""
    start, end = snapshot.start, snapshot.end
    if not start or not end or end.cpu.total <= start.cpu.total:
        return could_not_be_read("host.cpu", snapshot, "cpu", thresholds)
    percent, summary = _of_host(start, end)
    host = _sustained(
        _evaluate(percent, summary, snapshot, start, end, thresholds),
        end.cpu.processors,
        snapshot,
        thresholds,
    )
    share = _share_of_limit(start, end)
    if share is None or not start.cgroup or not end.cgroup:
        return host
    summary = _container_summary(share, start.cgroup, end.cgroup, end.time - start.time)
    container = _sustained(
        _evaluate(share, summary, snapshot, start, end, thresholds),
        end.cgroup.limit,
        snapshot,
        thresholds,
    )
    return worse(container, host)


def _of_host(start: CpuReading, end: CpuReading) -> tuple[float, str]:
    """Percent of the processors that was busy, and the summary."""
    total = end.cpu.total - start.cpu.total
    iowait = 100 * max(0.0, end.cpu.iowait - start.cpu.iowait) / total
    steal = 100 * max(0.0, end.cpu.steal - start.cpu.steal) / total
    idle = 100 * (end.cpu.idle - start.cpu.idle) / total
    percent = min(100.0, max(0.0, 100 - idle - iowait))
    summary = (
        f"{format_value(round(percent), 'percent')} "
        f"of {pluralize(end.cpu.processors, 'processor')} busy over {end.time - start.time:.1f} s"
    )
    if steal >= _NOTABLE_STEAL:
        summary += f", {format_value(round(steal), 'percent')} stolen by other virtual machines"
    if iowait >= _NOTABLE_IOWAIT:
        summary += f", and {format_value(round(iowait), 'percent')} idle, waiting for disk I/O"
    return percent, summary


def _share_of_limit(start: CpuReading, end: CpuReading) -> float | None:
    """Percent of the container's limit that was used; none if it has none."""
    if not start.cgroup or not end.cgroup or start.cgroup.used is None or end.cgroup.used is None:
        return None
    available = (end.time - start.time) * end.cgroup.limit
    return min(100.0, 100 * (end.cgroup.used - start.cgroup.used) / available)


def _container_summary(share: float, start: CpuGroup, end: CpuGroup, seconds: float) -> str:
    summary = (
        f"{format_value(round(share), 'percent')} of this container's limit "
        f"of {end.limit:g} processors, over {seconds:.1f} s"
    )
    throttled = end.throttled - start.throttled
    return f"{summary}, throttled {throttled} times" if throttled > 0 else summary


def _evaluate(
    percent: float,
    summary: str,
    snapshot: Snapshot,
    start: CpuReading,
    end: CpuReading,
    thresholds: Thresholds,
) -> Check:
    return thresholds.evaluate(
        "host.cpu",
        round(percent, 1),
        summary,
        window=f"{end.time - start.time:.1f} s",
        evidence=_busiest_processes(start, end) + pressure_row(snapshot, "cpu", "a processor"),
    )


def _sustained(
    check: Check, processors: float, snapshot: Snapshot, thresholds: Thresholds
) -> Check:
    """The check, or ok if the processors cannot have been that busy for five minutes.

    The runbook means processors that are busy for five minutes: then the five-minute load would be
    higher. Without this, anything that runs during the probe would raise an alarm, such as the
    probes of other hosts on the same machine.
    """
    threshold = check.warning if check.warning is not None else check.critical
    if check.status == OK or threshold is None or snapshot.load is None:
        return check
    if snapshot.load >= _REACHED_IN_FIVE_MINUTES * processors * threshold / 100:
        return check
    summary = f"{check.summary}, but only briefly: the five-minute load is {snapshot.load:.2f}"
    return thresholds.verdict(
        "host.cpu", OK, summary, value=check.value, window=check.window, evidence=check.evidence
    )


def _busiest_processes(start: CpuReading, end: CpuReading) -> list[dict[str, Any]]:
    seconds = end.time - start.time
    used = [
        (process.cpu_seconds - start.processes[key].cpu_seconds, key[0], process.name)
        for key, process in end.processes.items()
        if key in start.processes
    ]
    return [
        {
            "what": f"{name} (pid {pid})",
            "of one processor": format_value(round(100 * spent / seconds), "percent"),
        }
        for spent, pid, name in sorted(used, reverse=True)[:_TOP_PROCESSES]
        if spent > 0
    ]
