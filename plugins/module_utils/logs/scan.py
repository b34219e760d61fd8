# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Counts the messages of the last hours of some logs, reading from the end, within limits.

Only messages with a known time are counted. What could not be read or dated is reported, so
that a verdict can take it into account.
"""

from __future__ import annotations

import os
import stat
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING

from .parse import LineParser, group_messages
from .rotation import rotated_files
from .summary import (
    DISABLED,
    FORBIDDEN,
    MAX_GROUPS,
    MISSING,
    MIXED,
    OTHER_MESSAGES,
    UNREADABLE,
    UNTIMED,
    LogSummary,
    MessageCounter,
)

if TYPE_CHECKING:
    import gzip

_BLOCK = 64 << 10
_CHUNK = 1 << 20
#: Bytes at the end of a log that are searched for a timestamp.
_TAIL = 256 << 10
#: Several processes may write to one log, so its times are only roughly in order; in seconds.
_DISORDER = 120.0
#: Compressed logs must be read from their start, so larger ones are skipped; in bytes.
_MAX_COMPRESSED = 8 << 20
_OTHER_COMPRESSIONS = (".zst", ".xz", ".bz2", ".lz4", ".zip")


@dataclass(frozen=True)
class LogFile:
    """A log to read, with the files rotated away from it."""

    path: str
    date_format: str = ""
    """PM2's ``log_date_format`` of the log."""
    mixed: bool = False
    """Whether ordinary output goes to the same file."""


class Budget:
    """Maximum number of bytes and seconds that reading may take in total."""

    def __init__(self, size: int, seconds: float) -> None:
        self.bytes_left = size
        self._end = time.monotonic() + seconds

    @property
    def exhausted(self) -> bool:
        return self.bytes_left <= 0 or time.monotonic() > self._end


def scan(logs: Iterable[LogFile], since: float, now: float, budget: Budget) -> LogSummary:
    """Count the messages since a moment; both times are in seconds since the epoch."""
    counter = MessageCounter(since)
    for log in dict.fromkeys(logs):
        _scan_log(log, now, budget, counter)
    return counter.finish()


def _scan_log(log: LogFile, now: float, budget: Budget, counter: MessageCounter) -> None:
    """Count the messages of a log and its rotated files, as far back as the window goes."""
    if log.path in ("NULL", "/dev/null", ""):
        counter.add_problem(log.path, DISABLED)
        return
    found = False
    for path in (log.path, *rotated_files(log.path)):
        try:
            covers_window = _scan_file(path, log, now, budget, counter)
        except FileNotFoundError:
            continue
        except PermissionError:
            counter.add_problem(path, FORBIDDEN)
            return
        except EOFError:
            counter.add_problem(path, UNREADABLE, "it is truncated")
            return
        except OSError as error:
            counter.add_problem(path, UNREADABLE, error.strerror or "it is truncated")
            return
        found = True
        if covers_window:
            return
    if not found:
        counter.add_problem(log.path, MISSING)


def _scan_file(
    path: str, log: LogFile, now: float, budget: Budget, counter: MessageCounter
) -> bool:
    """Count the messages of one file; true if no older file can hold any of the window."""
    parser = LineParser(log.date_format, now)
    # O_NONBLOCK: never wait for the writer of a pipe
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    with open(descriptor, "rb") as stream:
        status = os.fstat(stream.fileno())
        if not stat.S_ISREG(status.st_mode):
            raise OSError(0, "it is not a regular file")
        if status.st_mtime < counter.summary.since:
            return True
        if path.endswith(".gz"):
            return _scan_compressed(stream, status, parser, log, budget, counter)
        if os.path.splitext(path)[1] in _OTHER_COMPRESSIONS:
            raise OSError(0, "only gzip compression is supported")
        if not status.st_size:
            return False
        if not _has_times(stream, status.st_size, parser):
            _count_untimed(path, stream, status.st_size, parser, counter)
            return True
        return _scan_plain(stream, status, parser, log, budget, counter)


def _scan_plain(
    stream: IO[bytes],
    status: os.stat_result,
    parser: LineParser,
    log: LogFile,
    budget: Budget,
    counter: MessageCounter,
) -> bool:
    """Count the messages of an uncompressed file; true if no older file needs to be read."""
    summary = counter.summary
    start, covers_window = _find_start(
        stream, status.st_size, summary.since - _DISORDER, parser, budget
    )
    stream.seek(start)
    lines = _read_lines(stream, status.st_size - start, budget, summary)
    if start:
        next(lines, None)  # the rest of a line
        summary.complete &= covers_window
    _count_messages(lines, parser, status.st_mtime, log, counter)
    return covers_window or not summary.complete


def _scan_compressed(
    stream: IO[bytes],
    status: os.stat_result,
    parser: LineParser,
    log: LogFile,
    budget: Budget,
    counter: MessageCounter,
) -> bool:
    """Count the messages of a gzip file; true if no older file needs to be read."""
    import gzip
    import zlib

    if status.st_size > _MAX_COMPRESSED:
        raise OSError(0, "it is compressed and too large to read")
    with gzip.open(stream) as content:
        try:
            lines = _read_lines(content, 1 << 40, budget, counter.summary)
            oldest = _count_messages(lines, parser, status.st_mtime, log, counter)
        except zlib.error:
            raise OSError(0, "it is corrupted") from None
    covers_window = oldest is not None and oldest < counter.summary.since
    return covers_window or not counter.summary.complete


def _has_times(stream: IO[bytes], size: int, parser: LineParser) -> bool:
    """Whether any line near the end of a log has a time."""
    return _first_time(_tail(stream, size), parser) is not None


def _tail(stream: IO[bytes], size: int) -> bytes:
    stream.seek(max(0, size - _TAIL))
    return stream.read(min(size, _TAIL))


def _count_untimed(
    path: str, stream: IO[bytes], size: int, parser: LineParser, counter: MessageCounter
) -> None:
    """Count the messages at the end of a log without times, as messages that may be recent."""
    lines = _tail(stream, size).decode(errors="replace").split("\n")
    is_partial = size > _TAIL
    if is_partial:
        del lines[0]  # the rest of a line
    found = Counter(
        counter.fingerprint(message.text) for message in group_messages(parser.parse_all(lines))
    )
    if found or is_partial:
        counter.add_undated(found)
        counter.add_problem(path, UNTIMED, count=sum(found.values()), at_least=is_partial)


def _find_start(
    stream: IO[bytes], size: int, before: float, parser: LineParser, budget: Budget
) -> tuple[int, bool]:
    """Where to start reading so as to miss nothing after a moment, and whether the log covers it.

    Steps back from the end, each time twice as far, and checks the first time found there.
    """
    step = _BLOCK
    while step < size:
        stream.seek(size - step)
        first = _first_time(stream.read(_BLOCK).partition(b"\n")[2], parser)
        if first is not None and first < before:
            return size - step, True
        if step >= budget.bytes_left:
            break
        step *= 2
    if size > budget.bytes_left:
        return size - max(budget.bytes_left, 0), False
    stream.seek(0)
    first = _first_time(stream.read(_BLOCK), parser)
    return 0, first is not None and first < before


def _first_time(block: bytes, parser: LineParser) -> float | None:
    for line in block.decode(errors="replace").split("\n"):
        for record in parser.parse(line):
            if record.time is not None:
                return record.time
    return None


def _read_lines(
    stream: IO[bytes] | gzip.GzipFile, size: int, budget: Budget, summary: LogSummary
) -> Iterator[str]:
    """The lines within the next ``size`` bytes of a log; whatever is appended later is ignored."""
    rest = b""
    while size > 0:
        if budget.exhausted:
            summary.complete = False
            break
        chunk = stream.read(min(size, _CHUNK))
        if not chunk:
            break
        size -= len(chunk)
        budget.bytes_left -= len(chunk)
        head, newline, tail = chunk.rpartition(b"\n")
        if newline:
            yield from (rest + head).decode(errors="replace").split("\n")
            rest = tail
        else:
            rest = (rest + tail)[-_CHUNK:]
    if rest:
        yield rest.decode(errors="replace")


def _count_messages(
    lines: Iterable[str],
    parser: LineParser,
    modified: float,
    log: LogFile,
    counter: MessageCounter,
) -> float | None:
    """Count the messages in the window; returns the oldest time in the lines.

    ``modified`` is when the file was last written, in seconds since the epoch.
    """
    oldest: float | None = None
    latest: float | None = None
    pending: dict[str, int] = {}
    unmarked = 0
    for message in group_messages(parser.parse_all(lines)):
        moment = message.time
        if moment is not None:
            counter.date_by_neighbours(pending, latest, moment)
            oldest = moment if oldest is None else min(oldest, moment)
            latest = moment if latest is None else max(latest, moment)
            if moment < counter.summary.since:
                continue
        if message.error is False:
            counter.summary.informational += moment is not None
        elif log.mixed and message.error is None:
            unmarked += 1
        elif moment is not None:
            counter.add(counter.fingerprint(message.text), moment, moment)
        else:
            is_full = len(pending) >= MAX_GROUPS
            text = OTHER_MESSAGES if is_full else counter.fingerprint(message.text)
            pending[text] = pending.get(text, 0) + 1
    end = modified if latest is None else max(modified, latest)
    counter.date_by_neighbours(pending, latest, end)
    if unmarked:
        counter.add_problem(log.path, MIXED, count=unmarked)
    if oldest is not None:
        counter.note_oldest(oldest)
    return oldest
