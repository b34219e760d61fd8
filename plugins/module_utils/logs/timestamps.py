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
_LOCALIZED = re.compile(
    r"(?:(?P<Y>\d{4})[-/.](?P<M>\d{1,2})[-/.](?P<D>\d{1,2})"
    r"|(?P<us_M>\d{1,2})/(?P<us_D>\d{1,2})/(?P<us_Y>\d{4})(?=,?\s+[\d:]+\s?[AaPp])"
    r"|(?P<eu_D>\d{1,2})[-/.](?P<eu_M>\d{1,2})[-/.](?P<eu_Y>\d{4}))"
    r",?\s+(?P<h>\d{1,2}):(?P<m>\d\d)(?::(?P<s>\d\d))?(?:\s?(?P<p>[AaPp])\.?[Mm]\.?)?"
)
_REQUEST = re.compile(
    r"(?P<D>\d\d)/(?P<B>[A-Z][a-z]{2})/(?P<Y>\d{4}):(?P<H>\d\d):(?P<m>\d\d):(?P<s>\d\d)"
    r" (?P<Z>[+-]\d{4})"
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
    ``zone`` if PM2 wrote them, in ``own_zone`` if the app did; none is that of this process.
    """

    def __init__(
        self,
        date_format: str,
        now: float,
        zone: tzinfo | None = None,
        own_zone: tzinfo | None = None,
    ) -> None:
        pattern = date_format_pattern(date_format)
        self.shifted = 0.0
        self._of_pm2 = None if pattern is None else _Prefix(pattern, now, zone)
        self._iso = _Prefix(_ISO, now, own_zone)
        self._localized = _Prefix(_LOCALIZED, now, own_zone)
        self._request = _Prefix(_REQUEST, now, own_zone)

    def shift(self, seconds: float) -> None:
        """Add so many seconds to times without a zone: they are in another zone than was said."""
        self.shifted = seconds
        for prefix in (self._of_pm2, self._iso, self._localized):
            if prefix:
                prefix.shift = seconds

    @property
    def without_zone(self) -> bool:
        """Whether any of the times that were read had no zone, rather than the last of its kind."""
        prefixes = (self._of_pm2, self._iso, self._localized)
        return any(prefix.without_zone for prefix in prefixes if prefix)

    def split(self, line: str) -> tuple[float | None, str]:
        """Seconds since the epoch, none if the line has no timestamp, and the rest of the line."""
        time, rest = self.split_prefix(line)
        return (time, rest) if time is not None else self.split_own(line)

    def split_prefix(self, line: str) -> tuple[float | None, str]:
        """As `split`, of the prefix that PM2 writes only."""
        found = self._of_pm2.split(line) if self._of_pm2 else None
        return found or (None, line)

    def split_own(self, line: str) -> tuple[float | None, str]:
        """As `split`, of the timestamps that apps write only."""
        return self._iso.split(line) or (None, line)

    def localized(self, text: str) -> float | None:
        """The moment of a text such as ``11/27/2026, 5:00:00 AM`` or ``27.11.2026, 05:00:00``."""
        found = self._localized.split(text)
        return found[0] if found else None

    def of_request(self, text: str) -> float | None:
        """The moment of a text such as ``27/Nov/2026:05:00:00 +0000``, as in access logs."""
        found = self._request.split(text)
        return found[0] if found else None


class _Prefix:
    """One format of timestamps. Remembers the last one, as lines of the same second repeat it."""

    def __init__(self, pattern: re.Pattern[str], now: float, zone: tzinfo | None) -> None:
        self._zone = zone
        self.shift = 0.0
        self.without_zone = False
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
        self.without_zone = not match.groupdict().get("Z")
        shift = self.shift if self.without_zone else 0.0
        return self._last_time + shift, line[match.end() :]


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
    parts = {key.rpartition("_")[2]: value for key, value in parts.items() if value is not None}
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
    half = (parts.get("p") or "").lower()[:1]
    if not half:
        return int(parts["h"] or 0)
    return int(parts["h"] or 0) % 12 + (12 if half == "p" else 0)
