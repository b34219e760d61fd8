# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Messages in an app's logs that point to a cause: heap, recursion, pool."""

from __future__ import annotations

import os
import re
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from ...logs.fingerprint import fingerprint
from ...logs.parse import LineParser
from ...logs.scan import LogFile, correct_zone
from ...logs.timestamps import TimestampParser

HEAP = "heap"
RECURSION = "recursion"
LEAK = "leak"
POOL = "pool"
MEMORY_LIMIT = "memory limit"

#: The words, by what they point to; the first that matches a line counts.
_SIGNS = {
    HEAP: r"JavaScript heap out of memory|Reached heap limit|invalid array length Allocation"
    r"|ERR_WORKER_OUT_OF_MEMORY|Array buffer allocation failed",
    RECURSION: r"Maximum call stack size exceeded|too much recursion|infinite (?:loop|recursion)",
    LEAK: r"MaxListenersExceededWarning|Possible EventEmitter memory leak|memory leak detected",
    POOL: r"timeout exceeded when trying to connect|connection pool exhausted"
    r"|Timeout acquiring a connection|Timed out fetching a new connection from the connection pool"
    r"|ConnectionAcquireTimeoutError|SequelizeConnectionAcquireTimeoutError"
    r"|ResourceRequest timed out|remaining connection slots are reserved"
    r"|sorry, too many clients already|Knex: Timeout|QueuePool limit of size",
    MEMORY_LIMIT: r"exceeds --max-memory-restart value",
}
_PATTERN = re.compile("|".join(f"({words})" for words in _SIGNS.values()), re.IGNORECASE)
_RESTARTED = "PM2 restarted it at its memory limit"
_INSTANCE = re.compile(r"Process (\d+) restarted because it exceeds")
#: Bytes at the end of each log that are searched.
_TAIL = 4 << 20
_LINE = 1000
#: Lines before a line without a time that are searched for one.
_NEIGHBOURS = 40


@dataclass
class Sign:
    """One kind of message; times in seconds since the epoch."""

    kind: str
    text: str
    """Its fingerprint, free of secrets."""
    count: int = 0
    first: float | None = None
    last: float | None = None
    """None if the log has no times: its age is not known."""


@dataclass
class Signs:
    """What was found, and the logs that could not be searched."""

    found: list[Sign] = field(default_factory=list)
    unread: list[str] = field(default_factory=list)
    """Path and reason."""
    searched: int = 0
    """Number of logs."""

    def of(self, *kinds: str) -> list[Sign]:
        return [sign for sign in self.found if sign.kind in kinds]

    def count(self, *kinds: str) -> int:
        return sum(sign.count for sign in self.of(*kinds))


def search(logs: Sequence[LogFile], since: float, now: float, ids: Collection[int] = ()) -> Signs:
    """Search the end of each log for messages since a moment; those without a time count too.

    ``ids`` are PM2's ids of the app's instances: PM2's own log is about all apps.
    """
    signs = Signs()
    groups: dict[tuple[str, str], Sign] = {}
    for path, log in {log.opened_as or log.path: log for log in logs if log.path}.items():
        try:
            lines = _tail(path)
        except FileNotFoundError:
            continue
        except OSError as error:
            signs.unread.append(f"{log.path}: {error.strerror}")
            continue
        signs.searched += 1
        parser = LineParser(
            TimestampParser(log.date_format, now, log.zone, log.own_zone), each_line=log.each_line
        )
        correct_zone(lines, parser, os.stat(path).st_mtime)
        for kind, text, moment in _matches(lines, parser, ids):
            if moment is not None and moment < since:
                continue
            sign = groups.setdefault((kind, text), Sign(kind, text))
            sign.count += 1
            if moment is not None:
                sign.first = moment if sign.first is None else min(sign.first, moment)
                sign.last = moment if sign.last is None else max(sign.last, moment)
    signs.found = sorted(groups.values(), key=lambda sign: -sign.count)
    return signs


def _tail(path: str) -> list[str]:
    # O_NONBLOCK: never wait for the writer of a pipe
    with open(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb") as stream:
        size = os.fstat(stream.fileno()).st_size
        stream.seek(max(0, size - _TAIL))
        lines = stream.read(_TAIL).decode(errors="replace").split("\n")
    return lines[1:] if size > _TAIL else lines


def _matches(
    lines: Sequence[str], parser: LineParser, ids: Collection[int]
) -> Iterator[tuple[str, str, float | None]]:
    """Kind, fingerprint and time of each line with a sign."""
    kinds = list(_SIGNS)
    for position, line in enumerate(lines):
        match = _PATTERN.search(line)
        if match and _is_about(line, ids):
            record = next(parser.parse(line[:_LINE]), None)
            text = record.text if record and _PATTERN.search(record.text) else match[0]
            before = reversed(lines[max(0, position - _NEIGHBOURS) : position + 1])
            kind = kinds[(match.lastindex or 1) - 1]
            text = _RESTARTED if kind == MEMORY_LIMIT else fingerprint(text)
            yield kind, text, _time(before, parser)


def _is_about(line: str, ids: Collection[int]) -> bool:
    """Whether a line of PM2 names one of these instances; every other line is the app's own."""
    instance = _INSTANCE.search(line)
    return not instance or int(instance[1]) in ids


def _time(lines: Iterable[str], parser: LineParser) -> float | None:
    """The first time in the lines; that of a line without one is that of the line before it."""
    for line in lines:
        for record in parser.parse(line[:_LINE]) if line else ():
            if record.time is not None:
                return record.time
    return None
