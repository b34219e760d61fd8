# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the Redis probe saw, as plain data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ..core.errors import Refused, RunbookError
from ..core.state import Delta, Sample
from ..linux.cgroup import MemoryGroup
from .canary import Canary


@dataclass(frozen=True)
class Disk:
    """The folder for snapshots and the append-only file."""

    folder: str
    free: int
    """Bytes that Redis may still write there."""


@dataclass(frozen=True)
class SlowCommand:
    """An entry of the slow log."""

    command: str
    keys: str
    """How the names of its keys begin, as far as it may be shown."""
    seconds: float
    started: float
    """Unix time by the server's clock."""


@dataclass(frozen=True)
class KeySample:
    """Some keys, those that a scan came across first, which is by chance."""

    looked_at: int
    total: int
    """Keys in the database."""
    expiring: int
    largest: Sequence[dict[str, Any]]
    """The largest ones: how their names begin, type and bytes."""
    refused: RunbookError | None = None


@dataclass(frozen=True)
class Snapshot:
    """Everything that was seen."""

    address: str
    error: RunbookError | None = None
    """Why Redis could not be used, or refuses writes."""
    latencies: Sequence[float] = ()
    """Seconds of each PING, without that of connecting."""
    refused: Mapping[str, RunbookError] = field(default_factory=dict)
    """Why commands were refused, by command: ``CONFIG GET``."""
    info: Mapping[str, Any] = field(default_factory=dict)
    """INFO, as redis-py parses it."""
    settings: Mapping[str, str] = field(default_factory=dict)
    """Settings that decide about writes and replication; empty if CONFIG was refused."""
    save: str | None = None
    """The save points; empty if snapshots are off, none if CONFIG was refused."""
    cluster: Mapping[str, str] | None = None
    """CLUSTER INFO; none if it is no cluster, or that was refused."""
    canary: Canary | None = None
    """How a real write ended, if one was allowed."""
    denials: Sequence[Mapping[str, Any]] = ()
    """Writes of others that ACL rules refused lately."""
    disk: Disk | None = None
    """Where it saves its data, if that failed and it runs on this host."""
    cgroup: MemoryGroup | None = None
    """Memory limit of the server's cgroup; none if it has none or runs on another host."""
    swapped: int | None = None
    """Bytes of the server that are swapped out; none if it runs on another host."""
    clients: Sequence[Mapping[str, Any]] = ()
    """Who holds the connections, unless there are too many to list or that was refused."""
    monitors: int = 0
    """Clients that run MONITOR."""
    slow: Sequence[SlowCommand] | None = None
    """The newest entries of the slow log; none if it was refused."""
    default_user: Sequence[str] | None = None
    """The flags of the user ``default``; none if ACL GETUSER was refused."""
    keys: KeySample | None = None
    """Some keys, if they are to be inspected."""
    delta: Delta | None = None
    """The counters since the last run."""
    sample: Sample | None = None
    """Counters to keep for the next run."""

    @property
    def info_error(self) -> RunbookError | None:
        """Why it answers PING but not INFO."""
        return self.refused.get("INFO")

    def why(self, command: str) -> RunbookError:
        """Why a command gave no answer that can be used, and what to do."""
        return self.refused.get(command) or Refused(f"{command} is refused")
