# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What was seen of a PostgreSQL server; plain data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from ...core.errors import NotCollected
from ...core.state import Delta, Sample

Row = Mapping[str, Any]


class Sessions(NamedTuple):
    groups: Sequence[Row]
    """How many sessions of each application, user, database and state."""
    idle: Sequence[Row]
    """The sessions that are idle in a transaction, the longest first."""
    transactions: Sequence[Row]
    """The sessions with an open transaction, the oldest first."""
    ignored: int
    """Open transactions of applications that are not judged."""
    xmin_age: int | None
    """Age of the oldest snapshot of a session, in transactions."""
    prepared_age: int | None
    """Age of the oldest prepared transaction, in transactions."""
    role_limits: Mapping[str, int]
    """CONNECTION LIMIT of the roles that have one."""
    commits: Sequence[Row] = ()
    """The sessions whose commit waits for a synchronous standby, the longest first."""
    prepared: int = 0
    """Prepared transactions."""


class Databases(NamedTuple):
    rows: Sequence[Row]
    recent: Delta
    """Counters of all databases since the last run."""
    total: Delta
    """The same since they were reset."""
    sample: Sample
    """To keep for the next run."""


class Wal(NamedTuple):
    standbys: Sequence[Row]
    slots: Sequence[Row]
    replay: Row | None
    """None on a primary."""
    archiver: Row
    waiting: int | None
    """Segments that wait to be archived; none if the role lacks permission to count them."""
    silent: Mapping[int, float] = {}
    """Seconds since each standby, by its pid, last answered, of those that should have."""
    subscriptions: Sequence[Row] | NotCollected = ()
    stuck: Mapping[str, float] = {}
    """Seconds for which slots, by name, have not moved: those since the last run."""
    sample: Sample | None = None
    """To keep for the next run; none without slots."""
    waiting_seconds: float | None = None
    """Age of the oldest segment that waits to be archived; none if none does or can be seen."""


class Statements(NamedTuple):
    calls: float
    seconds: float
    window: str
    top: Sequence[Row]
    """The statements with the most time in the window."""
    sample: Sample
    """To keep for the next run."""


class Canary(NamedTuple):
    """A real write and its result."""

    seconds: float | None
    """How long it took; none if it failed, or had no answer in time."""
    limit: float = 0.0
    """Seconds that it had."""
    error: str = ""
    sqlstate: str = ""


class Snapshot(NamedTuple):
    """All that was seen; a part that could not be read is `NotCollected`."""

    address: str
    connect_seconds: float
    facts: Row
    """The answer to `queries.FACTS`."""
    sessions: Sessions | NotCollected
    databases: Databases | NotCollected
    wal: Wal | NotCollected
    statements: Statements | NotCollected
    read_only_source: str = ""
    """Who made transactions read-only by default, such as ``configuration file``; empty if they
    are not."""
    canary: Canary | None = None
    """None if it was not tried."""
