# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A real write: a temporary table with one row that exists until its commit and no longer.

No other session sees it, and nothing is left of it. The commit is a real one: it needs a
transaction ID, room on the disk and WAL, and waits for synchronous standbys, as those of the role
do.
"""

from __future__ import annotations

from ..connection import Connection
from .snapshot import Canary

#: Seconds that the write may take, and the share of the time that is left.
LIMIT, SHARE = 5.0, 0.5

WRITE = """
CREATE TEMPORARY TABLE gpt_agent_runbook_canary ON COMMIT DROP AS SELECT 1 AS alive;
COMMIT
"""


def canary(connection: Connection) -> Canary:
    """Write and commit; ends the connection's transaction. Never longer than its limit."""
    connection.end()
    limit = min(LIMIT, SHARE * connection.deadline.remaining())
    outcome = connection.write("a test write", WRITE, limit)
    return Canary(outcome.seconds, limit, outcome.error, outcome.sqlstate)
