# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lock of a demo stack's directory: only one process at a time may change the stack."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from demo.processes import StackError, wait_until

PATIENCE_SECONDS = 300


@contextmanager
def locked(directory: Path, say: Callable[[str], None], *, create: bool) -> Iterator[int]:
    """Hold the lock of a directory, which is made if `create`; yields the lock's file descriptor.

    The lock ends with the processes that hold its descriptor.
    """
    handle = _take(directory, say, create)
    try:
        os.truncate(handle, 0)
        os.pwrite(handle, f"{os.getpid()}\n".encode(), 0)
        yield handle
    finally:
        os.close(handle)


def _take(directory: Path, say: Callable[[str], None], create: bool) -> int:
    file = directory / "lock"
    while True:
        if create:
            _make(directory)
        try:
            handle = os.open(file, os.O_RDWR | (os.O_CREAT if create else 0), 0o600)
        except FileNotFoundError:
            raise StackError(f"{directory} is not the directory of a demo stack") from None
        try:
            _wait_for(handle, directory, say)
            if file.exists() and os.fstat(handle).st_ino == file.stat().st_ino:
                return handle
        except BaseException:
            os.close(handle)
            raise
        os.close(handle)  # of a file that 'down --purge' removed while we waited


def _make(directory: Path) -> None:
    """Never take a directory that holds something else."""
    is_new = not directory.exists() or (directory / "lock").exists()
    if not is_new and any(directory.iterdir()):
        raise StackError(
            f"{directory} is not empty and not the directory of a demo stack: "
            "name another one with --dir"
        )
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)


def _wait_for(handle: int, directory: Path, say: Callable[[str], None]) -> None:
    def taken() -> bool:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    if taken():
        return
    holder = os.pread(handle, 20, 0).decode().strip() or "another process"
    say(f"waiting for process {holder}, which is changing this stack")
    if not wait_until(taken, PATIENCE_SECONDS, 0.2):
        raise StackError(
            f"process {holder} has been changing the stack in {directory} for 5 minutes"
        )
