# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a container or a service may use: the tightest limit on the way from a process's cgroup up, in version 1 and 2."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass

#: Version 1 writes "no limit" as the largest number of whole pages; nothing real comes near.
_NO_LIMIT = 1 << 60


@dataclass(frozen=True)
class MemoryGroup:
    """The cgroup whose memory limit binds first."""

    limit: int
    used: int
    """Without the file cache, which the kernel gives back before it kills."""
    oom_kills: int | None


@dataclass(frozen=True)
class CpuGroup:
    """The cgroup whose processor limit binds first."""

    limit: float
    """How many processors' time it may use."""
    used: float | None
    """Processor seconds used so far."""
    throttled: int
    """How often it had to wait for its next share."""


def memory_group(pid: int | str = 1, root: str = "/") -> MemoryGroup | None:
    """The binding memory limit of a process; of process 1 it is that of the container, none on a plain machine."""
    version, folders = _folders("memory", pid, root)
    name = "memory.max" if version == 2 else "memory.limit_in_bytes"
    limits = [
        (limit, folder)
        for folder in folders
        for limit in [_number(os.path.join(folder, name))]
        if limit is not None and limit < _NO_LIMIT
    ]
    if not limits:
        return None
    limit, folder = min(limits)
    stat = _fields(os.path.join(folder, "memory.stat"))
    if version == 2:
        usage = _number(os.path.join(folder, "memory.current"))
        cache = (
            stat.get("inactive_file", 0)
            + stat.get("active_file", 0)
            + stat.get("slab_reclaimable", 0)
        )
        kills = _fields(os.path.join(folder, "memory.events")).get("oom_kill")
    else:
        usage = _number(os.path.join(folder, "memory.usage_in_bytes"))
        cache = stat.get("total_inactive_file", 0) + stat.get("total_active_file", 0)
        kills = _fields(os.path.join(folder, "memory.oom_control")).get("oom_kill")
    return None if usage is None else MemoryGroup(limit, max(0, usage - cache), kills)


def cpu_group(pid: int | str = 1, root: str = "/") -> CpuGroup | None:
    """The binding processor limit of a process, likewise."""
    version, folders = _folders("cpu", pid, root)
    limits = [
        (limit, folder)
        for folder in folders
        for limit in [_cpu_limit(folder, version)]
        if limit is not None
    ]
    if not limits:
        return None
    limit, folder = min(limits)
    stat = _fields(os.path.join(folder, "cpu.stat"))
    if version == 2:
        microseconds = stat.get("usage_usec")
        return CpuGroup(
            limit, None if microseconds is None else microseconds / 1e6, stat.get("nr_throttled", 0)
        )
    depth = folders.index(folder)
    accounting = _folders("cpuacct", pid, root)[1]
    nanoseconds = (
        _number(os.path.join(accounting[depth], "cpuacct.usage"))
        if depth < len(accounting)
        else None
    )
    return CpuGroup(
        limit, None if nanoseconds is None else nanoseconds / 1e9, stat.get("nr_throttled", 0)
    )


def _folders(controller: str, pid: int | str, root: str) -> tuple[int, list[str]]:
    """The version that governs a controller, and the folders of a process's cgroup and those above it, innermost first."""
    paths = {}
    for line in _lines(os.path.join(root, f"proc/{pid}/cgroup")) or _lines(
        os.path.join(root, "proc/self/cgroup")
    ):
        _id, controllers, path = line.split(":", 2)
        paths.update(dict.fromkeys(controllers.split(","), path))
    for version, top, mounted in _hierarchies(controller, root):
        path = paths.get(controller if version == 1 else "", "/")
        # A container sees its own cgroup as the top of the mount, while its path may still be the one on the host.
        inside = (
            os.path.relpath(path, mounted)
            if os.path.commonpath([path, mounted]) == mounted
            else "."
        )
        folder = os.path.normpath(os.path.join(top, inside))
        while not os.path.isdir(folder) and folder != top:
            folder = os.path.dirname(folder)
        folders = [folder]
        while folders[-1] != top:
            folders.append(os.path.dirname(folders[-1]))
        return version, folders
    return 0, []


def _hierarchies(controller: str, root: str) -> Iterator[tuple[int, str, str]]:
    """Where a controller is mounted: version, mount point, and the cgroup that is mounted there. Version 1 comes first."""
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
    if version == 2:
        quota, _space, period = (_lines(os.path.join(folder, "cpu.max")) or ["max"])[0].partition(
            " "
        )
    else:
        quota = (_lines(os.path.join(folder, "cpu.cfs_quota_us")) or ["-1"])[0]
        period = (_lines(os.path.join(folder, "cpu.cfs_period_us")) or ["0"])[0]
    return (
        int(quota) / int(period) if quota.isdigit() and period.isdigit() and int(period) else None
    )


def _number(path: str) -> int | None:
    text = (_lines(path) or [""])[0]
    return int(text) if text.isdigit() else None


def _fields(path: str) -> dict[str, int]:
    pairs = (line.split() for line in _lines(path))
    return {pair[0]: int(pair[1]) for pair in pairs if len(pair) == 2 and pair[1].isdigit()}


def _lines(path: str) -> list[str]:
    """A file's lines; a missing or forbidden one has none, as on kernels without that controller."""
    try:
        with open(path, encoding="utf-8", errors="replace", newline="\n") as stream:
            text = stream.read().rstrip("\n")
    except OSError:
        return []
    return text.split("\n") if text else []  # the name of a mount may hold any other separator
