# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Lines as common loggers of Node.js write them: NestJS, morgan, winston, log4js, logfmt."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass

from .levels import ERROR, INFO, level_of_word, split_level
from .timestamps import TimestampParser

_NEST = re.compile(
    r"\[[^\]]{1,40}\]\s+\d+\s+-\s+(?P<time>\d{1,4}[/.-]\d{1,2}[/.-]\d{1,4},?\s+"
    r"\d{1,2}:\d\d(?::\d\d)?(?:\s?[AaPp]\.?[Mm]\.?)?)\s+(?:(?P<level>[A-Z]{3,7})\s+)?"
)
_ACCESS = re.compile(
    r"\S+ \S+ \S+ \[(?P<time>\d\d/[A-Z][a-z]{2}/\d{4}:\d\d:\d\d:\d\d [+-]\d{4})\] "
    r"\"[A-Z]{3,8} [^\"]*\" (?P<status>\d{3}) "
    r"|(?:\S+ \S+ )?[A-Z]{3,8} /\S* (?:HTTP/[\d.]+ )?(?P<dev>\d{3}) (?:[\d.]+ ms|\S+ - [\d.]+ ms)"
)
_LOGFMT_TIME = re.compile(r"(?:^|\s)(?:time|ts|timestamp)=\"?([^\s\"]+)")
#: Next.js puts a space before the sign, consola before the level; more of it is a continuation.
_INDENTED = re.compile(r" (?:[⨯✖❌⚠]|(?:ERROR|FATAL|WARN|WARNING)\s)")
_FIELDS_AT_END = re.compile(r"\s(\{\".*\})$")
_TIME_FIELDS = ("timestamp", "time", "@timestamp")


@dataclass(frozen=True)
class Line:
    """What a line says of itself; ``text`` is the rest."""

    time: float | None
    level: int | None
    text: str


def read_line(text: str, timestamps: TimestampParser) -> Line:
    """Time and severity of a line in one of the known formats, neither if it is in none."""
    nest = _NEST.match(text)
    if nest:
        level = level_of_word(nest["level"] or "")
        return Line(timestamps.localized(nest["time"]), level, text[nest.end() :])
    access = _ACCESS.match(text)
    if access:
        level = ERROR if (access["status"] or access["dev"]) >= "500" else INFO
        return Line(timestamps.of_request(access["time"]) if access["time"] else None, level, text)
    time, rest = timestamps.split_own(text)
    level = None
    if time is not None:
        level = split_level(text[: len(text) - len(rest)])[0]
    if level is None and not rest[:1].isspace():
        level, rest = split_level(rest)
    elif level is None and (time is not None or _INDENTED.match(rest)):
        level, rest = split_level(rest.lstrip())
    if level is not None and time is None:
        time = _time_within(text, timestamps)
    return Line(time, level, rest)


def _time_within(text: str, timestamps: TimestampParser) -> float | None:
    """The time of a line with a level that has it among its fields, as logfmt and winston do."""
    named = _LOGFMT_TIME.search(text)
    if named:
        return timestamps.split(named[1])[0]
    end = _FIELDS_AT_END.search(text)
    if not end:
        return None
    try:
        fields = json.loads(end[1])
    except (ValueError, RecursionError):
        return None
    values = [fields[name] for name in _TIME_FIELDS if isinstance(fields.get(name), str)]
    return timestamps.split(values[0])[0] if values else None
