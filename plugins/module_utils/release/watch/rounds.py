# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What was seen in each round of a watch, and whether the release has failed. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

from ...core.files import is_inside
from ...pm2.instance import Instance
from ...pm2.liveness import describe_state
from ..record import Release

#: Restarts of one instance in a watch that are a crash loop, not an accident.
CRASH_LOOP = 3


@dataclass(frozen=True)
class Round:
    """What was seen of the app at one moment."""

    problems: Mapping[str, str] = field(default_factory=dict)
    """How a request failed, by endpoint; only those that failed."""
    instances: tuple[Instance, ...] = ()
    folders: tuple[str, ...] = ()
    """The working directory of each instance's process, without links."""
    unreachable: str = ""
    """Why PM2 could not be asked."""


@dataclass
class Seen:
    """All rounds so far, added up, so that a watch of a day needs no more memory than one round."""

    release: Release
    patience: int
    """Rounds in a row that must fail before something counts as failed."""
    rounds: int = 0
    last: Round = field(default_factory=Round)
    in_a_row: Counter[str] = field(default_factory=Counter)
    """Failed rounds in a row, by what failed."""
    failed: dict[str, str] = field(default_factory=dict)
    """Why something counts as failed, by endpoint or instance."""
    failed_rounds: Counter[str] = field(default_factory=Counter)
    restarts: dict[int, int] = field(default_factory=dict)
    """Restarts of each instance at the first look, by id."""
    instances: int = 0
    """Instances at the first look."""
    answered: int = 0
    """Rounds in which PM2 answered."""
    unreachable: str = ""

    def add(self, found: Round) -> None:
        """Take another round into account."""
        self.rounds += 1
        self.last = found
        trouble = dict(found.problems)
        if found.unreachable:
            self.unreachable = found.unreachable
        else:
            self.answered += 1
            trouble.update(self._processes(found))
        for name in [name for name in self.in_a_row if name not in trouble]:
            del self.in_a_row[name]
        for name, problem in trouble.items():
            self.in_a_row[name] += 1
            self.failed_rounds[name] += 1
            if self.in_a_row[name] >= self.patience:
                self.failed.setdefault(name, problem)

    @property
    def restarted(self) -> int:
        """Restarts of the instance that restarted most often while it was watched."""
        now = {row.pm_id: row.restarts for row in self.last.instances}
        return max((now.get(key, old) - old for key, old in self.restarts.items()), default=0)

    def _processes(self, found: Round) -> dict[str, str]:
        """What is wrong with the instances in this round, by name of the instance."""
        if not self.instances:
            self.instances = len(found.instances)
        trouble = {}
        for row, folder in zip(found.instances, found.folders):
            self.restarts.setdefault(row.pm_id, row.restarts)
            problem = _problem(row, folder, self.release)
            if problem:
                trouble[f"id {row.pm_id}"] = problem
        if len(found.instances) < self.instances:
            trouble["instances"] = f"PM2 has {len(found.instances)} of {self.instances} left"
        if self.restarted >= CRASH_LOOP:
            self.failed.setdefault("instances", f"one restarted {self.restarted} times")
        return trouble


def _problem(row: Instance, folder: str, release: Release) -> str:
    if row.absent or not row.alive or not row.pid:
        return describe_state(row)
    if folder and not is_inside(folder, release.path):
        return f"is process {row.pid} in {folder}"
    return ""
