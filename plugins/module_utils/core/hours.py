# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Spans of the day, such as the hours of low traffic, in the host's own time."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime, time, timedelta

from .errors import UsageError

_SPAN = re.compile(r"(\d{1,2}):(\d{2})\s*-\s*(\d{1,2}):(\d{2})")


@dataclass(frozen=True)
class Hours:
    """A span of the day in the host's own time, which may go beyond midnight."""

    start: time
    end: time
    text: str

    @classmethod
    def parse(cls, option: str, text: str) -> Hours:
        """The hours of ``22:00-06:00``; raises `UsageError` that names the option."""
        match = _SPAN.fullmatch(text.strip())
        try:
            first, first_minute, last, last_minute = map(int, match.groups() if match else ())
            # 24:00 is the end of a day.
            return cls(time(first, first_minute), time(last % 24, last_minute), text.strip())
        except ValueError:
            raise UsageError(f"{option}: '{text}' is not a span such as 22:00-06:00") from None

    def has(self, moment: time) -> bool:
        """Whether a time of the day is in it."""
        if self.start < self.end:
            return self.start <= moment < self.end
        return moment >= self.start or moment < self.end

    def seconds_left(self, now: float) -> float:
        """Seconds until it ends, by a Unix time; 0 if it is not now."""
        local = datetime.fromtimestamp(now)
        if not self.has(local.time()):
            return 0.0
        end = datetime.combine(local.date(), self.end)
        if end <= local:
            end += timedelta(days=1)
        # Unix times, as the clocks may be changed in between.
        return end.timestamp() - now
