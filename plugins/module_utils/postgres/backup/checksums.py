# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Sizes and checksums of a backup's files."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from stat import S_ISREG

from .manifest import File

_CHUNK = 1 << 20


def list_files(path: str) -> list[str]:
    """The files of a backup, as paths below it; an empty path if the backup is one file.

    Raises OSError.
    """
    if not os.path.isdir(path):
        return [""]
    found = []
    for folder, folders, names in os.walk(path, onerror=_raise):
        links = [name for name in folders if os.path.islink(os.path.join(folder, name))]
        found += [os.path.relpath(os.path.join(folder, name), path) for name in [*names, *links]]
    return sorted(found)


def checksum_files(path: str, watch: Callable[[], None]) -> tuple[File, ...]:
    """Every file of a backup with its size and checksum; raises OSError."""
    return tuple(checksum(path, name, watch) for name in list_files(path))


def checksum(path: str, name: str, watch: Callable[[], None]) -> File:
    """One file of a backup; raises OSError, also if it is no plain file.

    ``watch`` is called between reads, and ends them by raising.
    """
    digest, size = hashlib.sha256(), 0
    handle = os.open(os.path.join(path, name) if name else path, os.O_RDONLY | os.O_NOFOLLOW)
    with os.fdopen(handle, "rb", buffering=0) as stream:
        if not S_ISREG(os.fstat(stream.fileno()).st_mode):
            raise OSError(0, "not a plain file", name or path)
        while chunk := stream.read(_CHUNK):
            digest.update(chunk)
            size += len(chunk)
            watch()
    return File(name, size, digest.hexdigest())


def _raise(error: OSError) -> None:
    raise error
