# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the operator asked of a restore or a verification, validated."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, fields
from fnmatch import fnmatchcase
from typing import Any

from ...core.errors import UsageError
from ...core.options import checked_seconds

VERIFIED = "verified"
RESTORED = "restored"
REVERTED = "reverted"
CLEANED = "cleaned"
STATES = (VERIFIED, RESTORED, REVERTED, CLEANED)

#: Words for `Options.backup`.
LATEST = "latest"
ALL = "all"

_RANGES: Mapping[str, tuple[float, float]] = {
    "level": (1, 6),
    "jobs": (1, 32),
    "keep_days": (0, 3650),
    "time_limit": (1, 7 * 86400),
}


@dataclass(frozen=True)
class Options:
    """What the operator asked for; raises `UsageError` for a value out of range."""

    state: str = VERIFIED
    backup_dir: str = ""
    backup: str = LATEST
    """`LATEST`, `ALL`, the name of a backup or its time, or a path."""
    database: str = ""
    """The database to restore, to revert or whose old copies to drop; empty for the URL's."""
    source: str = ""
    """The database whose backup is restored; empty for the same one."""
    databases: tuple[str, ...] = ()
    """Shell patterns of the databases whose backups are verified; empty for all."""
    tables: tuple[str, ...] = ()
    """Tables to restore beside the live ones, as ``name`` or ``schema.name``."""
    level: int = 6
    """The level of proof to reach."""
    confirm: str = ""
    """Name of the database that is replaced."""
    safety_backup: bool = True
    """Whether to back up the database before it is replaced."""
    age_identity: str = ""
    """File with the key of encrypted backups."""
    age_program: str = "age"
    """The program that decrypts."""
    bin_dir: str = ""
    """The only folder to take PostgreSQL's programs from."""
    temporary_server: bool = False
    """Whether backups are proven on a server that this run starts itself."""
    temporary_dir: str = ""
    """Folder of that server's files; empty for the system's folder of temporary files."""
    jobs: int = 2
    keep_days: float = 7.0
    """Days after which replaced databases are dropped."""
    time_limit: float = 14400.0
    timeout: float = 30.0
    """Seconds for the server to answer one question."""

    def __post_init__(self) -> None:
        checked_seconds("timeout", self.timeout)
        for name, (least, most) in _RANGES.items():
            value = getattr(self, name)
            if not least <= value <= most:
                raise UsageError(f"{name}: {value:g} is not a number from {least:g} to {most:g}")
        if not self.backup_dir and self.state in (VERIFIED, RESTORED) and "/" not in self.backup:
            raise UsageError("backup_dir: missing; give the folder of the backups")
        if self.backup == ALL and self.state != VERIFIED:
            raise UsageError(f"backup: {ALL!r} is for state=verified only; name one backup")
        if self.tables and self.state != RESTORED:
            raise UsageError("tables: only for state=restored")
        if self.temporary_server and self.state != VERIFIED:
            raise UsageError("temporary_server: only for state=verified")

    @classmethod
    def from_params(cls, params: Mapping[str, Any]) -> Options:
        """The options in a module's parameters; raises `UsageError`."""
        values: dict[str, Any] = {field.name: params[field.name] for field in fields(cls)}
        for name in ("databases", "tables"):
            values[name] = tuple(values[name])
        for name in ("backup_dir", "age_identity", "bin_dir", "temporary_dir"):
            values[name] = values[name] or ""
        return cls(**values)

    @property
    def server_dir(self) -> str:
        """The folder of a temporary server's files."""
        return self.temporary_dir or tempfile.gettempdir()

    def selects(self, database: str) -> bool:
        """Whether to verify the backups of a database."""
        patterns = self.databases
        return not patterns or any(fnmatchcase(database, pattern) for pattern in patterns)
