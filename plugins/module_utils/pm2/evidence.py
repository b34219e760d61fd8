# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether the instances that PM2 calls online have a process; PM2's word alone proves nothing."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import replace

from ..linux.proc import read_text, stat_fields
from .instance import ONLINE, Instance

_NAMESPACES = re.compile(r"^NSpid:\s+(\d+(?:\s+\d+)*)$", re.MULTILINE)


def with_evidence(rows: Iterable[Instance], daemon_pid: int) -> list[Instance]:
    """The instances, those without a process of their own marked as `Instance.absent`."""
    found = list(rows)
    if not sees_processes_of(daemon_pid):
        return found
    latest: dict[int, Instance] = {}
    for row in sorted(found, key=lambda row: row.started or 0.0):
        latest[row.pid] = row
    return [
        _with_evidence(row, daemon_pid, latest[row.pid] is row) if row.status == ONLINE else row
        for row in found
    ]


def _with_evidence(row: Instance, daemon_pid: int, is_latest: bool) -> Instance:
    absent = _absence(row, daemon_pid, is_latest)
    suspended = not absent and stat_fields(row.pid)[:1] == ["T"]
    if suspended:
        absent = f"its process {row.pid} is suspended by a signal"
    return replace(row, absent=absent, suspended=suspended)


def _absence(row: Instance, daemon_pid: int, is_latest: bool) -> str:
    """What is wrong with the process of an online instance; empty if nothing is."""
    if row.pid <= 0:
        return "has no process"
    fields = stat_fields(row.pid)
    if not fields:
        return f"its process {row.pid} is gone"
    state, parent = fields[0], fields[1]
    if state in "ZX":
        return f"its process {row.pid} has exited and is a zombie"
    if parent != str(daemon_pid) or not is_latest:
        return f"its process {row.pid} is gone, another one has that number now"
    return ""


def sees_processes_of(daemon_pid: int) -> bool:
    """Whether the numbers that the daemon gives its processes mean the same here.

    They do not if the daemon runs in a container of its own, or /proc hides other processes.
    """
    if not stat_fields(daemon_pid):
        return False
    try:
        numbers = _NAMESPACES.search(read_text(f"/proc/{daemon_pid}/status"))
    except OSError:
        return False
    return numbers is None or len(numbers[1].split()) == 1
