# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The files that profiles are kept in, and the mark of an inspector that is open because of us."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import datetime, timezone
from typing import IO, Any

from ...core.errors import Refused
from ...core.files import PARTIAL, free_bytes, write_atomically
from ...core.units import format_value

_MARK = re.compile(r"inspector-(\d+)-(\d+)")
_UNSAFE = re.compile(r"[^A-Za-z0-9._-]+")
#: Free bytes below which a heap snapshot is given up; and bytes between two checks of the disk.
_RESERVE = 128 << 20
_LOOK = 8 << 20


def prepare(dest: str) -> None:
    """Make the folder, for this user alone; raises OSError."""
    os.makedirs(dest, mode=0o700, exist_ok=True)


def clean(dest: str) -> None:
    """Remove what a run that was killed wrote; only for who holds the lock. Raises OSError."""
    for name in os.listdir(dest):
        if name.startswith(PARTIAL):
            os.unlink(os.path.join(dest, name))


def path_for(dest: str, label: str, pm_id: int, extension: str) -> str:
    now = datetime.fromtimestamp(time.time(), timezone.utc)
    name = _UNSAFE.sub("-", label)
    return os.path.join(dest, f"{name}-{pm_id}-{now:%Y%m%dT%H%M%SZ}.{extension}")


def mark(dest: str, pid: int, started: str) -> str:
    """Remember that the inspector of a process is open because of this run."""
    path = os.path.join(dest, f"inspector-{pid}-{started}")
    write_atomically(path, "")
    return path


def marks(dest: str) -> list[tuple[str, int, str]]:
    """What runs that were killed left: path, process, and when that started."""
    try:
        names = sorted(os.listdir(dest))
    except OSError:
        return []
    found = [(name, _MARK.fullmatch(name)) for name in names]
    return [(os.path.join(dest, name), int(match[1]), match[2]) for name, match in found if match]


def unmark(path: str) -> None:
    with suppress(OSError):
        os.unlink(path)


class Stream:
    """A heap snapshot that arrives in pieces."""

    def __init__(self, stream: IO[str], folder: str) -> None:
        self._stream = stream
        self._folder = folder
        self.size = 0
        self._next_look = _LOOK

    def write(self, method: str, params: Mapping[str, Any]) -> None:
        """Keep one piece; raises `Refused` if the disk fills up."""
        if method != "HeapProfiler.addHeapSnapshotChunk":
            return
        piece = str(params.get("chunk", ""))
        self._stream.write(piece)
        self.size += len(piece)
        if self.size >= self._next_look:
            self._next_look += _LOOK
            free = free_bytes(self._folder)
            if free < _RESERVE:
                raise Refused(
                    f"only {format_value(free, 'bytes')} are left on disk after "
                    f"{format_value(self.size, 'bytes')} of the snapshot"
                )


@contextmanager
def streamed(path: str) -> Iterator[Stream]:
    """Write a file beside its final name, with mode 0600; a failure leaves nothing behind."""
    folder = os.path.dirname(path)
    partial = os.path.join(folder, f"{PARTIAL}{os.path.basename(path)}")
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW
    handle = os.open(partial, flags, 0o600)
    try:
        with open(handle, "w", encoding="utf-8") as stream:
            yield Stream(stream, folder)
            stream.flush()
            os.fsync(stream.fileno())
        os.replace(partial, path)
    except BaseException:
        os.unlink(partial)
        raise
