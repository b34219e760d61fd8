# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Room on the disk of the backups: enough to begin with, and watched while one is written."""

from __future__ import annotations

from collections.abc import Sequence

from ...core.errors import RunbookError
from ...core.files import free_bytes
from ...core.units import format_value
from .repository import Backup

#: Share of a database's size that its first backup is expected to take.
FIRST = 0.5
#: Factor for growth since the last backup.
MARGIN = 1.2


class NoSpace(RunbookError):
    """There is not enough room; the text says how much is missing."""


def expected_bytes(database_bytes: int, backups: Sequence[Backup]) -> int:
    """The size of the next backup, by the last verified one."""
    for backup in reversed(backups):
        known = backup.manifest
        if known is not None and known.verified and known.database_bytes:
            share = known.bytes / known.database_bytes
            return int(max(known.bytes, share * database_bytes) * MARGIN)
    return int(database_bytes * FIRST)


def require_space(folder: str, expected: int, keep_free: int) -> None:
    """Raise `NoSpace` unless the expected bytes fit and so much stays free."""
    free = free_bytes(folder)
    if free - expected < keep_free:
        raise NoSpace(
            f"the disk of {folder} has {format_value(free, 'bytes')} free; the backup is expected "
            f"to take {format_value(expected, 'bytes')}, and {format_value(keep_free, 'bytes')} "
            "must stay free",
            "Free some space, or set keep to fewer backups; keep_free is what must stay free.",
        )


def watch_space(folder: str, keep_free: int) -> None:
    """Raise `NoSpace` if less is free now than must stay free."""
    free = free_bytes(folder)
    if free < keep_free:
        raise NoSpace(
            f"stopped, because only {format_value(free, 'bytes')} were left on the disk of "
            f"{folder}, and {format_value(keep_free, 'bytes')} must stay free",
            "Free some space, or set keep to fewer backups; keep_free is what must stay free.",
        )
