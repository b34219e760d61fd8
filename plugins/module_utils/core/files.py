# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Files that are always complete, even after a power failure, and the space for more of them."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass

#: What the names of incomplete files start with; a killed run leaves them behind.
PARTIAL = ".partial-"


def write_atomically(path: str, text: str, mode: int = 0o600, durable: bool = True) -> None:
    """Write a file beside its final name, flush it to disk and rename it; raises OSError.

    The folder must exist. A failure leaves nothing behind. ``durable`` is whether to flush: without
    it, a power failure may lose the new content.
    """
    folder = os.path.dirname(path) or "."
    handle, partial = tempfile.mkstemp(dir=folder, prefix=PARTIAL)  # created with mode 0600
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as stream:
            os.fchmod(stream.fileno(), mode)
            stream.write(text)
            stream.flush()
            if durable:
                os.fsync(stream.fileno())
        os.replace(partial, path)
    except BaseException:
        os.unlink(partial)
        raise


def sync_folder(folder: str) -> None:
    """Flush a folder to disk, so that its entries survive a power failure; raises OSError."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def sync_tree(path: str) -> None:
    """Flush a file, or a folder with everything in it, to disk; raises OSError."""
    folders = []
    for folder, _folders, names in os.walk(path):
        folders.append(folder)
        for name in names:
            _sync_file(os.path.join(folder, name))
    for folder in folders:
        sync_folder(folder)
    if not folders:
        _sync_file(path)


def _sync_file(path: str) -> None:
    handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def free_bytes(path: str) -> int:
    """Bytes that this user can still write where a path is, or will be; raises OSError."""
    while not os.path.exists(path) and os.path.dirname(path) != path:
        path = os.path.dirname(path)
    found = os.statvfs(path)
    return found.f_bavail * found.f_frsize


@dataclass(frozen=True)
class Room:
    """Whether a file system can take more."""

    free: int
    """Bytes that an ordinary user can still write."""
    files: int | None = None
    """Files that can still be made; none if there is no limit."""
    read_only: bool = False


def room_of(path: str) -> Room:
    """The room where a path is; raises OSError."""
    found = os.statvfs(path)
    files = found.f_favail if found.f_files else None
    return Room(found.f_bavail * found.f_frsize, files, bool(found.f_flag & os.ST_RDONLY))


def tree(folder: str) -> list[str]:
    """A folder, and everything in it."""
    found = [folder]
    for parent, folders, files in os.walk(folder):
        found += [os.path.join(parent, name) for name in (*folders, *files)]
    return found


def last_change(paths: Iterable[str]) -> float:
    """When one of these was last changed, by content, owner or mode, as Unix time; 0 if unknown."""
    found = [0.0]
    for path in paths:
        with suppress(OSError):
            found.append(os.stat(path).st_ctime)
    return max(found)


def is_inside(path: str, folder: str) -> bool:
    """Whether a path is a folder or in it; both without links."""
    return path == folder or path.startswith(f"{folder}/")
