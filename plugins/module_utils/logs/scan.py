# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Counts the messages of the last hours of some logs, reading from the end, within limits.

Only messages with a known time are counted. What could not be read or dated is reported, so
that a verdict can take it into account.
"""

from __future__ import annotations

import importlib
import os
import re
import stat
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import tzinfo
from typing import IO

from .parse import LineParser, Record, group_messages
from .rotation import MARK, rotated_files
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
from .timestamps import TimestampParser

_BLOCK = 64 << 10
_CHUNK = 1 << 20
#: Bytes at the end of a log that are searched for a timestamp.
_TAIL = 256 << 10
#: Several processes may write to one log, so its times are only roughly in order; in seconds.
_DISORDER = 120.0
#: Compressed logs must be read from their start, so larger ones are skipped; in bytes.
_MAX_COMPRESSED = 8 << 20
_COMPRESSIONS = {".gz": "gzip", ".bz2": "bz2", ".xz": "lzma"}
_OTHER_COMPRESSIONS = (".zst", ".lz4", ".zip", ".tar", ".tgz")

#: Lines at the end of a log that are searched for its newest time, seconds between two zones,
#: seconds within which the newest line is written, and the largest difference of two zones.
_LINES_FOR_ZONE = 50
_ZONE_STEP = 900
_ZONE_PRECISION = 2.0
_MAX_ZONES = 14 * 3600
#: How an error looks that an app printed to its output.
_THROWN = re.compile(r"(?:Uncaught )?(?:[A-Z]\w*)?(?:Error|Exception)(?: \[\w+\])?: ")


@dataclass(frozen=True)
class LogFile:
    """A log to read, with the files rotated away from it."""

    path: str
    date_format: str = ""
    """PM2's ``log_date_format`` of the log."""
    mixed: bool = False
    """Whether ordinary output goes to the same file."""
    output: bool = False
    """Whether it holds ordinary output only: what is not marked as an error is not one."""
    each_line: bool = False
    """Whether PM2 puts a time before each line, rather than before each message."""
    zone: tzinfo | None = None
    """Zone of the times that PM2 writes; none is that of this process."""
    own_zone: tzinfo | None = None
    """Zone of the times that the app itself writes."""
    opened_as: str = ""
    """Where to read the log if it was deleted, and is still open: a file in /proc."""


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
    unique = list(dict.fromkeys(logs))
    paths = {log.path for log in unique}
    for log in unique:
        _scan_log(log, paths, now, budget, counter)
    return counter.finish()


def _scan_log(
    log: LogFile, paths: set[str], now: float, budget: Budget, counter: MessageCounter
) -> None:
    """Count the messages of a log and its rotated files, as far back as the window goes."""
    if log.path in ("NULL", "/dev/null", ""):
        counter.add_problem(log.path, DISABLED)
        return
    found = False
    shift = 0.0
    for path in (log.opened_as or log.path, *rotated_files(log.path, paths)):
        try:
            parser = _parser(log, now, shift)
            covers_window = _scan_file(path, parser, log, budget, counter)
            shift = parser.timestamps.shifted
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


def _parser(log: LogFile, now: float, shift: float) -> LineParser:
    timestamps = TimestampParser(log.date_format, now, log.zone, log.own_zone)
    timestamps.shift(shift)
    return LineParser(timestamps, each_line=log.each_line)


def _scan_file(
    path: str, parser: LineParser, log: LogFile, budget: Budget, counter: MessageCounter
) -> bool:
    """Count the messages of one file; true if no older file can hold any of the window."""
    # O_NONBLOCK: never wait for the writer of a pipe
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    with open(descriptor, "rb") as stream:
        status = os.fstat(stream.fileno())
        if not stat.S_ISREG(status.st_mode):
            raise OSError(0, "it is not a regular file")
        if status.st_mtime < counter.summary.since:
            return True
        if os.path.splitext(path)[1] in _COMPRESSIONS:
            return _scan_compressed(
                stream, status, parser, log, budget, counter, os.path.splitext(path)[1]
            )
        if os.path.splitext(path)[1] in _OTHER_COMPRESSIONS:
            raise OSError(0, "this compression is not supported")
        lines = _tail(stream, status.st_size).decode(errors="replace").split("\n")
        if all(not line or line.startswith(MARK) for line in lines):
            return False  # nothing was written since it was rotated
        if not correct_zone(lines, parser, status.st_mtime):
            _count_untimed(log, lines, status.st_size > _TAIL, parser, counter)
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
    extension: str,
) -> bool:
    """Count the messages of a compressed file; true if no older file needs to be read."""
    if status.st_size > _MAX_COMPRESSED:
        raise OSError(0, "it is compressed and too large to read")
    module = importlib.import_module(_COMPRESSIONS[extension])
    with module.open(stream) as content:
        try:
            lines = _read_lines(content, 1 << 40, budget, counter.summary)
            oldest = _count_messages(lines, parser, status.st_mtime, log, counter)
        except (OSError, EOFError):
            raise
        except Exception as error:  # each library has its own
            raise OSError(0, "it is corrupted") from error
    covers_window = oldest is not None and oldest < counter.summary.since
    return covers_window or not counter.summary.complete


def correct_zone(lines: list[str], parser: LineParser, modified: float) -> bool:
    """Whether any of the last lines of a log has a time.

    If the newest time is another one than that of the last write, and the difference is that
    between two zones, the log's times are in that zone.
    """
    for line in reversed(lines[-_LINES_FOR_ZONE:]):
        for record in parser.parse(line):
            if record.time is None:
                continue
            offset = round((modified - record.time) / _ZONE_STEP) * _ZONE_STEP
            is_exact = abs(modified - record.time - offset) <= _ZONE_PRECISION
            if parser.timestamps.without_zone and is_exact and 0 < abs(offset) <= _MAX_ZONES:
                parser.timestamps.shift(parser.timestamps.shifted + offset)
            return True
    return any(record.time is not None for line in lines for record in parser.parse(line))


def _tail(stream: IO[bytes], size: int) -> bytes:
    stream.seek(max(0, size - _TAIL))
    return stream.read(min(size, _TAIL))


def _count_untimed(
    log: LogFile, lines: list[str], is_partial: bool, parser: LineParser, counter: MessageCounter
) -> None:
    """Count the messages at the end of a log without times, as messages that may be recent."""
    if is_partial:
        del lines[0]  # the rest of a line
    messages = group_messages(parser.parse_all(lines))
    found = Counter(
        counter.fingerprint(message.text)
        for message in messages
        if message.error is not False and (not log.output or _is_marked_error(message))
    )
    if found or (is_partial and not log.output):
        counter.add_undated(found)
        counter.add_problem(log.path, UNTIMED, count=sum(found.values()), at_least=is_partial)


def _is_marked_error(message: Record) -> bool:
    """Whether a line of ordinary output says that it is an error, and not just a warning."""
    if message.error is None:
        return bool(_THROWN.match(message.text))
    return message.error and not message.warning


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


def _read_lines(stream: IO[bytes], size: int, budget: Budget, summary: LogSummary) -> Iterator[str]:
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
        if log.output and not _is_marked_error(message):
            counter.summary.warnings += message.warning and moment is not None
        elif message.error is False:
            counter.summary.informational += moment is not None
        elif log.mixed and message.error is None:
            unmarked += 1
        elif moment is not None:
            counter.add(counter.fingerprint(message.text), moment, moment)
        else:
            _keep(pending, message.text, counter)
    end = modified if latest is None else max(modified, latest)
    counter.date_by_neighbours(pending, latest, end)
    if unmarked:
        counter.add_problem(log.path, MIXED, count=unmarked)
    if oldest is not None:
        counter.note_oldest(oldest)
    return oldest


def _keep(pending: dict[str, int], text: str, counter: MessageCounter) -> None:
    """Count a message without a time by fingerprint, until its neighbours date it."""
    key = OTHER_MESSAGES if len(pending) >= MAX_GROUPS else counter.fingerprint(text)
    pending[key] = pending.get(key, 0) + 1
