# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a database holds: its tables, indexes, and who holds back vacuum."""

from __future__ import annotations

from contextlib import closing

from ...core.deadline import Deadline, DeadlineExceeded
from ..connection import Connection
from ..queries import DATABASE_FACTS
from ..relations import Inventory, collect_inventory
from ..url import Target
from ..worker import require_direct_connection
from .lock import APPLICATION


def collect(target: Target, seconds: float) -> Inventory:
    """Everything that a plan is made from, within so many seconds.

    Raises `Unreachable`, `NotCollected`, or `UsageError` behind a connection pooler.
    """
    with closing(Connection(target, APPLICATION, Deadline(seconds))) as connection:
        try:
            connection.open()
            facts = connection.begin("itself", DATABASE_FACTS)[0][0]
            require_direct_connection(connection.pid, facts["pid"])
            return collect_inventory(connection, facts)
        except DeadlineExceeded:
            raise connection.no_answer() from None
