# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A lock on a file, which keeps two runs apart and says who holds it."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from .errors import RunbookError


class Locked(RunbookError):
    """Another run holds the lock; the text names its process."""


@contextmanager
def exclusive_lock(path: str, what: str) -> Iterator[None]:
    """Hold the lock until the block ends; raises `Locked` if it is taken, and OSError.

    The kernel releases it when the process ends, however it ends. The file stays. ``what`` is what
    is locked, as the message names it: ``the backups in /var/backups/postgres``.
    """
    handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            process = lock_holder(handle)
            which = f" (process {process})" if process else ""
            raise Locked(
                f"Another run{which} is working on {what}", "Wait until it has ended."
            ) from None
        yield
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
