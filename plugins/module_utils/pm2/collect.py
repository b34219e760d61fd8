# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Collects the state of the apps under PM2: one look, or several while an app may be crashing."""

from __future__ import annotations

import os
import time
from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace

from ..core.deadline import Deadline
from ..linux.zones import process_zone
from .client import Client
from .daemon import is_suspended, other_daemons
from .evidence import with_evidence
from .history import History, read_history
from .instance import LAUNCHING, ONLINE, RECENT, STOPPED, STOPPING, Instance
from .snapshot import Snapshot

#: Maximum seconds for which an app is watched that may be in a crash loop, or is starting or
#: stopping; and seconds between two looks.
_WATCH = 3.0
_POLL = 0.2


class DaemonSuspended(Exception):
    """The daemon was suspended by a signal, so waiting for its answer is pointless."""


def collect(
    client: Client, names: Collection[str], deadline: Deadline, watch: float = _WATCH
) -> Snapshot:
    """The processes of a daemon; watched for a moment if one of the named apps (all if none is
    named) may be in a crash loop, or is starting or stopping.

    Raises `DaemonSuspended`, and `Unreachable` as `Client` does.
    """
    began = time.monotonic()
    if is_suspended(client.daemon_pid):
        raise DaemonSuspended
    first = rows = with_evidence(client.instances(), client.daemon_pid)
    crash_restarts: dict[int, int] = {}
    at_rest: set[Instance] = set()
    until = began + min(watch, deadline.remaining() / 3)
    while time.monotonic() < until:
        wanted = [row for row in rows if not row.module and (not names or row.name in names)]
        if not any(_is_unsettled(row, crash_restarts) for row in wanted if row not in at_rest):
            break
        time.sleep(deadline.remaining(_POLL))
        # In a crash loop, an app is stopped, or its process gone, for a moment only.
        at_rest = {row for row in rows if row.status == STOPPED or row.absent}
        rows = with_evidence(client.instances(), client.daemon_pid)
        crash_restarts = count_crash_restarts(first, rows)
    history = _history(client, rows)
    return Snapshot(
        taken=time.time(),
        instances=tuple(_with_memory(_with_order(row, history)) for row in rows),
        daemon_id=client.daemon_id,
        history=history,
        other_daemons=_others(client, rows, names),
        watched=time.monotonic() - began,
        crash_restarts=crash_restarts,
    )


def _history(client: Client, rows: Iterable[Instance]) -> History:
    """What the daemon's log tells; not read if nothing was ever restarted or stopped."""
    if not any(row.restarts or row.status == STOPPED for row in rows):
        return History()
    return read_history(client.home, time.time(), process_zone(client.daemon_pid))


def _with_order(row: Instance, history: History) -> Instance:
    return replace(
        row,
        stopped_by_hand=row.pm_id in history.stopped_by_hand,
        killed_by=history.killed_by.get(row.pm_id, ""),
    )


def _others(
    client: Client, rows: Iterable[Instance], names: Collection[str]
) -> tuple[tuple[str, str], ...]:
    """The other daemons on this host, if an app is missing from this one."""
    found = {row.name for row in rows if not row.module}
    if found and found.issuperset(names):
        return ()
    return tuple(other_daemons(client.home))


def count_crash_restarts(first: Iterable[Instance], last: Iterable[Instance]) -> dict[int, int]:
    """Restarts between two looks by PM2's id, not counting those on purpose."""
    before = {row.pm_id: row for row in first}
    result = {}
    for row in last:
        old = before.get(row.pm_id)
        if old is None or old.name != row.name or row.restarts <= old.restarts:
            continue
        if row.created in (old.created, None):  # a restart on purpose sets it anew
            result[row.pm_id] = row.restarts - old.restarts
    return result


def _is_unsettled(row: Instance, crash_restarts: Mapping[int, int]) -> bool:
    """Whether another look in a moment would show more."""
    if row.absent:
        return True
    if row.waiting_for_cron or crash_restarts.get(row.pm_id, 0) >= 2:
        return False
    if row.status in (LAUNCHING, STOPPING):
        return True
    age = time.time() - row.started if row.started else RECENT
    # So soon after a start, a crash looks like a restart on purpose.
    is_suspect = row.restarted_by_pm2 or (row.restarts > 0 and age < _WATCH)
    return age < RECENT and (row.status == STOPPED or (row.status == ONLINE and is_suspect))


def _with_memory(row: Instance) -> Instance:
    """The instance, with the kernel's figure if PM2 could not measure its memory."""
    if row.status != ONLINE or row.memory:
        return row
    return replace(row, memory=_resident_memory(row.pid))


def _resident_memory(pid: int) -> int:
    """Bytes of resident memory, 0 if that cannot be read."""
    try:
        with open(f"/proc/{pid}/statm") as stream:
            return int(stream.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, ValueError, IndexError):
        return 0
