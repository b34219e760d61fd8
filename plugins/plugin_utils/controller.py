# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who this controller is, and whether a playbook that it ran still runs."""

from __future__ import annotations

import multiprocessing
import os
import socket
from contextlib import suppress
from typing import Any

from ..module_utils.linux.proc import read_text, stat_fields

#: Fields of `stat_fields`: the state, and the start of the process in ticks since the boot.
_STATE, _STARTED = 0, 19


def identity() -> dict[str, Any]:
    """The controller and the process of this playbook; actions run in forks of it.

    ``started`` is empty if the playbook was killed in the meantime, and only this fork lives on.
    """
    parent = multiprocessing.parent_process()
    pid = (parent.pid if parent else None) or os.getpid()
    return {
        "name": socket.gethostname(),
        "place": _place(),
        "pid": pid,
        "started": _started(pid),
    }


def is_dead(pid: int, started: str, place: str) -> bool:
    """Whether a process of this place does not exist any more; false if that cannot be known."""
    return bool(place) and place == _place() and (not started or _started(pid) != started)


def _place() -> str:
    """The same for all processes that can see each other; empty if that is not known."""
    with suppress(OSError):
        boot = read_text("/proc/sys/kernel/random/boot_id").strip()
        return f"{boot} {os.readlink('/proc/self/ns/pid')}"
    return ""


def _started(pid: int) -> str:
    """When a process started; empty if it does not run."""
    fields = stat_fields(pid)
    if len(fields) <= _STARTED or fields[_STATE] == "Z":
        return ""
    return fields[_STARTED]
