# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The verdict on processors: the host machine's, and a container's limit."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from ..core.check import OK, WARNING, Check
from ..core.thresholds import Thresholds
from ..core.units import format_value, pluralize
from ..linux.cgroup import CpuGroup
from ..linux.pressure import Pressure
from .snapshot import CpuReading, Snapshot
from .verdicts import could_not_be_read, pressure_row, worse

#: Share of its final value that a load average reaches in the time that it covers: it decays.
_REACHED = 0.63
#: Percent of a minute, or of five, in which tasks waited that shows that it was busy throughout.
_WAITING = 50
#: Seconds of a window that needs no other evidence that the processors were busy that long.
_LONG = 150
_MINUTE = 60
#: Percent from which on the summary mentions it.
_NOTABLE_STEAL = 5
_NOTABLE_IOWAIT = 10
_TOP_PROCESSES = 5


def assess_cpu(snapshot: Snapshot, thresholds: Thresholds) -> Check:
    """``host.cpu``: since a recent run if there was one, unless the last minute was worse."""
    if not snapshot.end:
        return could_not_be_read("host.cpu", snapshot, "cpu", thresholds)
    starts = [start for start in (snapshot.earlier, snapshot.start) if start]
    if snapshot.earlier and snapshot.glance:
        starts = [snapshot.earlier]
    starts = [start for start in starts if snapshot.end.cpu.total > start.cpu.total]
    if not starts:
        return could_not_be_read("host.cpu", snapshot, "cpu", thresholds)
    over, *rest = (_over(start, snapshot.end, snapshot, thresholds) for start in starts)
    return worse(over, *rest) if rest else over


def _over(start: CpuReading, end: CpuReading, snapshot: Snapshot, thresholds: Thresholds) -> Check:
    """The verdict on one interval: the worse of the container's limit and the host machine."""
    seconds = end.time - start.time
    percent, summary = _of_host(start, end)
    check = _evaluate(percent, summary, snapshot, start, end, thresholds)
    proof = _Proof(seconds, end.cpu.processors, snapshot, snapshot.pressure.get("cpu"))
    host = _sustained(check, proof, thresholds)
    share = _share_of_limit(start, end)
    if share is None or not start.cgroup or not end.cgroup:
        return host
    summary = _container_summary(share, start.cgroup, end.cgroup, seconds)
    check = _evaluate(share, summary, snapshot, start, end, thresholds)
    proof = _Proof(seconds, end.cgroup.limit, snapshot, end.cgroup.waits)
    return worse(_sustained(check, proof, thresholds), host)


def _of_host(start: CpuReading, end: CpuReading) -> tuple[float, str]:
    """Percent of the processors that was busy, and the summary.

    The probe's own work is left out, as if the processors had been fewer for that time.
    """
    own = max(0.0, end.own - start.own)
    total = max(0.01, end.cpu.total - start.cpu.total - own)
    iowait = 100 * max(0.0, end.cpu.iowait - start.cpu.iowait) / total
    steal = 100 * max(0.0, end.cpu.steal - start.cpu.steal) / total
    idle = 100 * (end.cpu.idle - start.cpu.idle) / total
    percent = min(100.0, max(0.0, 100 - idle - iowait))
    summary = (
        f"{format_value(round(percent), 'percent')} "
        f"of {pluralize(end.cpu.processors, 'processor')} busy over {_time(end.time - start.time)}"
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
        f"of {end.limit:g} processors, over {_time(seconds)}"
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
    now = snapshot.start or start  # an earlier run's processes are not kept
    return thresholds.evaluate(
        "host.cpu",
        round(percent, 1),
        summary,
        window=_time(end.time - start.time),
        evidence=_busiest_processes(now, end) + pressure_row(snapshot, "cpu", "a processor"),
    )


@dataclass(frozen=True)
class _Proof:
    """What shows for how long the processors have been busy."""

    seconds: float
    """Length of the interval that was measured."""
    capacity: float
    """Number of processors."""
    snapshot: Snapshot
    waits: Pressure | None

    def five_minutes(self, threshold: float) -> bool:
        waits = self.waits.five_minutes if self.waits else 0.0
        return (
            self.seconds >= _LONG
            or waits >= _WAITING
            or self._reached(self.snapshot.load, threshold)
        )

    def minute(self, threshold: float) -> bool:
        waits = self.waits.minute if self.waits else 0.0
        return (
            self.seconds >= _MINUTE
            or waits >= _WAITING
            or self._reached(self.snapshot.load_minute, threshold)
        )

    def _reached(self, load: float | None, threshold: float) -> bool:
        return load is None or load >= _REACHED * self.capacity * threshold / 100


def _sustained(check: Check, proof: _Proof, thresholds: Thresholds) -> Check:
    """The check, milder if the processors have not been that busy for five minutes.

    The runbook means five minutes. What has lasted about a minute is a warning. Less raises no
    alarm, or anything that runs during the probe would, such as the probes of other hosts on the
    same machine.
    """
    threshold = check.warning if check.warning is not None else check.critical
    if check.status == OK or threshold is None or proof.five_minutes(threshold):
        return check
    if proof.minute(threshold):
        if check.status == WARNING:
            return check
        return replace(check, status=WARNING, summary=f"{check.summary}, for about a minute so far")
    load = proof.snapshot.load_minute or 0.0
    summary = f"{check.summary}, but only briefly: the one-minute load is {load:.2f}"
    return thresholds.verdict(
        "host.cpu", OK, summary, value=check.value, window=check.window, evidence=check.evidence
    )


def _time(seconds: float) -> str:
    if seconds >= _MINUTE:
        minutes, rest = divmod(round(seconds), 60)
        return f"{minutes} min {rest} s" if rest else f"{minutes} min"
    return f"{seconds:.1f} s" if seconds >= 0.1 else f"{seconds:.2f} s"


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
