# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Advisory locks that keep two runs of an operation from one server or database."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ..core.units import format_duration

#: The first half of every key: "gptr" in ASCII.
_CLASS = 0x67707472
#: Parameters of the queries below: for ending sessions of a server, for maintaining a database, for
#: restoring databases of a server.
SESSIONS: Mapping[str, int] = {"class": _CLASS, "object": 1}
MAINTENANCE: Mapping[str, int] = {"class": _CLASS, "object": 2}
RESTORE: Mapping[str, int] = {"class": _CLASS, "object": 3}

#: Held until the session ends, and until its transaction ends.
TAKE = "SELECT /* gpt_agent.runbook */ pg_try_advisory_lock(%(class)s, %(object)s)"
TAKE_IN_TRANSACTION = (
    "SELECT /* gpt_agent.runbook */ pg_try_advisory_xact_lock(%(class)s, %(object)s)"
)
# Advisory locks belong to one database, but the view shows those of all. Without permission, only
# pid and user of other users' sessions are visible.
HOLDERS = """
SELECT /* gpt_agent.runbook */ s.pid, s.usename::text, host(s.client_addr),
  extract(epoch FROM clock_timestamp() - s.backend_start)::float8
FROM pg_locks l JOIN pg_stat_activity s ON s.pid = l.pid
WHERE l.locktype = 'advisory' AND l.classid = %(class)s::oid AND l.objid = %(object)s::oid
  AND l.objsubid = 2 AND l.granted AND l.pid <> pg_backend_pid()
ORDER BY l.database = (SELECT oid FROM pg_database WHERE datname = current_database()) DESC
"""


def holder_of(rows: Sequence[tuple[Any, ...]]) -> str:
    """The session that holds the lock, from the answer to `HOLDERS`."""
    if not rows:
        return "a session that has just ended"
    pid, user, client, seconds = rows[0]
    session = f"pid {pid} of user '{user}'"
    if seconds is None:
        return session
    duration = format_duration(max(0.0, seconds))
    return f"{session}, connected from {client or 'the local socket'} for {duration}"
