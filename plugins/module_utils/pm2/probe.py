# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The steps of pm2_health: ask the daemon, judge the apps, then read their error logs."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace
from typing import Callable

from ..core.check import Check
from ..core.deadline import Deadline
from ..core.errors import Unreachable
from ..core.state import Sample, StateFile
from ..core.thresholds import Thresholds
from ..logs.scan import Budget, scan
from ..logs.summary import with_output
from . import error_log
from .assess import assess, no_answer, unreachable
from .client import Client
from .collect import DaemonSuspended, collect
from .daemon import recorded_pid
from .instance import App
from .log_state import assess_logs, lost, observe_logs
from .options import Options

#: Maximum bytes of error logs to read for each app.
LOG_BYTES = 16 << 20
#: The same of the ordinary output, in which errors are marked as such or not at all.
OUTPUT_BYTES = 8 << 20
#: Seconds of the time limit that are kept for each app to finish in.
_RESERVE = 1.0


class Probe:
    """One run of pm2_health. Remembers how far it got, so that `no_answer` names what was slow."""

    def __init__(
        self,
        options: Options,
        state_file: Callable[[App], StateFile],
        store: Callable[[StateFile, Sample], None],
    ) -> None:
        self._options = options
        self._state_file = state_file
        self._store = store
        self._daemon_pid = 0
        self._reading: App | None = None

    def run(self, thresholds: Thresholds, deadline: Deadline) -> Iterator[Check]:
        """The checks, each as soon as it is known."""
        options = self._options
        try:
            with Client(options.home, deadline) as client:
                self._daemon_pid = client.daemon_pid
                snapshot = collect(client, options.names, deadline)
        except DaemonSuspended:
            yield self.no_answer(thresholds)
            return
        except Unreachable as reason:
            yield unreachable(reason, options.home, options.subject, thresholds)
            return
        apps = snapshot.apps(options.names, options.namespace)
        states = {app.label: self._state_file(app) for app in apps}
        restarts = {
            app.label: states[app.label].delta(snapshot.sample(app), None, "it was added to PM2")
            for app in apps
        }
        yield from assess(replace(snapshot, restarts=restarts), options, thresholds)
        for app in apps:
            self._store(states[app.label], snapshot.sample(app))
        yield from self._error_logs(apps, snapshot.taken, thresholds, deadline)

    def no_answer(self, thresholds: Thresholds) -> Check:
        """The check for the step that was not finished in time."""
        if self._reading:
            return error_log.not_read_in_time(self._reading, thresholds)
        options = self._options
        pid = self._daemon_pid or recorded_pid(options.home)
        return no_answer(pid, options.home, options.timeout, options.subject, thresholds)

    def _error_logs(
        self, apps: list[App], now: float, thresholds: Thresholds, deadline: Deadline
    ) -> Iterator[Check]:
        """The verdicts on the error logs; each app may take its share of the remaining time."""
        since = now - self._options.hours * 3600
        for position, app in enumerate(apps):
            self._reading = app
            seconds = deadline.remaining() / (len(apps) - position) - _RESERVE
            end = time.monotonic() + seconds
            states = observe_logs(app, self._daemon_pid, now)
            check = assess_logs(app, states, thresholds)
            if check:
                yield check
            errors, output = error_log.log_files(
                app, self._options.error_logs, self._daemon_pid, states
            )
            summary = scan(errors, since, now, Budget(LOG_BYTES, max(0.1, seconds)))
            if output:
                budget = Budget(OUTPUT_BYTES, max(0.1, end - time.monotonic()))
                summary = with_output(summary, scan(output, since, now, budget), now)
            summary.problems += lost(states)
            yield error_log.assess_errors(app, summary, now, thresholds)
