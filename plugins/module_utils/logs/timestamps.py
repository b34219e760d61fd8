# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Timestamps at the start of log lines: ISO 8601, or in the format of PM2's ``log_date_format``."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime, timedelta, timezone, tzinfo

_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_ZONE = r"Z|[+-]\d\d:?\d\d"
_ISO = re.compile(
    r"(?:\W{0,2}[A-Za-z]{3,8}\W{1,3})?\[?"  # a level may come first
    r"(?P<Y>\d{4})[-/](?P<M>\d\d)[-/](?P<D>\d\d)"
    r"[T ](?P<H>\d\d):(?P<m>\d\d)(?::(?P<s>\d\d)(?:[.,](?P<f>\d{1,9}))?)?"
    rf" ?(?P<Z>{_ZONE})?\]?:? ?"
)
#: The tokens of dayjs, with which PM2 formats its prefix, in the order in which dayjs tries them.
_DAYJS = re.compile(
    r"\[([^\]]+)]|Y{1,4}|M{1,4}|D{1,2}|d{1,4}|H{1,2}|h{1,2}|a|A|m{1,2}|s{1,2}|Z{1,2}|SSS"
)
_TOKENS = {
    "YYYY": r"(?P<Y>\d{4})",
    "YY": r"(?P<Y>\d\d)",
    "M": r"(?P<M>\d{1,2})",
    "MM": r"(?P<M>\d\d)",
    "MMM": "(?P<B>[A-Za-z]{3})",
    "MMMM": "(?P<B>[A-Za-z]+)",
    "D": r"(?P<D>\d{1,2})",
    "DD": r"(?P<D>\d\d)",
    "d": r"\d",
    "dd": "[A-Za-z]{2}",
    "ddd": "[A-Za-z]{3}",
    "dddd": "[A-Za-z]+",
    "H": r"(?P<H>\d{1,2})",
    "HH": r"(?P<H>\d\d)",
    "h": r"(?P<h>\d{1,2})",
    "hh": r"(?P<h>\d\d)",
    "a": "(?P<p>am|pm)",
    "A": "(?P<p>AM|PM)",
    "m": r"(?P<m>\d{1,2})",
    "mm": r"(?P<m>\d\d)",
    "s": r"(?P<s>\d{1,2})",
    "ss": r"(?P<s>\d\d)",
    "SSS": r"(?P<f>\d{3})",
    "Z": rf"(?P<Z>{_ZONE})",
    "ZZ": rf"(?P<Z>{_ZONE})",
}


class TimestampParser:
    """Splits lines into timestamp and text.

    ``date_format`` is PM2's ``log_date_format`` of the log, or empty; ``now`` is in seconds since
    the epoch and decides the year of timestamps that have none. Times without a zone are in
    ``zone``, or in that of this process.
    """

    def __init__(self, date_format: str, now: float, zone: tzinfo | None = None) -> None:
        self._prefixes = [_Prefix(_ISO, now, zone)]
        pattern = date_format_pattern(date_format)
        if pattern is not None:
            self._prefixes.insert(0, _Prefix(pattern, now, zone))

    def split(self, line: str) -> tuple[float | None, str]:
        """Seconds since the epoch, none if the line has no timestamp, and the rest of the line."""
        for prefix in self._prefixes:
            found = prefix.split(line)
            if found is not None:
                return found
        return None, line


class _Prefix:
    """One format of timestamps. Remembers the last one, as lines of the same second repeat it."""

    def __init__(self, pattern: re.Pattern[str], now: float, zone: tzinfo | None) -> None:
        self._zone = zone
        self._pattern = pattern
        self._now = now
        self._last_text: str | None = None
        self._last_time: float | None = None

    def split(self, line: str) -> tuple[float, str] | None:
        match = self._pattern.match(line)
        if not match:
            return None
        if match.group() != self._last_text:
            self._last_text = match.group()
            self._last_time = _epoch_seconds(match.groupdict(), self._now, self._zone)
        if self._last_time is None:
            return None
        return self._last_time, line[match.end() :]


def date_format_pattern(date_format: str) -> re.Pattern[str] | None:
    """Pattern of the prefix that PM2 writes with a ``log_date_format``.

    None if the format does not give both a day and a time, or gives a part twice.
    """
    pattern, end = "", 0
    seen: set[str] = set()
    for token in _DAYJS.finditer(date_format):
        pattern += re.escape(date_format[end : token.start()])
        end = token.end()
        part = re.escape(token[1]) if token[1] else _TOKENS.get(token[0])
        if part is None:
            return None
        group = re.match(r"\(\?P<(\w)>", part)
        if group and group[1] in seen:
            return None
        if group:
            seen.add(group[1])
        pattern += part
    has_day = "D" in seen and ("M" in seen or "B" in seen)
    has_time = "m" in seen and ("H" in seen or {"h", "p"} <= seen)
    if not has_day or not has_time:
        return None
    return re.compile(pattern + re.escape(date_format[end:]) + r"(?:: ?|$)")


def _epoch_seconds(
    parts: Mapping[str, str | None], now: float, zone: tzinfo | None
) -> float | None:
    """Seconds since the epoch, none if there is no such moment.

    A time without a zone is in the given one, or in that of this process.
    """
    try:
        moment = _date(parts, now)
        moment = moment if moment.tzinfo else moment.replace(tzinfo=zone)
        seconds = moment.timestamp()
        if not parts.get("Y") and seconds > now + 86400:  # a December line, read in January
            seconds = moment.replace(year=moment.year - 1).timestamp()
    except (ValueError, OverflowError, OSError):
        return None
    return seconds


def _date(parts: Mapping[str, str | None], now: float) -> datetime:
    year = int(parts.get("Y") or datetime.fromtimestamp(now).year)
    moment = datetime(
        year + 2000 if year < 100 else year,
        _month(parts),
        int(parts["D"] or 0),
        _hour(parts),
        int(parts["m"] or 0),
        int(parts.get("s") or 0),
        int((parts.get("f") or "0").ljust(6, "0")[:6]),
    )
    zone = parts.get("Z")
    if not zone:
        return moment
    if zone == "Z":
        return moment.replace(tzinfo=timezone.utc)
    offset = timedelta(hours=int(zone[1:3]), minutes=int(zone[-2:]))
    return moment.replace(tzinfo=timezone(-offset if zone[0] == "-" else offset))


def _month(parts: Mapping[str, str | None]) -> int:
    """Number of the month; raises ValueError for a name that is no English month."""
    if parts.get("M"):
        return int(parts["M"] or 0)
    return _MONTHS.index((parts.get("B") or "")[:3].lower()) + 1


def _hour(parts: Mapping[str, str | None]) -> int:
    if parts.get("H"):
        return int(parts["H"] or 0)
    afternoon = (parts.get("p") or "").lower() == "pm"
    return int(parts["h"] or 0) % 12 + (12 if afternoon else 0)
