# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who else is working on the host: people, the package manager, other operations."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass

from ..core.lock import held_by
from ..linux.proc import current_user, read_text

#: Where apt and dpkg lock, while they install something or refresh their lists.
PACKAGE_LOCKS = (
    "/var/lib/dpkg/lock-frontend",
    "/var/lib/dpkg/lock",
    "/var/lib/apt/lists/lock",
)
_SECONDS = 5


@dataclass(frozen=True)
class Others:
    """Who else was found."""

    people: tuple[dict[str, str], ...] = ()
    """Logins of other users: user, terminal, since when and from where."""
    work: tuple[dict[str, str], ...] = ()
    """Locks that are held: the file, and who holds it."""
    unseen: tuple[str, ...] = ()
    """Locks of which this user cannot see whether they are held."""


def others(locks: Iterable[str], package_locks: Iterable[str] = PACKAGE_LOCKS) -> Others:
    """Who else is working there."""
    paths = [*locks, *package_locks]
    unseen = tuple(path for path in paths if _is_hidden(path))
    return Others(tuple(_people()), tuple(_held(paths)), unseen)


def _people() -> list[dict[str, str]]:
    own = {current_user(), os.environ.get("SUDO_USER", "")}
    try:
        done = subprocess.run(
            ["who"],  # noqa: S607  # of coreutils, wherever the host has it
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_SECONDS,
            check=False,
            env={**os.environ, "LC_ALL": "C"},
        )
    except (OSError, subprocess.SubprocessError):
        return []
    rows = [line.split(None, 2) for line in done.stdout.decode(errors="replace").splitlines()]
    return [
        {"user": row[0], "terminal": row[1], "since": row[2]}
        for row in rows
        if len(row) == 3 and row[0] not in own
    ]


def _is_hidden(path: str) -> bool:
    try:
        os.stat(path)
    except PermissionError:
        return True
    except OSError:
        pass
    return False


def _held(paths: Iterable[str]) -> Iterable[dict[str, str]]:
    """By the kernel's list of locks, as not every user can open these files."""
    for path in paths:
        pid = ""
        with suppress(OSError):
            pid = _holder(os.stat(path))
        if pid:
            holder = f"process {pid}{_name(pid)}"
            with suppress(OSError):
                holder = held_by(path) or holder
            yield {"lock": path, "held by": holder}


def _holder(found: os.stat_result) -> str:
    """The process that holds a lock on a file; empty if none does."""
    device = f"{os.major(found.st_dev):02x}:{os.minor(found.st_dev):02x}"
    for line in read_text("/proc/locks").splitlines():
        fields = line.split()
        if fields[1:2] in (["POSIX"], ["FLOCK"], ["OFDLCK"]) and len(fields) > 5:
            where, _colon, inode = fields[5].rpartition(":")
            # A layered file system has another device here than the file itself.
            if inode == str(found.st_ino) and (where == device or where.startswith("00:")):
                return fields[4]
    return ""


def _name(pid: str) -> str:
    with suppress(OSError):
        return f" ({read_text(f'/proc/{pid}/comm').strip()})"
    return ""
