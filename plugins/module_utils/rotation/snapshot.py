# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the logs, their configuration and their archive are like at one moment."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from ..linux.open_files import OpenFile
from .config_file import MARK
from .foreign import Foreign
from .naming import Rotated


@dataclass(frozen=True)
class Folder:
    """A folder with logs."""

    path: str
    owner: str
    group: str
    is_open: bool = False
    """Whether a group, or everyone, may rename files in it."""

    @property
    def needs_su(self) -> bool:
        """Whether logrotate, run by root, refuses the folder without ``su``."""
        return self.is_open or self.owner != "root"


@dataclass(frozen=True)
class Log:
    """A log that a pattern names."""

    path: str
    size: int
    owner: str
    group: str = ""


@dataclass(frozen=True)
class Snapshot:
    """What was found."""

    now: float = 0.0
    program: str = ""
    """logrotate; empty if it is not installed."""
    gzip: str = ""
    logs: Mapping[str, Sequence[Log]] = field(default_factory=dict)
    """The logs of each pattern."""
    folders: Mapping[str, Sequence[Folder]] = field(default_factory=dict)
    """The folders of each pattern."""
    skipped: Sequence[str] = ()
    """Links, which logrotate does not rotate."""
    rotated: Sequence[Rotated] = ()
    rivals: Mapping[str, Sequence[Foreign]] = field(default_factory=dict)
    """Other configurations, by the pattern whose logs they rotate."""
    has_pm2: bool = True
    """Whether there is a PM2 in the folder that is named."""
    pm2_logrotate: bool = False
    pm2_logs: frozenset[str] = frozenset()
    """The logs that PM2 or its apps have open; all if that is not known."""
    cuttable: frozenset[str] = frozenset()
    """The patterns of logs of PM2 that can be rotated without being opened again."""
    installed: str | None = None
    """The content of our file; none if it is not there."""
    is_read: bool = True
    """Whether logrotate's daily run reads our file, if it is there."""
    errors: Sequence[str] = ()
    """What its daily run objects to, in any file."""
    last_run: float | None = None
    """When logrotate last wrote its state; none if it never did."""
    is_root: bool = True
    deleted: Sequence[OpenFile] = ()
    unseen: int = 0
    """Of how many processes this user sees no files."""

    @property
    def all_logs(self) -> list[Log]:
        return [log for logs in self.logs.values() for log in logs]

    @property
    def size(self) -> int:
        """Bytes of the logs, and of what is rotated beside them."""
        return sum(log.size for log in self.all_logs) + sum(each.size for each in self.rotated)

    @property
    def is_ours(self) -> bool:
        """Whether our file may be written: it is missing, or we wrote it."""
        return self.installed is None or self.installed.startswith(MARK)
