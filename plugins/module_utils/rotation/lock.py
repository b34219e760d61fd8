# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One run at a time: a lock on a folder, which leaves no file behind."""

from __future__ import annotations

import fcntl
import glob
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager

from ..core.lock import Locked, lock
from .options import Options

_BUSY, _POLL = -1, 0.05


@contextmanager
def take_turn(options: Options) -> Iterator[None]:
    """Hold the lock until the block ends; raises `Locked` if another run holds it, and OSError.

    It is on the folder of our configuration; without logrotate on that of the first log.
    """
    for folder in _folders(options):
        if os.path.isdir(folder):
            break
    else:
        yield
        return
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        other = lock(handle)
        if other:
            raise Locked(
                f"Another {other} is rotating the logs of this host", "Wait until it has ended."
            )
        yield
    finally:
        os.close(handle)


@contextmanager
def logrotate_idle(state_file: str, wait: float) -> Iterator[None]:
    """Keep every logrotate from running until the block ends, which must be soon.

    One that starts meanwhile gives up. Waits for one that is running; raises `Locked`, and OSError.
    ``state_file`` is empty if logrotate has never run.
    """
    end = time.monotonic() + wait
    while True:
        handle = _lock_state(state_file)
        if handle != _BUSY:
            break
        if time.monotonic() > end:
            raise Locked(
                f"another logrotate has been running for {wait:g} s",
                "Wait until it has ended: 'pgrep -a logrotate' shows it.",
            )
        time.sleep(_POLL)
    try:
        yield
    finally:
        if handle is not None:
            os.close(handle)


def _lock_state(path: str) -> int | None:
    """The locked file; none if there is none, `_BUSY` if it is locked or was just replaced."""
    try:
        handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if os.path.samestat(os.fstat(handle), os.stat(path)):
            return handle
    except (BlockingIOError, FileNotFoundError):
        pass
    os.close(handle)
    return _BUSY


def _folders(options: Options) -> Iterator[str]:
    yield os.path.dirname(options.config_file)
    for path in options.paths:
        yield from sorted(glob.glob(os.path.dirname(path)))
