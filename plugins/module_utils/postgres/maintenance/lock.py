# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Keeping two runs from one database, and ending what a killed run left running."""

from __future__ import annotations

import time

from ..advisory_lock import HOLDERS, MAINTENANCE, TAKE, holder_of
from ..worker import Worker
from .queries import END_ORPHANS

APPLICATION = "gpt_agent.runbook/pg_maintenance"
#: Sessions that carry out statements. Only a run that holds the lock has any.
WORKER_APPLICATION = f"{APPLICATION} worker"
#: Seconds for orphaned sessions to end.
ORPHANS_END = 10.0


def take_lock(control: Worker) -> str:
    """Take the lock of the database for this session and end orphans of a killed run.

    Returns who holds the lock, empty if it was taken. Raises like `Worker.ask`.
    """
    if not control.ask("its locks", TAKE, MAINTENANCE)[0][0]:
        return holder_of(control.ask("its locks", HOLDERS, MAINTENANCE))
    end = time.monotonic() + ORPHANS_END
    orphans = {"application": WORKER_APPLICATION}
    while control.ask("sessions of an earlier run", END_ORPHANS, orphans):
        if time.monotonic() > end:
            break
        time.sleep(0.2)
    return ""
