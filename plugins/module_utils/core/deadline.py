# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The time limit of a probe, for everything in it that waits."""

from __future__ import annotations

import time


class DeadlineExceeded(BaseException):
    """The time limit has passed.

    Not an Exception, so that no library's ``except Exception`` swallows it.
    """


class Deadline:
    """The moment by which a probe must be done."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        """The whole time limit."""
        self._end = time.monotonic() + seconds

    def remaining(self, at_most: float | None = None) -> float:
        """Seconds left, at most ``at_most``; raises `DeadlineExceeded` if none are left."""
        left = self._end - time.monotonic()
        if left <= 0:
            raise DeadlineExceeded
        return left if at_most is None else min(left, at_most)
