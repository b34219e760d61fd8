# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who writes the logs, and which of them can be rotated without being opened again."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence, Set
from contextlib import suppress

from ..core.files import free_bytes
from ..linux.open_files import OpenFile, writers_of
from ..linux.proc import read_text, stat_fields
from .cut import collapse
from .options import Options
from .snapshot import Log

#: The processes that have a log open for writing, by its path.
Writers = Mapping[str, Sequence[OpenFile]]


def writers_by_log(paths: Iterable[str]) -> Writers:
    """The writers of each log that has some, as far as this user may see."""
    identities = {}
    for path in paths:
        with suppress(OSError):
            status = os.stat(path)
            identities[status.st_dev, status.st_ino] = path
    found: dict[str, list[OpenFile]] = {}
    for each in writers_of(frozenset(identities)):
        found.setdefault(identities[each.identity], []).append(each)
    return found


def written_by_pm2(paths: Iterable[str], writers: Writers, home: str) -> frozenset[str]:
    """The logs that PM2's daemon, or what it has started, has open; all if that is not known."""
    if not home:
        return frozenset()
    daemon = _daemon(home)
    if not writers or not daemon:
        return frozenset(paths)
    return frozenset(_of_pm2(writers, daemon))


def cuttable(
    logs: Mapping[str, Sequence[Log]], writers: Writers, options: Options, before: Set[str]
) -> frozenset[str]:
    """The patterns of logs of PM2 whose lines can be copied and then cut off.

    All who write to them append, and their file system can do it and has space for a copy. What no
    one writes at the moment is as it was ``before``: the logs that our configuration cuts.
    """
    if not options.pm2_home or options.pm2_reload:
        return frozenset()
    of_pm2 = frozenset(_of_pm2(writers, _daemon(options.pm2_home)))
    found = set()
    for pattern, some in logs.items():
        paths = [log.path for log in some]
        idle = not any(path in writers for path in paths)
        cut_before = idle and bool(before & {pattern, *paths})
        appended = all(each.appends for path in paths for each in writers.get(path, ()))
        is_pm2 = bool(of_pm2.intersection(paths))
        if (is_pm2 or cut_before) and appended and _can_copy(pattern, some, options.keep_free):
            found.add(pattern)
    return frozenset(found)


def stays(log: str) -> bool:
    """Whether a log has less than the block that could be taken off."""
    try:
        return os.path.getsize(log) < os.statvfs(log).f_bsize
    except OSError:
        return False


def can_cut(folder: str) -> bool:
    """Whether the file system can take blocks off a file; tried with one that has no name."""
    try:
        handle = os.open(folder, os.O_TMPFILE | os.O_RDWR, 0o600)
    except OSError:
        return False
    try:
        block = os.fstatvfs(handle).f_bsize
        os.write(handle, b"x" * (block + 1))
        collapse(handle, block)
        return os.fstat(handle).st_size == 1
    except OSError:
        return False
    finally:
        os.close(handle)


def _can_copy(pattern: str, logs: Sequence[Log], keep_free: int) -> bool:
    folders = {os.path.dirname(log.path) for log in logs} or {os.path.dirname(pattern)}
    largest = max((log.size for log in logs), default=0)
    try:
        return all(free_bytes(each) >= largest + keep_free and can_cut(each) for each in folders)
    except OSError:
        return False


def _of_pm2(writers: Writers, daemon: int) -> Iterable[str]:
    for path, found in writers.items():
        if daemon and any(_descends(each.pid, daemon) for each in found):
            yield path


def _daemon(home: str) -> int:
    """The process number of PM2's daemon; 0 if it is not known."""
    try:
        text = read_text(os.path.join(home, "pm2.pid")).strip()
    except OSError:
        return 0
    return int(text) if text.isdigit() else 0


def _descends(pid: int, ancestor: int) -> bool:
    while pid > 1:
        if pid == ancestor:
            return True
        fields = stat_fields(pid)
        pid = int(fields[1]) if len(fields) > 1 else 0
    return False
