# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The moment by which a probe has to be done, for everything that can wait."""

from __future__ import annotations

import time


class DeadlineExceeded(BaseException):
    """The time is used up. Not an Exception, so that no library's ``except Exception`` swallows the alarm."""


class Deadline:
    """The moment by which a probe has to be done."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self._end = time.monotonic() + seconds

    def remaining(self, at_most: float | None = None) -> float:
        """Seconds left, never more than ``at_most``; raises `DeadlineExceeded` where none are."""
        left = self._end - time.monotonic()
        if left <= 0:
            raise DeadlineExceeded
        return left if at_most is None else min(left, at_most)
