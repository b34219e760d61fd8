# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Takes lines off the head of a log, after they were copied, while others append to the log.

The writers need not open the log again, so none of them can lose a line by that. The file system
moves the rest of the file to its start (``FALLOC_FL_COLLAPSE_RANGE``: ext4, XFS), in one step and
by whole blocks. What is left of the last block is in the copy as well; a mark is written over it.

This is also the script that logrotate runs before it copies logs and after each one, so it imports
nothing of the collection. A link beside the log (``.NAME.rotating``) names the copy that was the
newest before: the lines of a newer one that is not compressed may be in the log, too.
"""

from __future__ import annotations

import errno
import fcntl
import glob
import os
import re
import signal
import stat
import subprocess
import sys
import zlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress

_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_CHUNK = 1 << 20
_DATED = re.compile(r"-\d{8}-\d{10}")


def begin(log: str, keep_free: int) -> None:
    """Before a copy: complete what was killed, and say that a copy is being made. Raises OSError"""
    with _locked(log) as live:
        for copy in pending(log):
            _cut(live, copy)
        size, space = os.fstat(live).st_size, os.fstatvfs(live)
        if space.f_bavail * space.f_frsize < size + keep_free:
            text = f"copying it would leave less than {keep_free} bytes free"
            raise OSError(errno.ENOSPC, text, log)
        newest = max((name for name, _packed in _copies(log)), default=os.path.basename(log))
        _set_flag(log, newest if size else "")  # logrotate leaves an empty one alone


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
        before = os.readlink(_flag(log))
    except FileNotFoundError:
        return []
    folder = os.path.dirname(log)
    names = sorted(name for name, packed in _copies(log) if not packed and name > before)
    return [os.path.join(folder, name) for name in names]


def _set_flag(log: str, newest: str) -> None:
    """The flag that names the newest copy, or none."""
    flag = _flag(log)
    before = os.readlink(flag) if os.path.islink(flag) else ""
    if before == newest:
        return
    if newest:
        with suppress(FileNotFoundError):
            os.unlink(f"{flag}.new")
        os.symlink(newest, f"{flag}.new")
        os.replace(f"{flag}.new", flag)
    else:
        os.unlink(flag)
    _sync(os.path.dirname(log))


def _flag(log: str) -> str:
    folder, name = os.path.split(log)
    return os.path.join(folder, f".{name}.rotating")


def _copies(log: str) -> Iterator[tuple[str, bool]]:
    """What was split off, without the end .gz, and whether it is compressed."""
    folder, base = os.path.split(log)
    for name in os.listdir(folder):
        stem = name[:-3] if name.endswith(".gz") else name
        if stem.startswith(base) and _DATED.fullmatch(stem[len(base) :]):
            yield stem, stem != name


@contextmanager
def _locked(log: str) -> Iterator[int]:
    """The log, which one process at a time may shorten."""
    handle = _open(log)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        if not os.path.samestat(os.fstat(handle), os.lstat(log)):
            raise OSError(errno.ESTALE, "was replaced meanwhile", log)
        yield handle
    finally:
        os.close(handle)


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
        if os.pread(live, len(mark), 0) == mark:
            return
        length = max(0, (size - len(mark) - 1) // block * block)
        line = mark.ljust(size - length - 1) + b"\n"
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
        _write(live, line, length)
        os.fsync(live)
        collapse(live, length)
        os.fsync(live)
    finally:
        os.close(kept)


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


def main(step: str, *values: str) -> None:
    """As logrotate starts it; with no more permissions than the owner of the folder has.

    ``begin`` with bytes that must stay free and patterns of logs; ``finish`` with log and copy.
    """
    logs = (
        [log for each in values[1:] for log in glob.glob(each)] if step == "begin" else values[:1]
    )
    log = ""
    try:
        for log in logs:
            folder, status = os.stat(os.path.dirname(log)), os.lstat(log)
            if not stat.S_ISREG(status.st_mode) or status.st_nlink > 1:
                continue  # logrotate leaves it alone, too
            if os.getuid() == 0:
                os.setgroups([])
                os.setgid(folder.st_gid)
                os.setuid(folder.st_uid)
            if step == "begin":
                begin(log, int(values[0]))
            else:
                finish(log, values[1])
    except OSError as error:
        sys.exit(f"{error.filename or log}: {error.strerror}")


if __name__ == "__main__":
    main(*sys.argv[1:])
