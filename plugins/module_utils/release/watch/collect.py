# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Asks PM2 and the app, once a round, and reads the app's logs in the end."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

from ...core.errors import Unreachable
from ...logs.scan import scan
from ...logs.summary import LogSummary
from ...pm2.instance import Instance
from ...pm2.process.switch import directory_of
from ..backends.pm2_watch import WEEK, ask_pm2, log_budget, logs_of
from ..options import Options as ReleaseOptions
from ..record import Release
from ..response import Endpoint
from ..versions import mismatch
from .rounds import Round

_DAY = 86400.0


@dataclass
class Asker:
    """Asks the same things again and again."""

    options: ReleaseOptions
    release: Release
    endpoints: list[Endpoint] = field(default_factory=list)
    version: Endpoint | None = None
    daemon: int = 0

    @classmethod
    def of(cls, options: ReleaseOptions, release: Release) -> Asker:
        endpoints = [Endpoint.of("health_urls", url) for url in options.health_urls]
        url = options.version_url
        return cls(options, release, endpoints, Endpoint.of("version_url", url) if url else None)

    def round(self) -> Round:
        """Ask everything once."""
        instances: tuple[Instance, ...] = ()
        unreachable = ""
        try:
            instances, self.daemon = ask_pm2(self.options)
        except Unreachable as problem:
            unreachable = str(problem)
        folders = tuple(directory_of(row.pid) for row in instances)
        problems = {}
        # One request for each instance: connections go to them in turn.
        for _number in range(max(1, len(instances))):
            for endpoint in self.endpoints:
                answer = endpoint.ask(self.options.timeout)
                if not answer.healthy:
                    problems[endpoint.target.shown] = answer.shown
            if self.version:
                answer = self.version.ask(self.options.timeout)
                said = mismatch(answer.content, self.release) if answer.healthy else answer.shown
                if said:
                    problems[f"version of {self.version.target.shown}"] = said
        return Round(problems, instances, folders, unreachable)


@dataclass(frozen=True)
class Messages:
    """The error messages before the switch and since."""

    week: LogSummary
    """Those since a week before the switch."""
    before: int
    """Number on the day before the switch, as far back as the logs go."""
    before_seconds: float
    since: int
    """Number since the switch."""


def read_messages(asker: Asker, found: Round, since: float) -> Messages:
    """The messages of the app's logs around a switch."""
    files = logs_of(asker.options.name, found.instances, asker.daemon)
    now, budget = time.time(), log_budget()
    week = scan(files, since - WEEK, now, budget)
    day, own = (scan(files, start, now, budget) for start in (since - _DAY, since))
    oldest = since if week.oldest is None else week.oldest
    return Messages(week, day.count - own.count, min(_DAY, since - oldest), own.count)
