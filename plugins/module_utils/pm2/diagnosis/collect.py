# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Watches the apps under PM2 from outside: reads /proc every second, and changes nothing."""

from __future__ import annotations

import os
import time
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress

from ...core.deadline import Deadline
from ...linux.cgroup import memory_group
from ...linux.sockets import ESTABLISHED, Connection, connections, socket_inodes
from ...linux.usage import Usage, read_usage
from ...linux.zones import process_zone
from ...logs.scan import LogFile
from ..client import Client
from ..error_log import log_files
from ..evidence import sees_processes_of, with_evidence
from ..instance import App, Instance, group_apps, instance_from
from ..log_state import observe_logs
from .options import Options
from .reported import DEFAULT_PORTS, Reported, reported
from .signs import search
from .snapshot import Look, Snapshot, Trend

#: Seconds between two looks; fewer in a short window, so that there are always enough.
_POLL = 1.0
_LOOKS = 9
#: Peers that are shown.
_PEERS = 6


def collect(options: Options, deadline: Deadline) -> list[Snapshot]:
    """The apps, each watched for the window at the same time.

    Raises `Unreachable` as `Client` does.
    """
    with Client(options.home, deadline) as client:
        daemon = client.daemon_pid
        rows = client.rows()
        before = reported(rows)
        instances = with_evidence(map(instance_from, rows), daemon)
    apps = [
        app
        for app in group_apps(instances, options.namespace)
        if not options.names or app.name in options.names
    ]
    hidden = not sees_processes_of(daemon)
    watched = [] if hidden else [row for app in apps for row in app.online]
    ports = {row.pm_id: _ports(before.get(row.pm_id), options) for row in watched}
    began = time.monotonic()
    looks, after = _watch(watched, ports, options, deadline)
    seconds = time.monotonic() - began
    return [
        Snapshot(
            app=app,
            trends=tuple(_trends(app, looks, before, after)),
            replaced=tuple(row.pm_id for row in app.online if not _is_same(looks.get(row.pm_id))),
            hidden=hidden,
            seconds=seconds,
            processors=len(os.sched_getaffinity(0)),
            signs=search(
                _logs(app, daemon, options),
                time.time() - options.log_hours * 3600,
                time.time(),
                {row.pm_id for row in app.instances},
            ),
            taken=time.time(),
        )
        for app in apps
    ]


def _logs(app: App, daemon: int, options: Options) -> list[LogFile]:
    now = time.time()
    errors, output = log_files(app, (), daemon, observe_logs(app, daemon, now))
    own = LogFile(os.path.join(options.home, "pm2.log"), zone=process_zone(daemon))
    return [*errors, *output, own]


def _ports(known: Reported | None, options: Options) -> tuple[int, ...]:
    port = known.database_port if known else None
    return (*options.ports, *((port,) if port else DEFAULT_PORTS))


def _watch(
    watched: Sequence[Instance],
    ports: Mapping[int, tuple[int, ...]],
    options: Options,
    deadline: Deadline,
) -> tuple[dict[int, list[Look]], dict[int, Reported]]:
    """What was seen of each instance until the window ended, by PM2's id; the last figures."""
    found: dict[int, list[Look]] = {row.pm_id: [] for row in watched}
    pause = min(_POLL, options.window / (_LOOKS - 1))
    end = time.monotonic() + options.window
    with Client(options.home, deadline) as client:
        while True:
            figures = reported(client.rows())
            for row in watched:
                usage = read_usage(row.pid)
                if usage:
                    near = _database(usage, ports[row.pm_id])
                    said = figures.get(row.pm_id, Reported()).figures
                    found[row.pm_id].append(Look(time.monotonic(), usage, near, said))
            left = end - time.monotonic()
            if left <= 0 or not watched:
                return found, figures
            time.sleep(deadline.remaining(min(pause, left)))


def _established(usage: Usage) -> list[Connection]:
    inodes = socket_inodes(usage.files or {})
    with suppress(OSError):
        return [each for each in connections(usage.pid, inodes) if each.state == ESTABLISHED]
    return []


def _database(usage: Usage, ports: tuple[int, ...]) -> tuple[Connection, ...]:
    return tuple(each for each in _established(usage) if each.peer[1] in ports)


def _is_same(looks: list[Look] | None) -> bool:
    """Whether all looks show one process, and the last one shows it running."""
    if looks is None or len(looks) < 2:
        return False
    running = read_usage(looks[-1].usage.pid)
    starts = {look.usage.started for look in looks}
    return running is not None and starts == {running.started}


def _trends(
    app: App,
    looks: Mapping[int, list[Look]],
    before: Mapping[int, Reported],
    after: Mapping[int, Reported],
) -> Iterable[Trend]:
    for row in app.online:
        seen = looks.get(row.pm_id)
        if seen is None or not _is_same(seen):
            continue
        yield Trend(
            row,
            seen,
            before.get(row.pm_id, Reported()),
            after.get(row.pm_id, Reported()),
            tuple(_peers(_established(seen[-1].usage))),
            _limit(row),
        )


def _peers(found: Iterable[Connection]) -> list[tuple[str, int]]:
    counts = Counter(f"{each.peer[0]}:{each.peer[1]}" for each in found)
    return counts.most_common(_PEERS)


def _limit(row: Instance) -> int | None:
    """The lower of PM2's limit and that of the cgroup; of the latter, what is free and its own."""
    limits = [row.memory_limit] if row.memory_limit else []
    group = memory_group(row.pid)
    usage = read_usage(row.pid)
    if group and usage:
        limits.append(max(0, group.limit - group.used) + usage.resident)
    return min(limits, default=None)
