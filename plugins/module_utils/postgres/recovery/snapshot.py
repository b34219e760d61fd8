# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What was seen of a PostgreSQL that may be down, as plain data."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ...core.errors import Unreachable
from ...core.files import Room
from ...linux.programs import Program
from ...linux.units import Unit


@dataclass(frozen=True)
class Postmaster:
    """What postmaster.pid says, which stays after a crash."""

    pid: int
    port: int = 0
    status: str = ""
    """``starting``, ``ready``, ``stopping``, ``standby``, or empty."""


@dataclass(frozen=True)
class Snapshot:
    """Everything that was seen."""

    address: str
    port: int = 0
    local: bool = False
    """Whether the address is of this host, so that its processes say anything."""
    error: Unreachable | None = None
    in_recovery: bool = False
    """Whether it answers, and is a standby."""
    data: str = ""
    """The data directory, if it is known."""
    postmaster: Postmaster | None = None
    program: Program | None = None
    """The main process; none if it does not run, or cannot be told from others."""
    programs: Sequence[Program] = ()
    """All main processes of PostgreSQL on this host."""
    orphans: Sequence[Program] = ()
    """Processes of a main process that is gone."""
    managers: Sequence[Program] = ()
    """What decides which server of a cluster runs, such as Patroni, unless the task says how to
    restart this one."""
    recovering: str = ""
    """The title of the process that replays WAL."""
    listener: str = ""
    unit: Unit | None = None
    log: Sequence[str] = ()
    log_name: str = ""
    said: Sequence[str] = ()
    """What it said in its last run, if its unit failed."""
    corrected: bool = False
    """Whether its configuration was changed since it ended."""
    absent: str = ""
    """The address that it was to listen on, if this host does not have it."""
    room: Room | None = None
    """The room for its data and WAL."""
    kills: Sequence[str] = ()
