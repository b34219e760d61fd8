# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The steps of app_diagnosis."""

from __future__ import annotations

from collections.abc import Iterator

from ...core.check import Check
from ...core.deadline import Deadline
from ...core.errors import Unreachable
from ...core.thresholds import Thresholds
from ..daemon import is_suspended, recorded_pid
from .assess import assess, unreachable
from .collect import collect
from .options import Options


class Probe:
    """One run of app_diagnosis."""

    def __init__(self, options: Options) -> None:
        self._options = options

    def run(self, thresholds: Thresholds, deadline: Deadline) -> Iterator[Check]:
        """The checks, after the window."""
        if is_suspended(recorded_pid(self._options.home)):
            yield self.no_answer(thresholds)
            return
        try:
            snapshots = collect(self._options, deadline)
        except Unreachable as reason:
            yield unreachable(str(reason), self._options, thresholds)
            return
        yield from assess(snapshots, self._options, thresholds)

    def no_answer(self, thresholds: Thresholds) -> Check:
        """The check if the time limit has passed."""
        return unreachable(
            f"PM2's daemon in {self._options.home} did not answer in time",
            self._options,
            thresholds,
        )
