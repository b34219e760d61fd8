# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One run at a time: a lock on a folder, which leaves no file behind."""

from __future__ import annotations

import fcntl
import glob
import os
from collections.abc import Iterator
from contextlib import contextmanager

from ..core.lock import Locked, lock_holder
from .options import Options


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
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            pid = lock_holder(handle)
            who = f" (process {pid})" if pid else ""
            raise Locked(
                f"Another run{who} is rotating the logs of this host", "Wait until it has ended."
            ) from None
        yield
    finally:
        os.close(handle)


def _folders(options: Options) -> Iterator[str]:
    yield os.path.dirname(options.config_file)
    for path in options.paths:
        yield from sorted(glob.glob(os.path.dirname(path)))
