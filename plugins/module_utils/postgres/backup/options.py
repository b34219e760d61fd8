# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the operator asked of a backup, validated."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, fields
from fnmatch import fnmatchcase
from typing import Any

from ansible.module_utils.common.text.formatters import human_to_bytes

from ...core.errors import UsageError
from ...core.options import checked_seconds
from .compression import SYNTAX

FORMS = ("directory", "custom")
#: Most processes that back up one database, unless the operator asks for more.
JOBS = 4


@dataclass(frozen=True)
class Keep:
    """Which backups of a database are kept: the newest of each of so many days, weeks, …"""

    daily: int = 7
    weekly: int = 4
    monthly: int = 6
    yearly: int = 0
    at_least: int = 3
    """So many of the newest are kept whatever their age."""

    def __post_init__(self) -> None:
        for field in fields(self):
            if getattr(self, field.name) < 0:
                raise UsageError(f"keep: {field.name} must be 0 or more")
        if self.at_least < 1:
            raise UsageError("keep: at_least must be 1 or more")


@dataclass(frozen=True)
class Options:
    """What the operator asked for; raises `UsageError` for a value out of range."""

    backup_dir: str
    databases: tuple[str, ...] = ()
    """Shell patterns; empty for the database of the URL."""
    exclude: tuple[str, ...] = ()
    globals: bool = True
    """Whether roles and other globals are backed up, too."""
    form: str = "directory"
    jobs: int = 0
    """Processes for one database; 0 for one a processor, at most `JOBS`."""
    compression: str = ""
    """``zstd:3``; empty for the best that there is."""
    age_recipients: tuple[str, ...] = ()
    age_identity: str = ""
    age_program: str = "age"
    keep: Keep | None = None
    """None to remove nothing."""
    keep_free: int = 1 << 30
    """Bytes that stay free on the disk."""
    lock_wait: float = 60.0
    time_limit: float = 21600.0
    bin_dir: str = ""
    timeout: float = 30.0

    def __post_init__(self) -> None:
        checked_seconds("timeout", self.timeout)
        checked_seconds("lock_wait", self.lock_wait)
        checked_seconds("time_limit", self.time_limit, 7 * 86400)
        if not self.backup_dir:
            raise UsageError("backup_dir: missing; give the folder that the backups are kept in")
        if not os.path.isabs(self.backup_dir):
            raise UsageError("backup_dir: must be an absolute path, such as /var/backups/postgres")
        if not 0 <= self.jobs <= 32:
            raise UsageError(f"jobs: {self.jobs} is not a number from 0 to 32")
        if self.compression and not SYNTAX.fullmatch(self.compression):
            raise UsageError(
                f"compression: {self.compression!r} is not of the form zstd:3, gzip:1 or none"
            )
        for recipient in self.age_recipients:
            if recipient.upper().startswith("AGE-SECRET-KEY"):
                raise UsageError("age_recipients: takes public keys; this is a secret one")
            if not recipient.startswith(("age1", "ssh-")):
                raise UsageError("age_recipients: a public key starts with 'age1' or 'ssh-'")

    @classmethod
    def from_params(cls, params: Mapping[str, Any]) -> Options:
        """The options in a module's parameters; raises `UsageError`."""
        values = {field.name: params[field.name] for field in fields(cls)}
        for name in ("databases", "exclude", "age_recipients"):
            values[name] = tuple(values[name] or ())
        for name in ("age_identity", "bin_dir", "compression"):
            values[name] = values[name] or ""
        try:
            values["keep_free"] = int(human_to_bytes(values["keep_free"]))
        except ValueError:
            text = values["keep_free"]
            raise UsageError(f"keep_free: {text!r} is not a size such as '1G'") from None
        if values["keep"] is not None:
            values["keep"] = Keep(**values["keep"])
        return cls(**values)

    @property
    def stream(self) -> bool:
        """Whether a backup is one file: only such a one can be encrypted."""
        return self.form == "custom" or bool(self.age_recipients)

    @property
    def processes(self) -> int:
        """Processes that dump one database at the same time."""
        if self.stream:
            return 1
        return self.jobs or max(1, min(JOBS, len(os.sched_getaffinity(0))))

    def selects(self, database: str) -> bool:
        """Whether a pattern chooses a database."""
        chosen = any(fnmatchcase(database, pattern) for pattern in self.databases)
        return chosen and not any(fnmatchcase(database, pattern) for pattern in self.exclude)
