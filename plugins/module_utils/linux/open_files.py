# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Open files: whether anyone still writes to a file, who has it open, and which are deleted.

Whether a file is open for writing is asked of the kernel, which knows all processes of the host,
those in containers included. The names of the processes are in /proc, as far as this user may see.
"""

from __future__ import annotations

import errno
import fcntl
import os
import signal
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from .proc import read_text, user_name

#: What is not a file of a disk, although it is open and has a name that was deleted.
_NO_FILES = ("/memfd:", "/dev/", "/SYSV", "/proc/", "/[", "/i915", "/drm ", "/run/user/")
_BLOCK = 512


@dataclass(frozen=True)
class OpenFile:
    """A regular file that a process has open."""

    pid: int
    process: str
    user: str
    path: str
    """Where it is; where it was, if it is deleted."""
    deleted: bool
    writes: bool
    identity: tuple[int, int]
    """Device and inode."""
    size: int
    used: int
    """Bytes that it takes up on the disk."""
    appends: bool = False
    """Whether all that is written goes to the end of the file."""

    @property
    def described(self) -> str:
        return f"process {self.pid} ({self.process}, user {self.user})"


def is_written(path: str) -> bool | None:
    """Whether any process has a file open for writing; none if that is not known.

    Some file systems do not say it; then what can be seen in /proc counts. Raises OSError if the
    file cannot be opened.
    """
    answer = _lease_refused(path)
    if answer is not None:
        return answer
    status = os.stat(path)
    found, unseen = open_files(
        lambda each, link: (each.st_dev, each.st_ino) == (status.st_dev, status.st_ino)
    )
    if any(each.writes for each in found):
        return True
    return None if unseen else False


def _lease_refused(path: str) -> bool | None:
    """The kernel grants a lease for reading only if no one has the file open for writing."""
    handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    # The kernel sends it to the holder of a lease when someone opens the file.
    before = signal.signal(signal.SIGIO, signal.SIG_IGN)
    try:
        with as_user(os.fstat(handle).st_uid):  # only the owner may ask
            fcntl.fcntl(handle, fcntl.F_SETLEASE, fcntl.F_RDLCK)
            fcntl.fcntl(handle, fcntl.F_SETLEASE, fcntl.F_UNLCK)
    except OSError as error:
        return True if error.errno == errno.EAGAIN else None
    finally:
        signal.signal(signal.SIGIO, before)
        os.close(handle)
    return False


def open_files(wanted: Callable[[os.stat_result, str], bool]) -> tuple[list[OpenFile], int]:
    """The open files that the caller wants, and of how many processes this user sees none."""
    found: list[OpenFile] = []
    unseen = 0
    for entry in os.listdir("/proc"):
        if entry.isdigit() and int(entry) != os.getpid():
            try:
                found += _files_of(int(entry), wanted)
            except (FileNotFoundError, ProcessLookupError):
                continue  # it has ended
            except OSError:
                unseen += 1
    return found, unseen


def deleted_files(devices: frozenset[int]) -> tuple[list[OpenFile], int]:
    """Deleted files on these devices that processes have open, each once; see `open_files`."""

    def wanted(status: os.stat_result, link: str) -> bool:
        is_file = link.endswith(" (deleted)") and not link.startswith(_NO_FILES)
        return is_file and status.st_dev in devices and status.st_nlink == 0

    found, unseen = open_files(wanted)
    return list({each.identity: each for each in found}.values()), unseen


def writers_of(identities: frozenset[tuple[int, int]]) -> list[OpenFile]:
    """Who has these files open for writing, as far as this user may see."""
    found, _unseen = open_files(lambda status, link: (status.st_dev, status.st_ino) in identities)
    return [each for each in found if each.writes]


def _files_of(pid: int, wanted: Callable[[os.stat_result, str], bool]) -> list[OpenFile]:
    owner = os.stat(f"/proc/{pid}/fd")
    try:
        return list(_inspect(pid, owner.st_uid, wanted))
    except PermissionError:
        if os.geteuid() != 0 or owner.st_uid == 0:
            raise
        # Root in a container may lack permission that the owner has, if the group is the same, too.
        with as_user(owner.st_uid, owner.st_gid):
            return list(_inspect(pid, owner.st_uid, wanted))


def _inspect(
    pid: int, owner: int, wanted: Callable[[os.stat_result, str], bool]
) -> Iterator[OpenFile]:
    for number in os.listdir(f"/proc/{pid}/fd"):
        place = f"/proc/{pid}/fd/{number}"
        try:
            status, link = os.stat(place), os.readlink(place)
        except PermissionError:  # also where the numbers could be listed
            raise
        except OSError:
            continue  # closed meanwhile
        if not stat.S_ISREG(status.st_mode) or not wanted(status, link):
            continue
        deleted = link.endswith(" (deleted)") and status.st_nlink == 0
        flags = _flags(pid, number)
        yield OpenFile(
            pid=pid,
            process=read_text(f"/proc/{pid}/comm").strip(),
            user=user_name(owner),
            path=link[: -len(" (deleted)")] if deleted else link,
            deleted=deleted,
            writes=bool(flags & os.O_ACCMODE),
            appends=bool(flags & os.O_APPEND),
            identity=(status.st_dev, status.st_ino),
            size=status.st_size,
            used=status.st_blocks * _BLOCK,
        )


def _flags(pid: int, number: str) -> int:
    """How it was opened."""
    for line in read_text(f"/proc/{pid}/fdinfo/{number}").splitlines():
        if line.startswith("flags:"):
            return int(line.split()[1], 8)
    return 0


@contextmanager
def as_user(uid: int, gid: int = 0) -> Iterator[None]:
    """With the permissions of a user, if this is root; the kernel's refusal is an OSError."""
    if os.geteuid() != 0 or uid == 0:
        yield
        return
    before = os.getegid()
    os.setegid(gid)
    os.seteuid(uid)
    try:
        yield
    finally:
        os.seteuid(0)
        os.setegid(before)
