# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Limits of a container or service: the tightest one of a process's cgroup and those above it.

In versions 1 and 2 of cgroups.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass

from .pressure import Pressure, read_pressure
from .proc import read_text

#: Version 1 writes "no limit" as the largest number of whole pages, far above any real limit.
_NO_LIMIT = 1 << 60


@dataclass(frozen=True)
class MemoryGroup:
    """The cgroup with the tightest memory limit."""

    limit: int
    """Bytes."""
    used: int
    """Bytes, without the file cache, which the kernel reclaims before it kills."""
    oom_kills: int | None
    """Processes killed in it so far; none if the kernel does not count them."""


@dataclass(frozen=True)
class CpuGroup:
    """The cgroup with the tightest processor limit."""

    limit: float
    """Number of processors, such as 0.5."""
    used: float | None
    """Processor seconds used so far."""
    throttled: int
    """How often it was throttled so far."""
    waits: Pressure | None = None
    """How long its tasks waited for a processor, also because of the limit; none in version 1."""


def memory_group(pid: int | str = 1, root: str = "/") -> MemoryGroup | None:
    """The tightest memory limit of a process; none if there is no limit.

    That of process 1 is the container's.
    """
    version, folders = _folders("memory", pid, root)
    name = "memory.max" if version == 2 else "memory.limit_in_bytes"
    limits = {folder: _number(os.path.join(folder, name)) for folder in folders}
    found = [(limit, folder) for folder, limit in limits.items() if limit is not None]
    limit, folder = min(found, default=(_NO_LIMIT, ""))
    if limit >= _NO_LIMIT:
        return None
    stat = _fields(os.path.join(folder, "memory.stat"))
    if version == 2:
        usage = _number(os.path.join(folder, "memory.current"))
        reclaimable = ("inactive_file", "active_file", "slab_reclaimable")
        cache = sum(stat.get(name, 0) for name in reclaimable)
        kills = _fields(os.path.join(folder, "memory.events")).get("oom_kill")
    else:
        usage = _number(os.path.join(folder, "memory.usage_in_bytes"))
        cache = stat.get("total_inactive_file", 0) + stat.get("total_active_file", 0)
        kills = _fields(os.path.join(folder, "memory.oom_control")).get("oom_kill")
    return None if usage is None else MemoryGroup(limit, max(0, usage - cache), kills)


def cpu_group(pid: int | str = 1, root: str = "/") -> CpuGroup | None:
    """The tightest processor limit of a process; none if there is no limit."""
    version, folders = _folders("cpu", pid, root)
    limits = {folder: _cpu_limit(folder, version) for folder in folders}
    found = [(limit, folder) for folder, limit in limits.items() if limit is not None]
    if not found:
        return None
    limit, folder = min(found)
    stat = _fields(os.path.join(folder, "cpu.stat"))
    throttled = stat.get("nr_throttled", 0)
    if version == 1:
        return CpuGroup(limit, _cpu_used(folders.index(folder), pid, root), throttled)
    microseconds = stat.get("usage_usec")
    used = None if microseconds is None else microseconds / 1e6
    waiting = read_pressure(os.path.join(folder, "cpu.pressure"))
    return CpuGroup(limit, used, throttled, waiting)


def _cpu_used(level: int, pid: int | str, root: str) -> float | None:
    """Processor seconds of the cgroup so many levels above a process's, in version 1."""
    folders = _folders("cpuacct", pid, root)[1]
    if level >= len(folders):
        return None
    nanoseconds = _number(os.path.join(folders[level], "cpuacct.usage"))
    return None if nanoseconds is None else nanoseconds / 1e9


def _folders(controller: str, pid: int | str, root: str) -> tuple[int, list[str]]:
    """Version of a controller, and a process's cgroup and those above it, innermost first."""
    paths = _cgroup_paths(pid, root)
    for version, top, mounted in _hierarchies(controller, root):
        path = paths.get(controller if version == 1 else "", "/")
        # A container sees its own cgroup as the top of the mount, but its path may be the host's.
        inside = "."
        if os.path.commonpath([path, mounted]) == mounted:
            inside = os.path.relpath(path, mounted)
        folder = os.path.normpath(os.path.join(top, inside))
        while not os.path.isdir(folder) and folder != top:
            folder = os.path.dirname(folder)
        folders = [folder]
        while folders[-1] != top:
            folders.append(os.path.dirname(folders[-1]))
        return version, folders
    return 0, []


def _cgroup_paths(pid: int | str, root: str) -> dict[str, str]:
    """A process's cgroups by controller; that of version 2 has the empty name."""
    paths = {}
    own = os.path.join(root, "proc/self/cgroup")
    for line in _lines(os.path.join(root, f"proc/{pid}/cgroup")) or _lines(own):
        _id, controllers, path = line.split(":", 2)
        paths.update(dict.fromkeys(controllers.split(","), path))
    return paths


def _hierarchies(controller: str, root: str) -> Iterator[tuple[int, str, str]]:
    """Where a controller is mounted: version, mount point and the cgroup mounted there.

    Version 1 comes first.
    """
    unified = []
    for line in _lines(os.path.join(root, "proc/self/mountinfo")):
        before, _dash, after = line.partition(" - ")
        fields, kind = before.split(), after.split()
        point = os.path.join(root, fields[4].lstrip("/"))
        if kind[0] == "cgroup" and controller in kind[-1].split(","):
            yield 1, point, fields[3]
        elif kind[0] == "cgroup2":
            unified.append((2, point, fields[3]))
    yield from unified


def _cpu_limit(folder: str, version: int) -> float | None:
    """Number of processors; none if there is no limit."""
    if version == 2:
        quota, _space, period = _first_line(os.path.join(folder, "cpu.max")).partition(" ")
    else:
        quota = _first_line(os.path.join(folder, "cpu.cfs_quota_us"))
        period = _first_line(os.path.join(folder, "cpu.cfs_period_us"))
    if not quota.isdigit() or not period.isdigit() or not int(period):
        return None
    return int(quota) / int(period)


def _number(path: str) -> int | None:
    text = _first_line(path)
    return int(text) if text.isdigit() else None


def _fields(path: str) -> dict[str, int]:
    pairs = (line.split() for line in _lines(path))
    return {pair[0]: int(pair[1]) for pair in pairs if len(pair) == 2 and pair[1].isdigit()}


def _first_line(path: str) -> str:
    return (_lines(path) or [""])[0]


def _lines(path: str) -> list[str]:
    """A file's lines; none if it is missing, as on kernels without that controller."""
    try:
        text = read_text(path).rstrip("\n")
    except OSError:
        return []
    # The name of a mount may contain any other line separator.
    return text.split("\n") if text else []
