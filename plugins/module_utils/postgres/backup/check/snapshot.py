# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What was seen of the backups, whichever tool took them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from ....core.errors import NotCollected


@dataclass(frozen=True)
class Restored:
    """A test restore of a backup."""

    at: float
    level: int
    seconds: float
    where: str = ""


@dataclass(frozen=True)
class Copy:
    """One backup."""

    label: str
    started: float
    """Unix time of its snapshot."""
    bytes: int
    verified: bool
    level: int | None = None
    """Of proof; none if the tool has no such record."""
    problem: str = ""
    """Why it is no good; empty if nothing is known against it."""
    kind: str = ""
    """Only sizes of the same kind are compared: form, compression, full or incremental."""
    rows: Mapping[str, int] | None = None
    """Rows of each table; none if not recorded."""
    restored: Restored | None = None
    """Its last successful test restore."""
    client_version: str = ""
    """Version of pg_dump that wrote it."""
    system_identifier: str = ""
    """Of the cluster that it was taken from; empty if not known."""


@dataclass(frozen=True)
class Series:
    """The backups of one database, or of one stanza or server of another tool."""

    subject: str
    copies: tuple[Copy, ...] = ()
    """Oldest first."""
    tool: str = ""
    """Name of another tool, as texts have it; empty for this collection."""
    error: NotCollected | None = None
    """Why nothing could be read."""
    failure: str = ""
    """What the tool itself reports as wrong."""
    globals: bool = False
    """Roles and other globals: too small to judge by size, and not restored as a test."""
    busy: bool = False
    """Whether a backup is being taken now."""
    next_bytes: int | None = None
    """Bytes that the next backup is expected to take; none if not known."""

    @property
    def verified(self) -> list[Copy]:
        return [copy for copy in self.copies if copy.verified and not copy.problem]


@dataclass(frozen=True)
class Stray:
    """Something below backup_dir that is no usable backup."""

    path: str
    reason: str
    broken: bool = False
    """Whether it was a backup once."""


@dataclass(frozen=True)
class Folder:
    """The folder of this collection's backups."""

    path: str
    exists: bool = True
    free: int = 0
    """Bytes that a backup may take: those that must stay free are left out."""
    read_only: bool = False
    running: int = 0
    """Process that is taking a backup now; 0 if none is."""
    strays: tuple[Stray, ...] = ()


@dataclass(frozen=True)
class Server:
    """What the server itself says; empty if it could not be asked."""

    identifier: str = ""
    database: str = ""
    """The one of database_url."""
    sizes: Mapping[str, int | None] = field(default_factory=dict)
    """Its databases, with bytes where this role may see them."""
    silent: bool = False
    """Whether it was asked and gave no answer."""

    @property
    def created(self) -> float | None:
        """Unix time of initdb, which the upper half of the identifier is."""
        return float(int(self.identifier) >> 32) if self.identifier else None


@dataclass(frozen=True)
class Snapshot:
    """What was seen of all backups."""

    now: float
    series: tuple[Series, ...] = ()
    folder: Folder | None = None
    """None if this collection's backups are not asked for, or backup_dir is not set."""
    server: Server = Server()
    too_new: frozenset[int] = frozenset()
    """Major versions of pg_dump whose backups no pg_restore on this host can read."""
