# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Severities of log messages: as words at the start of a line, and as fields of JSON lines."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

INFO, WARNING, ERROR = 1, 2, 3

_INFO_WORDS = ("trace", "silly", "debug", "verbose", "info", "information", "notice")
_ERROR_WORDS = (
    *("error", "err", "fatal", "severe", "critical", "crit", "alert"),
    *("emergency", "emerg", "panic"),
)
_IN_TEXT = {
    **dict.fromkeys(_INFO_WORDS, INFO),
    **dict.fromkeys(("warn", "warning"), WARNING),
    **dict.fromkeys(_ERROR_WORDS, ERROR),
}
#: Words that are levels of some loggers, and too common as words of a message.
_BY_WORD = {**_IN_TEXT, **dict.fromkeys(("http", "log", "data", "default", "success"), INFO)}
_WORD = "|".join(sorted(_IN_TEXT, key=len, reverse=True))
_UPPER = f"{_WORD}|log".upper()
#: A time of day or a label in brackets, as pino-pretty and winston write them before the level.
_BEFORE = r"[\s|:-]*(?:\[(?:\d\d:\d\d:\d\d[.,]?\d*|[\w.@/ -]{1,40})\]:?\s*)??"
_START = re.compile(
    rf"{_BEFORE}(?:"
    rf"[\[(<](?P<bracketed>(?i:{_WORD}))[\])>]"
    rf"|(?!Error:)(?P<before_colon>(?i:{_WORD}))\s*(?::(?!//)|\||-\s)"
    rf"|(?P<upper>{_UPPER})(?=\s)"
    r"|(?P<symbol>[⨯✖❌⚠])"
    r")[\s:|-]*"
)
_FIELDS = (
    *("level", "severity", "log.level", "lvl", "levelname", "levelName", "loglevel", "log_level"),
    *("severityText", "severity_text", "SeverityText", "@l"),
)
_LOGFMT = re.compile(r"(?:^|\s)(?:level|lvl|severity)=\"?(\w+)")


def level_of_word(word: str) -> int | None:
    """The severity that a logger calls by this name; none if it is not known."""
    return _BY_WORD.get(word.lower())


def split_level(text: str) -> tuple[int | None, str]:
    """The severity at the start of a line, none if there is none, and the text after it."""
    match = _START.match(text)
    if match:
        symbol = match["symbol"]
        if symbol:
            return (WARNING if symbol == "⚠" else ERROR), text[match.end() :]
        word = match["bracketed"] or match["before_colon"] or match["upper"]
        return level_of_word(word), text[match.end() :]
    if "=" in text:
        logfmt = _LOGFMT.search(text)
        if logfmt:
            return level_of_word(logfmt[1]), text
    return None, text


def level_of_fields(fields: Mapping[str, Any]) -> int | None:
    """The severity of a JSON line; none if it has none, or one that is not known."""
    for name in _FIELDS:
        if name in fields:
            return _level_of_value(fields[name])
    nested = fields.get("log")  # ECS, whose keys may be dotted or nested
    return _level_of_value(nested.get("level")) if isinstance(nested, Mapping) else None


def _level_of_value(level: Any) -> int | None:
    if isinstance(level, Mapping):  # log4js
        level = level.get("levelStr")
    if isinstance(level, str) and not level.isdecimal():
        return level_of_word(level)
    try:
        number = float(level)
    except (TypeError, ValueError):
        return None
    if isinstance(level, bool):
        return None
    if 0 <= number <= 7:  # syslog and GELF: 0 is an emergency, 3 an error
        return ERROR if number <= 3 else WARNING if number == 4 else INFO
    # pino and bunyan: 30 is info, 40 is warn
    return ERROR if number >= 50 else WARNING if number > 30 else INFO
