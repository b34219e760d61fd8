# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Takes lines off the head of a log, after they were copied, while others append to the log.

The writers need not open the log again, so none of them can lose a line by that. The file system
moves the rest of the file to its start (``FALLOC_FL_COLLAPSE_RANGE``: ext4, XFS), in one step and
by whole blocks. What is left of the last block is in the copy as well; a mark is written over it.

This is also the script that logrotate runs before it copies logs and after each one, so it imports
nothing of the collection. A link beside the log (``.NAME.rotating``) names the log's inode, and the
second of the copy that was the newest before: the lines of a newer one that is not compressed may
be in that log, too.
"""

from __future__ import annotations

import errno
import fcntl
import glob
import grp
import os
import pwd
import re
import signal
import stat
import subprocess
import sys
import time
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any

_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_CHUNK = 1 << 20
_DATED = re.compile(r"-\d{8}-(\d{10})")
#: Seconds to wait for another process that has locked a log.
_PATIENCE = 30.0


def complete(log: str) -> None:
    """Before logrotate compresses the copies: complete what was killed. Raises OSError."""
    status = os.lstat(log)
    is_plain = stat.S_ISREG(status.st_mode) and status.st_nlink == 1  # logrotate wants it, too
    if is_plain and pending(log):
        finish(log)


def begin(log: str, keep_free: int) -> None:
    """Before a copy: say that it is being made. Raises OSError if there is no space for it."""
    with _locked(log) as live:
        status, space = os.fstat(live), os.fstatvfs(live)
        if space.f_bavail * space.f_frsize < status.st_size + keep_free:
            text = f"copying it would leave less than {keep_free} bytes free"
            raise OSError(errno.ENOSPC, text, log)
        now = time.time()  # a clock that was wrong may have named a copy after a later second
        newest = max((each for each, _name in _copies(log) if each <= now), default=0)
        if not pending(log):  # this may come late, from a killed run, while the next one copies
            _set_flag(log, f"{status.st_ino}-{newest}")


def finish(log: str, only: str = "") -> list[str]:
    """After a copy: take its lines off the log; returns the copies of which this was done.

    ``only`` is the copy; without it, every one that a killed run left. Does nothing if all is done.
    Raises OSError.
    """
    if not os.path.lexists(log):
        _set_flag(log, "")  # removed meanwhile: the copy has what there is
        return []
    with _locked(log) as live:
        copies = [copy for copy in pending(log) if not only or copy == only]
        for copy in copies:
            _cut(live, copy)
        if copies:
            _set_flag(log, "")
    return copies


def pending(log: str) -> list[str]:
    """The copies of which the lines may be in the log, too; oldest first."""
    try:
        flag = re.fullmatch(r"(\d+)-(\d+)", os.readlink(flag_of(log)))
        if not flag or int(flag[1]) != os.lstat(log).st_ino:
            return []  # another log by now, or none
    except FileNotFoundError:
        return []
    newer = sorted(each for each in _copies(log) if each[0] > int(flag[2]))
    return [os.path.join(os.path.dirname(log), name) for _second, name in newer if name]


def _set_flag(log: str, content: str) -> None:
    """The flag that says what the newest copy is, or none."""
    flag = flag_of(log)
    if content:
        with suppress(FileNotFoundError):
            os.unlink(f"{flag}.new")
        os.symlink(content, f"{flag}.new")
        os.replace(f"{flag}.new", flag)
    else:
        with suppress(FileNotFoundError):
            os.unlink(flag)
    _sync(os.path.dirname(log))


def flag_of(log: str) -> str:
    """The link beside it; it belongs to who has begun the copy."""
    folder, name = os.path.split(log)
    return os.path.join(folder, f".{name}.rotating")


def _copies(log: str) -> Iterator[tuple[int, str]]:
    """The second of each that was split off, and its name; none if it is compressed."""
    folder, base = os.path.split(log)
    for name in os.listdir(folder):
        stem = name[:-3] if name.endswith(".gz") else name
        found = _DATED.fullmatch(stem[len(base) :]) if stem.startswith(base) else None
        if found:
            yield int(found[1]), name if stem == name else ""


@contextmanager
def _locked(log: str) -> Iterator[int]:
    """The log, which one process at a time may shorten."""
    handle = _open(log)
    try:
        _lock(handle, log)
        if not os.path.samestat(os.fstat(handle), os.lstat(log)):
            raise OSError(errno.ESTALE, "was replaced meanwhile", log)
        yield handle
    finally:
        os.close(handle)


def _lock(handle: int, log: str) -> None:
    """Who may read a log may lock it; logrotate must not wait for that for ever."""
    end = time.monotonic() + _PATIENCE
    while time.monotonic() < end:
        with suppress(BlockingIOError):
            return fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        time.sleep(0.05)
    raise OSError(errno.EBUSY, "another process has locked it", log)


def _open(path: str) -> int:
    handle = os.open(path, os.O_RDWR | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    status = os.fstat(handle)
    if stat.S_ISREG(status.st_mode) and status.st_nlink == 1:
        return handle
    os.close(handle)
    raise OSError(errno.EINVAL, "is no plain file with one name", path)


def _cut(live: int, copy: str) -> None:
    """Take the whole lines of a copy off the log; each step may be the last, and be done again."""
    _require_complete(copy)
    kept = _open(copy)
    try:
        size, block = _whole_lines(kept), os.fstatvfs(live).f_bsize
        mark = _mark(kept, size, os.path.basename(copy))
        if _begins_with(live, mark):
            return
        length = max(0, (size - len(mark) - 1) // block * block)
        line = mark.ljust(size - length - 1) + b"\n"
        os.fsync(kept)  # first, as the log may be emptied meanwhile, which it must see
        if not _is_head(live, kept, length, line if length else b""):
            return  # the log is another one by now
        if not length:  # less than a block stays where it is
            os.unlink(copy)
            return
        times = os.fstat(live)
        os.ftruncate(kept, size)
        os.utime(kept, ns=(times.st_atime_ns, times.st_mtime_ns))
        os.fsync(kept)
        _sync(os.path.dirname(copy))
        _take_off(live, kept, length, line, copy)
    finally:
        os.close(kept)


def _take_off(live: int, kept: int, length: int, line: bytes, copy: str) -> None:
    """Write the mark, and take off what is before it; undone if the file system cannot do it."""
    head = os.pread(kept, _CHUNK, 0)[:length]
    if not _begins_with(live, head):
        return  # it was emptied just now
    _write(live, line, length)
    os.fsync(live)
    if not _begins_with(live, head):
        return
    try:
        collapse(live, length)
    except OSError:
        if _begins_with(live, head):
            _write(live, os.pread(kept, len(line), length), length)
            os.fsync(live)
            if _is_head(live, kept, length, b""):
                os.unlink(copy)
        raise
    os.fsync(live)


def _begins_with(handle: int, text: bytes) -> bool:
    return os.pread(handle, len(text), 0) == text


def _mark(kept: int, size: int, name: str) -> bytes:
    """Says which lines were taken off; 'gzip -lv' prints the same of the compressed copy."""
    check = at = 0
    while at < size:
        chunk = os.pread(kept, min(_CHUNK, size - at), at)
        check, at = zlib.crc32(chunk, check), at + len(chunk)
    what = f" ({size} bytes, CRC-32 {check:08x})".encode()
    return b"# The lines before this are in " + os.fsencode(name) + what


def _require_complete(copy: str) -> None:
    """The kernel grants a lease only if no one has the copy open for writing."""
    signal.signal(signal.SIGIO, signal.SIG_IGN)
    handle = os.open(copy, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        fcntl.fcntl(handle, fcntl.F_SETLEASE, fcntl.F_RDLCK)
        fcntl.fcntl(handle, fcntl.F_SETLEASE, fcntl.F_UNLCK)
    except OSError as error:
        if error.errno == errno.EAGAIN:
            raise OSError(errno.EBUSY, "someone still writes to it", copy) from None
    finally:
        os.close(handle)


def _whole_lines(kept: int) -> int:
    """How many bytes of it are whole lines."""
    end = os.fstat(kept).st_size
    while end:
        start = max(0, end - _CHUNK)
        found = os.pread(kept, end - start, start).rfind(b"\n")
        if found >= 0:
            return start + found + 1
        end = start
    return 0


def _is_head(live: int, kept: int, length: int, line: bytes) -> bool:
    """Whether the log begins with the copy, of which a killed run may have begun to mark the end"""
    size, at = os.fstat(kept).st_size, 0
    while at < size:
        found, wanted = os.pread(live, _CHUNK, at), os.pread(kept, _CHUNK, at)
        found = found[: len(wanted)]
        first = max(0, length - at)
        marked = line[max(0, at - length) :][: len(wanted) - first]
        marked += wanted[first + len(marked) :]
        if len(found) != len(wanted) or found[:first] != wanted[:first]:
            return False
        rest = zip(found[first:], wanted[first:], marked)
        if found != wanted and any(one not in (old, new) for one, old, new in rest):
            return False
        at += len(wanted)
    return True


def _write(handle: int, data: bytes, at: int) -> None:
    while data:
        done = os.pwrite(handle, data, at)
        data, at = data[done:], at + done


def collapse(handle: int, length: int) -> None:
    """Take whole blocks off the head of a file, in one step; raises OSError.

    With the program of util-linux: logrotate's service may not let a process call what it loads.
    """
    command = ["fallocate", "--collapse-range", "--offset", "0", "--length", str(length)]
    done = subprocess.run(  # noqa: S603 - no shell
        [*command, f"/proc/self/fd/{handle}"],
        capture_output=True,
        text=True,
        env={"PATH": _PATH, "LC_ALL": "C"},
        pass_fds=[handle],  # it keeps the lock, even if this process is killed
        check=False,
    )
    if done.returncode:
        raise OSError(errno.EIO, f"its head cannot be taken off: {done.stderr.strip()}")


def _sync(folder: str) -> None:
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def main(step: str, user: str, group: str, *values: str) -> None:
    """As logrotate starts it, by root even if its configuration names a user, as this does then.

    ``complete`` with patterns of logs, ``begin`` with bytes that must stay free and a log,
    ``finish`` with log and copy.
    """
    if user and os.getuid() == 0:
        os.setgroups([])
        os.setgid(_number(group, grp.getgrnam))
        os.setuid(_number(user, pwd.getpwnam))
    if step == "complete":
        problems = [_try(complete, log) for each in values for log in glob.glob(each)]
    elif step == "begin":
        problems = [_try(begin, values[1], int(values[0]))]
    else:
        problems = [_try(finish, values[0], values[1])]
    raise SystemExit("\n".join(filter(None, problems)) or None)


def _number(name: str, find: Callable[[str], Sequence[Any]]) -> int:
    """The number of a user or group, which may have no name."""
    try:
        return int(find(name)[2])
    except KeyError:
        return int(name)


def _try(step: Callable[..., object], log: str, *values: object) -> str:
    """What went wrong, or nothing: one log must not keep others from being rotated."""
    try:
        step(log, *values)
    except OSError as error:
        return f"{error.filename or log}: {error.strerror}"
    return ""


if __name__ == "__main__":
    main(*sys.argv[1:])
