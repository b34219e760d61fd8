# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The messages of a log's last hours, counted by shape: found from the end of the file, bounded in bytes and in time.

Nothing is counted that cannot be dated. What could not be read or dated is said, so that a verdict can be honest.
"""

from __future__ import annotations

import os
import re
import stat
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import IO, TYPE_CHECKING

from .parse import LineReader, messages, shape

if TYPE_CHECKING:
    import gzip

#: Why a log tells less than it should.
UNTIMED, FORBIDDEN, MISSING, UNREADABLE, SHARED, DISABLED = (
    "untimed",
    "forbidden",
    "missing",
    "unreadable",
    "shared",
    "disabled",
)

_BLOCK = 64 << 10
_CHUNK = 1 << 20
#: Bytes at the end of a log that are searched for a time before the log counts as one without.
_SAMPLE = 256 << 10
#: Several processes may write one log, so its times are only roughly in order.
_SLACK = 120.0
#: A packed log cannot be entered in the middle; a larger one is not worth the time.
_LARGEST_PACKED = 8 << 20
_MOST_SHAPES = 1000
_REST = "(messages of other kinds)"
_NUMBERS = re.compile(r"[a-f]*\d[0-9a-f]*")


@dataclass(frozen=True)
class Source:
    """A log to be read."""

    path: str
    date_format: str = ""
    """PM2's ``log_date_format`` for it."""
    shared: bool = False
    """Whether ordinary output goes into the same file."""


@dataclass
class Shape:
    """Messages that are alike, in the window."""

    text: str
    count: int
    first: float
    last: float


@dataclass(frozen=True)
class Problem:
    """What kept a log from telling all."""

    path: str
    kind: str
    detail: str = ""
    count: int = 0
    """Messages that this is about, or at least so many where there are more than were looked at."""
    more: bool = False


@dataclass
class Report:
    """What the logs say of the window."""

    since: float
    shapes: list[Shape] = field(default_factory=list)
    possible: int = 0
    """Messages without a time of their own that may or may not lie in the window, between others that have one."""
    undated: dict[str, int] = field(default_factory=dict)
    """All messages that may or may not lie in the window, counted by shape."""
    quiet: int = 0
    """Lines in the window that call themselves information, and are not counted."""
    problems: list[Problem] = field(default_factory=list)
    complete: bool = True
    """False where the window held more than could be read in time; the latest is read first."""
    oldest: float | None = None
    """The earliest time seen in what was read."""

    @property
    def count(self) -> int:
        return sum(kind.count for kind in self.shapes)


class Budget:
    """Bytes and time that reading may take in all."""

    def __init__(self, size: int, seconds: float) -> None:
        self.bytes = size
        self._end = time.monotonic() + seconds

    @property
    def spent(self) -> bool:
        return self.bytes <= 0 or time.monotonic() > self._end


def read(sources: Iterable[Source], since: float, now: float, budget: Budget) -> Report:
    """Count the messages since a moment in some logs and in what was rotated away from them."""
    counter = _Counter(since)
    for source in dict.fromkeys(sources):
        _read_source(source, now, budget, counter)
    report = counter.report
    report.shapes = sorted(counter.shapes.values(), key=lambda kind: (-kind.count, -kind.last))
    return report


def rotated(path: str) -> list[str]:
    """The files beside a log that were rotated away from it by logrotate or pm2-logrotate, the latest first."""
    folder, name = os.path.split(path)
    stem, suffix = os.path.splitext(name)
    day = r"\d{4}-?\d\d-?\d\d(?:[-_]\d+)*"
    pattern = re.compile(
        rf"{re.escape(name)}[.-](?:\d{{1,4}}|{day})(?:\.\w+)?$"  # app.log.1, app.log.2.gz, app.log-20261123
        rf"|{re.escape(stem)}(?:__|-){day}{re.escape(suffix)}(?:\.\w+)?$"  # app__2026-11-23_00-00-00.log.gz, app-20261123.log
    )
    try:
        found = [
            os.path.join(folder, entry)
            for entry in os.listdir(folder or ".")
            if pattern.match(entry)
        ]
        return sorted(found, key=os.path.getmtime, reverse=True)
    except OSError:
        return []


class _Counter:
    """Counts messages, and keeps apart what is in the window, what may be, and what is not."""

    def __init__(self, since: float) -> None:
        self.report = Report(since)
        self.shapes: dict[str, Shape] = {}
        self._known: dict[str, str] = {}

    def add(self, text: str, first: float, last: float, count: int = 1) -> None:
        kind = self.shapes.get(text)
        if kind is None:
            if len(self.shapes) >= _MOST_SHAPES:
                text = _REST
            kind = self.shapes.setdefault(text, Shape(text, 0, first, last))
        kind.count += count
        kind.first, kind.last = min(kind.first, first), max(kind.last, last)

    def shape(self, text: str) -> str:
        key = _NUMBERS.sub(
            "0", text
        )  # most messages differ from an earlier one in numbers and ids alone
        found = self._known.get(key)
        if found is None:
            if len(self._known) > 20 * _MOST_SHAPES:
                self._known.clear()
            found = self._known[key] = shape(text)
        return found

    def settle(self, pending: dict[str, int], earliest: float | None, latest: float) -> None:
        """Judge messages without a time of their own by their neighbours'."""
        if latest >= self.report.since:
            if earliest is not None and earliest >= self.report.since:
                for text, count in pending.items():
                    self.add(text, earliest, latest, count)
            else:
                self.report.possible += sum(pending.values())
                self.undated(pending)
        pending.clear()

    def undated(self, pending: Mapping[str, int]) -> None:
        for text, count in pending.items():
            self.report.undated[text] = self.report.undated.get(text, 0) + count

    def problem(
        self, path: str, kind: str, detail: str = "", count: int = 0, *, more: bool = False
    ) -> None:
        self.report.problems.append(Problem(path, kind, detail, count, more))

    def seen(self, moment: float) -> None:
        self.report.oldest = (
            moment if self.report.oldest is None else min(moment, self.report.oldest)
        )


def _read_source(source: Source, now: float, budget: Budget, counter: _Counter) -> None:
    if source.path in ("NULL", "/dev/null", ""):
        counter.problem(source.path, DISABLED)
        return
    seen = False
    for path in (source.path, *rotated(source.path)):
        try:
            reaches_back = _read_file(path, source, now, budget, counter)
        except FileNotFoundError:
            continue
        except PermissionError:
            counter.problem(path, FORBIDDEN)
            return
        except (OSError, EOFError) as error:
            counter.problem(
                path, UNREADABLE, getattr(error, "strerror", "") or "it ends in the middle"
            )
            return
        seen = True
        if reaches_back:
            return
    if not seen:
        counter.problem(source.path, MISSING)


def _read_file(path: str, source: Source, now: float, budget: Budget, counter: _Counter) -> bool:
    """Count a file's messages; true where no older file can hold any of the window."""
    since = counter.report.since
    with open(
        os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb"
    ) as stream:  # never wait for the writer of a pipe
        facts = os.fstat(stream.fileno())
        if not stat.S_ISREG(facts.st_mode):
            raise OSError(0, "it is not a regular file")
        if facts.st_mtime < since:
            return True
        reader = LineReader(source.date_format, now)
        if path.endswith(".gz"):
            return _read_packed(path, stream, facts, reader, source, budget, counter)
        if os.path.splitext(path)[1] in (".zst", ".xz", ".bz2", ".lz4", ".zip"):
            raise OSError(0, "it is packed in a way that is not read here")
        if not facts.st_size:
            return False
        if not _is_timed(stream, facts.st_size, reader):
            _untimed(path, stream, facts.st_size, reader, counter)
            return True
        start, reaches_back = _start(stream, facts.st_size, since - _SLACK, reader, budget)
        stream.seek(start)
        lines = _lines(stream, facts.st_size - start, budget, counter.report)
        if start:
            next(lines, None)  # the end of a line
            counter.report.complete &= reaches_back
        _count(lines, reader, facts.st_mtime, source, counter)
    return reaches_back or not counter.report.complete


def _read_packed(
    path: str,
    stream: IO[bytes],
    facts: os.stat_result,
    reader: LineReader,
    source: Source,
    budget: Budget,
    counter: _Counter,
) -> bool:
    import gzip
    import zlib

    if facts.st_size > _LARGEST_PACKED:
        raise OSError(0, "it is packed and too large to be unpacked for a look")
    with gzip.open(stream) as plain:
        try:
            oldest = _count(
                _lines(plain, 1 << 40, budget, counter.report),
                reader,
                facts.st_mtime,
                source,
                counter,
            )
        except zlib.error:
            raise OSError(0, "it is damaged") from None
    return (oldest is not None and oldest < counter.report.since) or not counter.report.complete


def _is_timed(stream: IO[bytes], size: int, reader: LineReader) -> bool:
    """Whether any line near the end of a log carries a time."""
    stream.seek(max(0, size - _SAMPLE))
    return _first_time(stream.read(min(size, _SAMPLE)), reader) is not None


def _untimed(
    path: str, stream: IO[bytes], size: int, reader: LineReader, counter: _Counter
) -> None:
    stream.seek(max(0, size - _SAMPLE))
    lines = (
        stream.read(min(size, _SAMPLE))
        .decode(errors="replace")
        .split("\n")[1 if size > _SAMPLE else 0 :]
    )
    found = Counter(
        counter.shape(message.text)
        for message in messages(record for line in lines if line for record in reader.records(line))
    )
    if found or size > _SAMPLE:
        counter.undated(found)
        counter.problem(path, UNTIMED, count=sum(found.values()), more=size > _SAMPLE)


def _start(
    stream: IO[bytes], size: int, before: float, reader: LineReader, budget: Budget
) -> tuple[int, bool]:
    """Where to read from so that nothing after a moment is missed, and whether the log goes back to that moment.

    Steps back from the end, each time twice as far, and looks at the first time found there.
    """
    step = _BLOCK
    while step < size:
        stream.seek(size - step)
        first = _first_time(stream.read(_BLOCK).partition(b"\n")[2], reader)
        if first is not None and first < before:
            return size - step, True
        if step >= budget.bytes:
            break
        step *= 2
    if size > budget.bytes:
        return size - max(budget.bytes, 0), False
    stream.seek(0)
    first = _first_time(stream.read(_BLOCK), reader)
    return 0, first is not None and first < before


def _first_time(block: bytes, reader: LineReader) -> float | None:
    for line in block.decode(errors="replace").split("\n"):
        for record in reader.records(line):
            if record.time is not None:
                return record.time
    return None


def _lines(
    stream: IO[bytes] | gzip.GzipFile, size: int, budget: Budget, report: Report
) -> Iterator[str]:
    """So many bytes of a log as lines; what is written meanwhile is for the next look."""
    rest = b""
    while size > 0:
        if budget.spent:
            report.complete = False
            break
        chunk = stream.read(min(size, _CHUNK))
        if not chunk:
            break
        size -= len(chunk)
        budget.bytes -= len(chunk)
        head, newline, tail = chunk.rpartition(b"\n")
        if newline:
            yield from (rest + head).decode(errors="replace").split("\n")
            rest = tail
        else:
            rest = (rest + tail)[-_CHUNK:]
    if rest:
        yield rest.decode(errors="replace")


def _count(
    lines: Iterator[str], reader: LineReader, written: float, source: Source, counter: _Counter
) -> float | None:
    """Count the messages of the window, and return the oldest time seen."""
    since = counter.report.since
    oldest: float | None = None
    latest: float | None = None
    pending: dict[str, int] = {}
    unclear = 0
    for message in messages(record for line in lines if line for record in reader.records(line)):
        moment = message.time
        if moment is not None:
            counter.settle(pending, latest, moment)
            oldest = moment if oldest is None else min(oldest, moment)
            latest = moment if latest is None else max(latest, moment)
        if moment is not None and moment < since:
            continue
        if message.error is False:
            counter.report.quiet += moment is not None
        elif source.shared and message.error is None:
            unclear += 1
        elif moment is None:
            text = counter.shape(message.text)
            text = text if len(pending) < _MOST_SHAPES else _REST
            pending[text] = pending.get(text, 0) + 1
        else:
            counter.add(counter.shape(message.text), moment, moment)
    counter.settle(pending, latest, written if latest is None else max(written, latest))
    if unclear:
        counter.problem(source.path, SHARED, count=unclear)
    if oldest is not None:
        counter.seen(oldest)
    return oldest
