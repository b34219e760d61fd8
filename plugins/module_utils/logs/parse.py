# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Lines of a Node.js app's log: their time, their severity, and which of them form one message.

Understood are the prefixes that PM2 writes (``time``, ``log_date_format``, ``log_type: json``),
ISO 8601 times at the start of a line, JSON lines as written by pino, bunyan and winston, and what
is in formats.py. Colours are ignored.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from .formats import Line, read_line
from .levels import INFO, WARNING, level_of_fields
from .rotation import MARK
from .timestamps import TimestampParser

#: Maximum number of characters kept of a message.
HEADLINE_LENGTH = 400
#: Maximum number of lines between the source location that Node.js prints before a crash and the
#: error itself.
_CRASH_PREAMBLE_LINES = 6

_TIME_FIELDS = ("time", "timestamp", "@timestamp", "ts", "date", "datetime")
_MESSAGE_FIELDS = ("msg", "message", "error", "err", "name")
_ANSI = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
_DIGITS = re.compile(r"\d+")
_CONTINUATION = re.compile(
    r"\s|$|[}\])^]|at .*:\d+:\d+\)?$|Caused by:|\.\.\. \d+ more|Node\.js v\d|\(Use `node "
)
_STACK_FRAME = re.compile(r"\s+at \S")
_ERROR = re.compile(
    r"(?:Uncaught |\[)?(?:[A-Za-z_$][\w$.]*)?(?:Error|Exception|Rejection)\b"
    r"|Uncaught\b|\(node:\d+\)"
)
#: What Node.js writes to stderr when its inspector is opened, as a profile does (app_profile).
_INSPECTOR = re.compile(
    r"Debugger (?:listening on ws|attached\.|ending on ws)|For help, see: https://nodejs\.org/"
)
_CRASH_LOCATION = re.compile(
    r"(?:[^\s:]*[/\\]\S*|file://\S+|node:\S+|undefined|evalmachine\.<anonymous>):\d+$"
    r"|You have triggered an unhandledRejection"
)


@dataclass(frozen=True)
class Record:
    """One line of a log, or one message that spans several lines."""

    time: float | None
    """Seconds since the epoch; none if the line has no time."""
    text: str
    error: bool | None = None
    """True if the line is marked as a warning or worse, false if as information; none if it is
    not marked."""
    standalone: bool = False
    """Whether it is a complete message, as every JSON line is."""
    warning: bool = False
    """Whether it is marked as a warning, and not as worse."""
    headed: bool = False
    """Whether it begins with a level or a time that the app itself wrote."""
    same_time_as_previous: bool = False
    """Whether PM2 alone put a time before it, as it does before each line of a message."""


class LineParser:
    """Parses the lines of one log.

    ``each_line`` says that PM2 puts a time before each line, not before each message.
    """

    def __init__(self, timestamps: TimestampParser, *, each_line: bool = False) -> None:
        self.timestamps = timestamps
        self._each_line = each_line

    def parse(self, line: str) -> Iterator[Record]:
        """The records of a line: several if PM2 put several lines of output into one JSON line."""
        if "\x1b" in line:
            line = _ANSI.sub("", line)
        time, text = self.timestamps.split_prefix(line.rstrip("\r\n"))
        by_pm2 = time is not None
        fields = _json_object(text)
        if fields is None:
            found = read_line(text, self.timestamps)
            time = found.time if time is None else time
            fields = _json_object(found.text) if found.time is not None else None
            if fields is None:
                yield self._plain(time, found, by_pm2)
                return
        if time is None:
            time = self._field_time(fields)
        if _is_written_by_pm2(fields):
            yield from _pm2_records(time, fields, self.timestamps)
        else:
            yield _marked(time, _headline(fields), level_of_fields(fields), standalone=True)

    def _plain(self, time: float | None, found: Line, by_pm2: bool) -> Record:
        is_said_by_others = _INSPECTOR.match(found.text) or found.text.startswith(MARK)
        level = INFO if is_said_by_others else found.level
        record = _marked(time, found.text[:HEADLINE_LENGTH], level)
        if found.time is not None or found.level is not None:
            return replace(record, headed=True)
        return replace(record, same_time_as_previous=by_pm2 and self._each_line)

    def parse_all(self, lines: Iterable[str]) -> Iterator[Record]:
        """The records of several lines; empty lines have none."""
        for line in lines:
            if line:
                yield from self.parse(line)

    def _field_time(self, fields: Mapping[str, Any]) -> float | None:
        for name in _TIME_FIELDS:
            time = self._parse_time(fields.get(name))
            if time is not None:
                return time
        return None

    def _parse_time(self, value: Any) -> float | None:
        """Seconds since the epoch, from a timestamp or a number of seconds or milliseconds."""
        if isinstance(value, str):
            if not value.isdecimal() or len(value) >= 20:
                return self.timestamps.split(value)[0]
            value = int(value)
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            return None
        if not 1e8 < value < 1e14:
            return None
        return value / 1000 if value > 1e11 else float(value)


def group_messages(records: Iterable[Record]) -> Iterator[Record]:
    """One record for each message: stack traces and other continuation lines are dropped.

    Before the error of a crash, Node.js prints the source location and the line of code; these
    lines and the error are one message, with the text of the error.
    """
    location: Record | None = None
    head: Record | None = None
    lines_left = 0
    log_has_times = False
    for record in records:
        log_has_times = log_has_times or record.time is not None
        if location is not None:
            if _ERROR.match(record.text):
                head = replace(record, time=location.time if record.time is None else record.time)
                location = None
                yield head
                continue
            lines_left -= 1
            if lines_left > 0 and not record.standalone:
                continue
            yield location
            location = None
        if record.standalone or record.headed:
            head = record
            yield record
        elif _CONTINUATION.match(record.text) or _continues(record, head):
            if _STACK_FRAME.match(record.text):
                head = None  # what follows a stack trace is another message
        elif _CRASH_LOCATION.match(record.text):
            location, lines_left = record, _CRASH_PREAMBLE_LINES
        elif record.time is not None or not log_has_times or _ERROR.match(record.text):
            head = record
            yield record
    if location is not None:
        yield location


def _continues(record: Record, head: Record | None) -> bool:
    """Whether a line without a level or a time of its own belongs to the message before it."""
    if head is None or head.standalone or record.time not in (None, head.time):
        return False
    if _ERROR.match(record.text):
        # Loggers print the error's text, then its stack, which repeats the text.
        return head.headed and head.error is True
    if head.headed and record.time is None:
        return True
    # PM2 put the same time before each line of a message. Messages of one kind are several.
    return record.same_time_as_previous and not _are_of_one_kind(record.text, head.text)


def _are_of_one_kind(text: str, other: str) -> bool:
    return _DIGITS.sub("0", text) == _DIGITS.sub("0", other)


def _json_object(text: str) -> dict[str, Any] | None:
    if not text.startswith("{") or not text.rstrip().endswith("}"):
        return None
    try:
        fields = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return fields if isinstance(fields, dict) else None


def _is_written_by_pm2(fields: Mapping[str, Any]) -> bool:
    """Whether PM2 itself wrote the line (``log_type: json``) around the app's output."""
    return (
        "app_name" in fields
        and fields.get("type") in ("err", "out")
        and isinstance(fields.get("message"), str)
    )


def _pm2_records(
    time: float | None, fields: Mapping[str, Any], timestamps: TimestampParser
) -> Iterator[Record]:
    """The lines of the app's output in a JSON line of PM2."""
    from_stderr = fields["type"] == "err"
    for line in fields["message"].rstrip("\n").split("\n"):
        plain = _ANSI.sub("", line) if "\x1b" in line else line
        inner = _json_object(plain)
        if inner:
            level = level_of_fields(inner)
            yield _marked(time, _headline(inner), level, standalone=True)
            continue
        found = read_line(plain, timestamps)
        record = _marked(time, found.text[:HEADLINE_LENGTH], found.level)
        headed = found.level is not None or found.time is not None
        error = from_stderr if found.level is None else record.error
        yield replace(record, error=error, headed=headed, same_time_as_previous=not headed)


def _marked(
    time: float | None, text: str, level: int | None, *, standalone: bool = False
) -> Record:
    error = None if level is None else level >= WARNING
    return Record(time, text, error, standalone, level == WARNING)


def _headline(fields: Mapping[str, Any]) -> str:
    """The first line of the message of a JSON line."""
    for name in _MESSAGE_FIELDS:
        value = fields.get(name)
        if isinstance(value, dict):
            value = value.get("message") or value.get("type")
        if isinstance(value, str) and value.strip():
            return value.strip().split("\n", 1)[0][:HEADLINE_LENGTH]
    return "(no message)"
