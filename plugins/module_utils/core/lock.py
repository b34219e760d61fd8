# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A lock on a file, which keeps two runs apart and says who holds it."""

from __future__ import annotations

import fcntl
import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from .errors import RunbookError
from .units import format_duration

_POLL = 0.05


class Locked(RunbookError):
    """Another run holds the lock; the text names its process, and who started it when."""


@contextmanager
def exclusive_lock(path: str, what: str, owner: str = "", wait: float = 0.0) -> Iterator[None]:
    """Hold the lock until the block ends; raises `Locked` if it is taken, and OSError.

    The kernel releases it when the process ends, however it ends. The file stays. ``what`` is what
    is locked, as the message names it: ``the backups in /var/backups/postgres``. ``owner`` is who
    runs this, for the message that another run gets. A lock that is taken is waited for ``wait``
    seconds.
    """
    handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    give_up = time.monotonic() + wait
    try:
        while other := lock(handle):
            if time.monotonic() >= give_up:
                raise Locked(f"Another {other} is working on {what}", "Wait until it has ended.")
            time.sleep(_POLL)
        os.ftruncate(handle, 0)
        os.pwrite(handle, json.dumps({"owner": owner, "since": time.time()}).encode(), 0)
        yield
    finally:
        os.close(handle)


def lock(handle: int) -> str:
    """Lock an open file or folder until it is closed; raises OSError.

    Returns who has it already: ``run (process 4711)``. Empty if it is ours now.
    """
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return f"run{_describe(handle)}"
    return ""


def held_by(path: str) -> str:
    """Who holds the lock: ``another run (process 4711, of 'x', for 3 min)``; empty if free.

    Takes no lock, so that it is never in the way of a run. Raises OSError.
    """
    try:
        handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return ""
    try:
        return f"another run{_describe(handle)}" if lock_holder(handle) else ""
    finally:
        os.close(handle)


def lock_holder(handle: int) -> int:
    """The process that has locked an open file or folder; 0 if the kernel does not say."""
    inode = str(os.fstat(handle).st_ino)
    with suppress(OSError), open("/proc/locks") as stream:
        for line in stream:
            fields = line.split()
            if fields[1:2] == ["FLOCK"] and fields[5].rpartition(":")[2] == inode:
                return int(fields[4])
    return 0


def _describe(handle: int) -> str:
    """`` (process 4711, of 'deploy', for 3 min)``, or as much of it as is known."""
    parts = []
    process = lock_holder(handle)
    if process:
        parts.append(f"process {process}")
    with suppress(IsADirectoryError, ValueError, KeyError, TypeError):
        content = json.loads(os.pread(handle, 4096, 0))
        if content["owner"]:
            parts.append(f"of '{content['owner']}'")
        parts.append(f"for {format_duration(time.time() - content['since'])}")
    return f" ({', '.join(parts)})" if parts else ""
