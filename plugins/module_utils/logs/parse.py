# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Lines of a Node.js app's log: their time, their severity, and which of them form one message.

Understood are the prefixes that PM2 writes (``time``, ``log_date_format``, ``log_type: json``),
ISO 8601 times at the start of a line, and JSON lines as written by pino, bunyan and winston.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from .timestamps import TimestampParser

#: Maximum number of characters kept of a message.
HEADLINE_LENGTH = 400
#: Maximum number of lines between the source location that Node.js prints before a crash and the
#: error itself.
_CRASH_PREAMBLE_LINES = 6

_TIME_FIELDS = ("time", "timestamp", "@timestamp", "ts", "date", "datetime")
_MESSAGE_FIELDS = ("msg", "message", "error", "err", "name")
_INFO_LEVELS = frozenset(
    ("trace", "silly", "debug", "verbose", "http", "info", "information", "notice", "log")
)
_INFO_NUMBER = 30  # pino and bunyan: 30 is info, 40 is warn

_CONTINUATION = re.compile(
    r"\s|$|[}\])^]|at .*:\d+:\d+\)?$|Caused by:|\.\.\. \d+ more|Node\.js v\d|\(Use `node "
)
_ERROR = re.compile(
    r"(?:Uncaught |\[)?(?:[A-Za-z_$][\w$.]*)?(?:Error|Exception|Rejection)\b"
    r"|Uncaught\b|\(node:\d+\)"
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


class LineParser:
    """Parses the lines of one log.

    ``date_format`` is PM2's ``log_date_format`` of the log, or empty; ``now`` is in seconds since
    the epoch.
    """

    def __init__(self, date_format: str, now: float) -> None:
        self._timestamps = TimestampParser(date_format, now)

    def parse(self, line: str) -> Iterator[Record]:
        """The records of a line: several if PM2 put several lines of output into one JSON line."""
        time, text = self._timestamps.split(line.rstrip("\r\n"))
        fields = _json_object(text)
        if fields is None:
            yield Record(time, text[:HEADLINE_LENGTH])
            return
        if time is None:
            time = self._field_time(fields)
        if _is_written_by_pm2(fields):
            yield from _pm2_records(time, fields)
        else:
            yield Record(time, _headline(fields), _is_error(fields), standalone=True)

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
                return self._timestamps.split(value)[0]
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
    lines_left = 0
    log_has_times = False
    for record in records:
        log_has_times = log_has_times or record.time is not None
        if location is not None:
            if _ERROR.match(record.text):
                yield replace(record, time=location.time if record.time is None else record.time)
                location = None
                continue
            lines_left -= 1
            if lines_left > 0 and not record.standalone:
                continue
            yield location
            location = None
        if record.standalone:
            yield record
        elif _CONTINUATION.match(record.text):
            continue
        elif _CRASH_LOCATION.match(record.text):
            location, lines_left = record, _CRASH_PREAMBLE_LINES
        elif record.time is not None or not log_has_times or _ERROR.match(record.text):
            yield record
    if location is not None:
        yield location


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


def _pm2_records(time: float | None, fields: Mapping[str, Any]) -> Iterator[Record]:
    """The lines of the app's output in a JSON line of PM2."""
    from_stderr = fields["type"] == "err"
    for line in fields["message"].rstrip("\n").split("\n"):
        inner = _json_object(line)
        if inner:
            error = _is_error(inner) if from_stderr else False
            yield Record(time, _headline(inner), error, standalone=True)
        else:
            yield Record(time, line[:HEADLINE_LENGTH], from_stderr)


def _headline(fields: Mapping[str, Any]) -> str:
    """The first line of the message of a JSON line."""
    for name in _MESSAGE_FIELDS:
        value = fields.get(name)
        if isinstance(value, dict):
            value = value.get("message") or value.get("type")
        if isinstance(value, str) and value.strip():
            return value.strip().split("\n", 1)[0][:HEADLINE_LENGTH]
    return "(no message)"


def _is_error(fields: Mapping[str, Any]) -> bool | None:
    """Whether the level of a JSON line is above information; none if it has no level."""
    level = fields.get("level", fields.get("severity"))
    if isinstance(level, str):
        return level.lower() not in _INFO_LEVELS
    if isinstance(level, (int, float)) and not isinstance(level, bool):
        return level > _INFO_NUMBER
    return None
