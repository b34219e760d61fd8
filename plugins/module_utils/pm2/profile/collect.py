# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Chooses the instance to profile, and finds out what a heap snapshot could use."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

from ...core.deadline import Deadline
from ...core.errors import Refused, UsageError
from ...core.files import free_bytes
from ...linux.cgroup import memory_group
from ...linux.proc import read_text
from ...linux.usage import Usage, busy_share, read_usage
from ..client import Client
from ..evidence import sees_processes_of, with_evidence
from ..instance import App, Instance, group_apps
from .heap import Room
from .options import Options

#: Seconds to watch the instances before one is chosen, and the percentage of it from which a busy
#: one that reads nothing does not serve.
_WATCH = 1.0
_BUSY = 85.0


@dataclass(frozen=True)
class Watched:
    """One instance, watched for a moment."""

    instance: Instance
    usage: Usage
    busy: float
    """Percent of the time for which its main thread had something to compute."""
    serves: bool


def collect(options: Options, deadline: Deadline) -> tuple[App, list[Watched]]:
    """The app and its online instances; raises `Unreachable`, `Refused` and `UsageError`."""
    with Client(options.home, deadline) as client:
        daemon = client.daemon_pid
        instances = with_evidence(client.instances(), daemon)
    found = [app for app in group_apps(instances, options.namespace) if app.name == options.name]
    if not found:
        raise Refused(f"{options.name} is not in PM2's list")
    if len(found) > 1:
        names = ", ".join(app.namespace for app in found)
        raise UsageError(f"namespace: {options.name} is in several, name one of them: {names}")
    if not sees_processes_of(daemon):
        raise Refused("PM2 runs in another container, so its processes cannot be reached from here")
    return found[0], _watch(found[0].online, deadline)


def _watch(rows: Sequence[Instance], deadline: Deadline) -> list[Watched]:
    began = time.monotonic()
    first = {row.pm_id: read_usage(row.pid) for row in rows}
    time.sleep(deadline.remaining(_WATCH) if rows else 0)
    seconds = time.monotonic() - began
    watched = []
    for row in rows:
        before, after = first[row.pm_id], read_usage(row.pid)
        if before and after and before.started == after.started:
            busy = busy_share(before, after, seconds)
            reads = (after.reads or 0) - (before.reads or 0)
            watched.append(Watched(row, after, busy, busy < _BUSY or reads > 0))
    return watched


def choose(watched: Sequence[Watched], pm_id: int | None) -> Watched:
    """The instance with this id of PM2; without one the busiest, of idle ones the largest."""
    if not watched:
        raise Refused("no instance is online")
    if pm_id is None:
        return max(watched, key=lambda each: (round(each.busy, -1), each.usage.resident))
    for each in watched:
        if each.instance.pm_id == pm_id:
            return each
    ids = ", ".join(str(each.instance.pm_id) for each in watched)
    raise UsageError(f"instance: no online instance has the id {pm_id}; there are {ids}")


def room(chosen: Watched, watched: Sequence[Watched], dest: str) -> Room:
    """What a heap snapshot of the instance could use, right now."""
    others = [each for each in watched if each is not chosen]
    return Room(
        chosen.serves,
        sum(each.serves for each in others),
        _free_memory(chosen.instance.pid),
        _free_disk(dest),
    )


def _free_memory(pid: int) -> int | None:
    """Free bytes of the host, or of the cgroup of a process if that has less."""
    try:
        fields = dict(line.split(":", 1) for line in read_text("/proc/meminfo").split("\n") if line)
        available = int(fields["MemAvailable"].split()[0]) * 1024
    except (OSError, LookupError, ValueError):
        return None
    group = memory_group(pid)
    return min(available, max(0, group.limit - group.used)) if group else available


def _free_disk(dest: str) -> int | None:
    try:
        return free_bytes(dest)
    except OSError:
        return None
