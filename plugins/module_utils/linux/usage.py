# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What one process has used so far: processor time by thread, memory, open files, input and output.

Counters and figures of the moment, as `proc(5)` has them. What cannot be read is none.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field

from .proc import read_text, stat_fields

_TICKS = os.sysconf("SC_CLK_TCK")
_PAGE = os.sysconf("SC_PAGE_SIZE")
#: Positions in `stat_fields`.
_USER, _SYSTEM, _STARTED, _RESIDENT = 11, 12, 19, 21


@dataclass(frozen=True)
class Thread:
    """One thread; times are processor seconds."""

    tid: int
    name: str
    user: float
    system: float
    wanted: float = 0.0
    """Seconds for which it used a processor or waited for one; 0 if the kernel does not count."""

    @property
    def cpu(self) -> float:
        return self.user + self.system


def busy_share(first: Usage, last: Usage, seconds: float) -> float:
    """Percent of the time for which the main thread had something to compute.

    It may have got less of a processor, on a host that is overloaded.
    """
    before, after = first.main_thread, last.main_thread
    if before is None or after is None or seconds <= 0:
        return 0.0
    return 100 * max(after.cpu - before.cpu, after.wanted - before.wanted) / seconds


@dataclass(frozen=True)
class Usage:
    """A process at one moment."""

    pid: int
    started: str
    """When it started, in the kernel's own unit: with ``pid``, this identifies a process."""
    state: str
    user: float
    """Processor seconds so far, of all threads."""
    system: float
    resident: int
    """Bytes."""
    threads: tuple[Thread, ...]
    reads: int | None
    """Calls of read() by the main thread so far; none if this user lacks permission."""
    files: Mapping[int, str] | None = field(default=None, repr=False)
    """Open files by number, as the links in /proc say; none without permission."""
    file_limit: int | None = None
    """The number of files that it may open."""

    @property
    def cpu(self) -> float:
        return self.user + self.system

    @property
    def main_thread(self) -> Thread | None:
        return next((thread for thread in self.threads if thread.tid == self.pid), None)


def read_usage(pid: int) -> Usage | None:
    """None if there is no such process, or it has exited."""
    fields = stat_fields(pid)
    if len(fields) <= _RESIDENT or fields[0] in "ZX":
        return None
    return Usage(
        pid=pid,
        started=fields[_STARTED],
        state=fields[0],
        user=int(fields[_USER]) / _TICKS,
        system=int(fields[_SYSTEM]) / _TICKS,
        resident=int(fields[_RESIDENT]) * _PAGE,
        threads=tuple(_threads(pid)),
        reads=_reads(pid),
        files=_files(pid),
        file_limit=_file_limit(pid),
    )


def _threads(pid: int) -> list[Thread]:
    found = []
    with suppress(OSError):
        for tid in os.listdir(f"/proc/{pid}/task"):
            fields = stat_fields(f"{pid}/task/{tid}")
            if len(fields) > _SYSTEM:
                user, system = int(fields[_USER]) / _TICKS, int(fields[_SYSTEM]) / _TICKS
                found.append(Thread(int(tid), _name(pid, tid), user, system, _wanted(pid, tid)))
    return found


def _wanted(pid: int, tid: str) -> float:
    try:
        ran, waited = read_text(f"/proc/{pid}/task/{tid}/schedstat").split()[:2]
        return (int(ran) + int(waited)) / 1e9
    except (OSError, ValueError):
        return 0.0


def _name(pid: int, tid: str) -> str:
    try:
        return read_text(f"/proc/{pid}/task/{tid}/comm").rstrip("\n")
    except OSError:
        return ""


def _reads(pid: int) -> int | None:
    try:
        text = read_text(f"/proc/{pid}/task/{pid}/io")
    except OSError:
        return None
    pairs = dict(line.split(": ", 1) for line in text.split("\n") if ": " in line)
    return int(pairs["syscr"]) if pairs.get("syscr", "").isdigit() else None


def _files(pid: int) -> dict[int, str] | None:
    folder = f"/proc/{pid}/fd"
    try:
        numbers = os.listdir(folder)
    except OSError:
        return None
    found = {}
    for number in numbers:
        with suppress(OSError):  # closed meanwhile
            found[int(number)] = os.readlink(f"{folder}/{number}")
    return found


def _file_limit(pid: int) -> int | None:
    with suppress(OSError):
        for line in read_text(f"/proc/{pid}/limits").split("\n"):
            if line.startswith("Max open files"):
                soft = line[len("Max open files") :].split()[0]
                return int(soft) if soft.isdigit() else None
    return None
