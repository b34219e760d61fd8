# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What was seen of a Redis that may be down, as plain data."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ...core.check import Check
from ...core.errors import RunbookError
from ...core.files import Room
from ...core.recovery import FULL
from ...linux.programs import Program
from ...linux.units import Unit


@dataclass(frozen=True)
class Snapshot:
    """Everything that was seen."""

    address: str
    port: int = 0
    local: bool = False
    """Whether the address is of this host, so that its processes say anything."""
    error: RunbookError | None = None
    """Why it does not answer; none if it does."""
    writable: Check | None = None
    """Whether it takes writes, if it answers."""
    running: Sequence[str] = ()
    """Each Redis that runs on this host, and where it listens."""
    serving: Program | None = None
    """The one that accepts the connections to the address; none if that is not certain."""
    similar: Sequence[str] = ()
    """Of those that run, those with the same port at another address."""
    unclear: Sequence[str] = ()
    """Of those that run, those of which it cannot be seen that they are others."""
    configured: bool | None = None
    """Whether its configuration file names the address; none if that is not known."""
    listener: str = ""
    """Who listens on the port of the address."""
    unit: Unit | None = None
    log: Sequence[str] = ()
    log_name: str = ""
    said: Sequence[str] = ()
    """What it said in its last run, if its unit failed."""
    corrected: bool = False
    """Whether its configuration was changed since it ended."""
    absent: str = ""
    """The address that it was to listen on, if this host does not have it."""
    folder: str = ""
    """Where it keeps its data."""
    room: Room | None = None
    """The room there; none if it keeps no data."""
    needed: int = FULL
    """Bytes of room that it needs there."""
    memory: int | None = None
    """Bytes of memory that this host has available."""
    kills: Sequence[str] = ()
    """Messages of the kernel that it killed Redis for lack of memory."""
