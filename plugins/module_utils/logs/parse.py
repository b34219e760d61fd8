# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the lines of a Node.js app's log mean: when, how bad, which lines are one message, and which messages are alike.

Understood are the prefixes that PM2 writes (``time``, ``log_date_format``, ``log_type: json``), ISO 8601 times at the start of a
line, and JSON lines as pino, bunyan and winston write them.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta, timezone
from typing import Any, Callable

from ..core.text import redact, shorten

#: Characters of a message that are looked at; what follows is a stack or a dump.
_HEADLINE = 400
#: Lines between the place that Node.js names before a crash and the error itself.
_PREAMBLE_LINES = 6

_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_ZONE = r"Z|[+-]\d\d:?\d\d"
_ISO = re.compile(
    r"(?:\W{0,2}[A-Za-z]{3,8}\W{1,3})?\[?"  # a level may come first
    r"(?P<Y>\d{4})[-/](?P<M>\d\d)[-/](?P<D>\d\d)[T ](?P<H>\d\d):(?P<m>\d\d)(?::(?P<s>\d\d)(?:[.,](?P<f>\d{1,9}))?)?"
    rf" ?(?P<Z>{_ZONE})?\]?:? ?"
)
#: The tokens of dayjs, which PM2 formats its prefix with, in the order in which dayjs tries them.
_DAYJS = re.compile(
    r"\[([^\]]+)]|Y{1,4}|M{1,4}|D{1,2}|d{1,4}|H{1,2}|h{1,2}|a|A|m{1,2}|s{1,2}|Z{1,2}|SSS"
)
_TOKENS = {
    "YYYY": r"(?P<Y>\d{4})", "YY": r"(?P<Y>\d\d)", "M": r"(?P<M>\d{1,2})", "MM": r"(?P<M>\d\d)", "MMM": "(?P<B>[A-Za-z]{3})", "MMMM": "(?P<B>[A-Za-z]+)",
    "D": r"(?P<D>\d{1,2})", "DD": r"(?P<D>\d\d)", "d": r"\d", "dd": "[A-Za-z]{2}", "ddd": "[A-Za-z]{3}", "dddd": "[A-Za-z]+",
    "H": r"(?P<H>\d{1,2})", "HH": r"(?P<H>\d\d)", "h": r"(?P<h>\d{1,2})", "hh": r"(?P<h>\d\d)", "a": "(?P<p>am|pm)", "A": "(?P<p>AM|PM)",
    "m": r"(?P<m>\d{1,2})", "mm": r"(?P<m>\d\d)", "s": r"(?P<s>\d{1,2})", "ss": r"(?P<s>\d\d)", "SSS": r"(?P<f>\d{3})",
    "Z": rf"(?P<Z>{_ZONE})", "ZZ": rf"(?P<Z>{_ZONE})",
}  # fmt: skip

_TIMES = ("time", "timestamp", "@timestamp", "ts", "date", "datetime")
_MESSAGES = ("msg", "message", "error", "err", "name")
_QUIET_LEVELS = frozenset(
    ("trace", "silly", "debug", "verbose", "http", "info", "information", "notice", "log")
)
_LOUDEST_QUIET_NUMBER = 30  # pino and bunyan: 30 is info, 40 is warn

_CONTINUATION = re.compile(
    r"\s|$|[}\])^]|at .*:\d+:\d+\)?$|Caused by:|\.\.\. \d+ more|Node\.js v\d|\(Use `node "
)
_ERROR = re.compile(
    r"(?:Uncaught |\[)?(?:[A-Za-z_$][\w$.]*)?(?:Error|Exception|Rejection)\b|Uncaught\b|\(node:\d+\)"
)
_PREAMBLE = re.compile(
    r"(?:[^\s:]*[/\\]\S*|file://\S+|node:\S+|undefined|evalmachine\.<anonymous>):\d+$|You have triggered an unhandledRejection"
)

_VARYING = re.compile(
    r"(?P<time>\b\d{4}-\d\d-\d\d[T ]\d\d:\d\d(?::\d\d)?(?:[.,]\d+)?(?:Z|[+-]\d\d:?\d\d)?)"
    r"|(?P<quoted>(?<!\w)(?:\"[^\"]*\"|'[^']*'|`[^`]*`)(?!\w))"
    r"|(?P<email>[\w.+-]+@[\w-]+(?:\.[\w-]+)+)"
    r"|(?P<ip>\b\d{1,3}(?:\.\d{1,3}){3}\b)"
    r"|(?P<id>\b[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}\b|\b0x[0-9a-fA-F]+\b)"
    r"|(?P<word>[\w-]{8,})"
    r"|(?P<number>\d+(?:[.,]\d+)*)"
)
_PLACEHOLDERS = {
    "time": "<time>",
    "quoted": "'…'",
    "email": "<email>",
    "ip": "<ip>",
    "id": "<id>",
    "number": "<n>",
}
_NUMBER = re.compile(r"\d+")
_HEX = re.compile(r"[0-9a-fA-F]+$")


@dataclass(frozen=True)
class Record:
    """A line of a log, or a message made of several."""

    time: float | None
    """Seconds since the epoch; none where the line does not say."""
    text: str
    error: bool | None = None
    """Whether the line itself says that it is a problem (true) or mere information (false); none where it says neither."""
    whole: bool = False
    """Whether it is a message by itself, as every JSON line is."""


Stamp = Callable[[str], "tuple[float, str] | None"]


class LineReader:
    """Reads lines of one log. ``date_format`` is PM2's ``log_date_format`` for it, where it has one."""

    def __init__(self, date_format: str, now: float) -> None:
        self._now = now
        self._stamps: list[Stamp] = [self._by(_ISO)]
        pattern = date_pattern(date_format)
        if pattern is not None:
            self._stamps.insert(0, self._by(pattern))

    def records(self, line: str) -> Iterator[Record]:
        """What a line says. Several records where PM2 put several lines of the app's output into one JSON line."""
        line = line.rstrip("\r\n")
        time, text = self._split(line)
        fields = _json(text)
        if fields is None:
            yield Record(time, text[:_HEADLINE])
            return
        time = self._field_time(fields) if time is None else time
        output = fields.get("message")
        if (
            "app_name" not in fields
            or fields.get("type") not in ("err", "out")
            or not isinstance(output, str)
        ):
            yield Record(time, _headline(fields), _severity(fields), whole=True)
            return
        for inner in output.rstrip("\n").split("\n"):
            said = _json(inner)
            error = _severity(said) if said else True
            yield Record(
                time,
                _headline(said) if said else inner[:_HEADLINE],
                error if fields["type"] == "err" else False,
                whole=bool(said),
            )

    def _split(self, line: str) -> tuple[float | None, str]:
        for stamp in self._stamps:
            found = stamp(line)
            if found:
                return found
        return None, line

    def _by(self, pattern: re.Pattern[str]) -> Stamp:
        last: dict[str, float | None] = {}  # lines of one second carry the same stamp

        def stamp(line: str) -> tuple[float, str] | None:
            match = pattern.match(line)
            if not match:
                return None
            key = match.group()
            if key not in last:
                last.clear()
                last[key] = _moment(match.groupdict(), self._now)
            moment = last[key]
            return None if moment is None else (moment, line[match.end() :])

        return stamp

    def _field_time(self, fields: Mapping[str, Any]) -> float | None:
        for name in _TIMES:
            value = fields.get(name)
            if isinstance(value, str) and value.isdecimal() and len(value) < 20:
                value = int(value)
            if (
                isinstance(value, (int, float))
                and not isinstance(value, bool)
                and 1e8 < value < 1e14
            ):
                return value / 1000 if value > 1e11 else float(value)
            time = self._split(value)[0] if isinstance(value, str) else None
            if time is not None:
                return time
        return None


def messages(records: Iterable[Record]) -> Iterator[Record]:
    """One record for each message. Stack traces and what else continues a message belong to the message before."""
    place: Record | None = None
    patience = 0
    timed = False
    for record in records:
        timed = timed or record.time is not None
        if place is not None:
            if _ERROR.match(record.text):
                yield replace(record, time=place.time if record.time is None else record.time)
                place = None
                continue
            patience -= 1
            if patience > 0 and not record.whole:
                continue
            yield place
            place = None
        if record.whole:
            yield record
        elif _CONTINUATION.match(record.text):
            continue
        elif _PREAMBLE.match(record.text):
            place, patience = record, _PREAMBLE_LINES
        elif record.time is not None or not timed or _ERROR.match(record.text):
            yield record
    if place is not None:
        yield place


def shape(text: str) -> str:
    """What messages that differ only in their numbers, ids and quoted words have in common; free of secrets and personal data."""
    return shorten(_VARYING.sub(_placeholder, redact(text)), 160)


def date_pattern(date_format: str) -> re.Pattern[str] | None:
    """A pattern for the prefix that PM2 writes with a ``log_date_format``; none where it does not name a day and a time."""
    pattern, end = "", 0
    seen: set[str] = set()
    for token in _DAYJS.finditer(date_format):
        pattern += re.escape(date_format[end : token.start()])
        end = token.end()
        part = re.escape(token[1]) if token[1] else _TOKENS.get(token[0])
        group = re.match(r"\(\?P<(\w)>", part or "")
        if part is None or (group and group[1] in seen):
            return None
        seen.update(group[1] if group else ())
        pattern += part
    if not {"D", "m"} <= seen or not seen & {"M", "B"} or not (seen & {"H"} or {"h", "p"} <= seen):
        return None
    return re.compile(pattern + re.escape(date_format[end:]) + r"(?:: ?|$)")


def _moment(parts: Mapping[str, Any], now: float) -> float | None:
    """Seconds since the epoch; a time without a zone is the machine's own, as PM2 writes it."""
    year = int(parts.get("Y") or datetime.fromtimestamp(now).year)
    month = (
        int(parts["M"])
        if parts.get("M")
        else _MONTHS.index(parts["B"][:3].lower()) + 1
        if parts.get("B", "")[:3].lower() in _MONTHS
        else 0
    )
    hour = int(parts.get("H") or int(parts["h"]) % 12 + 12 * (str(parts.get("p")).lower() == "pm"))
    micro = int((parts.get("f") or "0").ljust(6, "0")[:6])
    try:
        when = datetime(
            year + 2000 if year < 100 else year,
            month,
            int(parts["D"]),
            hour,
            int(parts["m"]),
            int(parts.get("s") or 0),
            micro,
        )
        zone = parts.get("Z")
        if zone and zone != "Z":
            ahead = timedelta(hours=int(zone[1:3]), minutes=int(zone[-2:]))
            when = when.replace(tzinfo=timezone(-ahead if zone[0] == "-" else ahead))
        elif zone:
            when = when.replace(tzinfo=timezone.utc)
        moment = when.timestamp()
        if not parts.get("Y") and moment > now + 86400:  # a December line, read in January
            moment = when.replace(year=when.year - 1).timestamp()
    except (ValueError, OverflowError, OSError):
        return None
    return moment


def _json(text: str) -> dict[str, Any] | None:
    if not text.startswith("{") or not text.rstrip().endswith("}"):
        return None
    try:
        fields = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return fields if isinstance(fields, dict) else None


def _headline(fields: Mapping[str, Any]) -> str:
    for name in _MESSAGES:
        value = fields.get(name)
        if isinstance(value, dict):
            value = value.get("message") or value.get("type")
        if isinstance(value, str) and value.strip():
            return value.strip().split("\n", 1)[0][:_HEADLINE]
    return "(no message)"


def _severity(fields: Mapping[str, Any]) -> bool | None:
    level = fields.get("level", fields.get("severity"))
    if isinstance(level, str):
        return level.lower() not in _QUIET_LEVELS
    if isinstance(level, (int, float)) and not isinstance(level, bool):
        return level > _LOUDEST_QUIET_NUMBER
    return None


def _placeholder(match: re.Match[str]) -> str:
    kind = match.lastgroup or ""
    if kind != "word":
        return _PLACEHOLDERS[kind]
    word = match.group()
    digits = sum(char.isdigit() for char in word)
    if digits == len(word):
        return "<n>"
    mixed = len(word) >= 20 and digits and word != word.lower() and word != word.upper()
    return (
        "<id>"
        if digits >= 3 or mixed or (digits and _HEX.match(word))
        else _NUMBER.sub("<n>", word)
    )
