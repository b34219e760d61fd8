# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lock that keeps two runs from restarting apps of the same PM2 at the same time."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

from ...core.lock import lock
from ...core.thresholds import Thresholds
from .collect import NotStarted, busy
from .options import Options


@contextmanager
def exclusive_lock(options: Options, thresholds: Thresholds) -> Iterator[None]:
    """Holds a lock on PM2's folder until the block ends; raises `NotStarted` if it is taken.

    Without that folder nothing is locked; the next step reports that it is missing.
    """
    try:
        folder = os.open(options.home, os.O_RDONLY | os.O_DIRECTORY)
    except OSError:
        yield
        return
    try:
        try:
            other = lock(folder)
        except OSError:
            other = "run"
        if other:
            summary = f"another {other} is restarting apps of the PM2 in {options.home}"
            raise NotStarted(busy(options.name, summary, thresholds))
        yield
    finally:
        os.close(folder)
