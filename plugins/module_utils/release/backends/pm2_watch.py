# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Watches an app under PM2 after a switch: its processes, and its error messages."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

from ...core.check import CRITICAL, OK, UNKNOWN, Check
from ...core.deadline import Deadline, DeadlineExceeded
from ...core.errors import Unreachable
from ...core.files import is_inside
from ...core.thresholds import Thresholds
from ...core.units import format_duration, pluralize
from ...logs.scan import Budget, LogFile, scan
from ...logs.summary import FORBIDDEN, UNREADABLE, UNTIMED, LogSummary
from ...pm2.client import Client
from ...pm2.daemon import default_home
from ...pm2.error_log import log_files
from ...pm2.instance import STOPPING, App, Instance
from ...pm2.liveness import describe_state
from ...pm2.process.switch import directory_of
from ..options import Options
from ..record import Release

#: Seconds by which a start may seem to lie before the switch: PM2 rounds, and so do we.
_ROUNDING = 0.1
#: Seconds before the switch whose messages are not new.
WEEK = 7 * 86400.0
_LOG_BYTES = 64 << 20
_LOG_SECONDS = 10.0


@dataclass(frozen=True)
class Look:
    """An app's instances at one moment."""

    instances: tuple[Instance, ...]
    folders: tuple[str, ...]
    """The working directory of each one's process, without links; empty if it has none."""


class Watch:
    """Checks the app as often as it is told to, and judges what it saw."""

    def __init__(self, options: Options, since: float | None) -> None:
        self._options = options
        self._since = since
        self._looks: list[Look] = []
        self._daemon = 0
        self.unreachable = ""
        """Why PM2 could not be asked; empty if it answered each time."""

    def look(self) -> None:
        """Ask PM2 once."""
        try:
            found, self._daemon = ask_pm2(self._options)
        except Unreachable as problem:
            self.unreachable = str(problem)
            return
        self._looks.append(Look(found, tuple(directory_of(row.pid) for row in found)))

    def problem(self, release: Release) -> str:
        """What is wrong with the processes, so far."""
        return process_problem(self._looks, release, self._since)

    @property
    def running(self) -> int:
        """Instances that PM2 had at the last look."""
        return len(self._looks[-1].instances) if self._looks else 0

    def check_process(self, release: Release, thresholds: Thresholds) -> Check:
        """release.process."""
        name, subject = "release.process", self._options.name
        if not self._looks:
            text = f"PM2 could not be asked: {self.unreachable}"
            return thresholds.verdict(name, UNKNOWN, text, subject=subject)
        problem = self.problem(release)
        if problem:
            return thresholds.verdict(name, CRITICAL, problem, subject=subject)
        if self.unreachable:
            text = f"PM2 could not be asked each time: {self.unreachable}"
            return thresholds.verdict(name, UNKNOWN, text, subject=subject)
        count = pluralize(self.running, "instance")
        text = f"{count} of {subject} in {release.id}, with no restart since the switch"
        return thresholds.verdict(name, OK, text, subject=subject, value=self.running)

    def check_errors(self, thresholds: Thresholds) -> Check:
        """release.errors."""
        name, subject, now = "release.errors", self._options.name, time.time()
        if self._since is None:
            return thresholds.not_judged(
                name, "error messages not compared", "nothing was switched", subject=subject
            )
        if not self._looks:
            return thresholds.verdict(name, UNKNOWN, "PM2 did not name the logs", subject=subject)
        files = logs_of(subject, self._looks[-1].instances, self._daemon)
        summary = scan(files, self._since - WEEK, now, log_budget())
        return judge_errors(summary, self._since, subject, thresholds)


def ask_pm2(options: Options) -> tuple[tuple[Instance, ...], int]:
    """The app's instances, and the process of PM2's daemon; raises `Unreachable`."""
    home = options.pm2_home or default_home()
    try:
        with Client(home, Deadline(options.timeout)) as client:
            daemon, rows = client.daemon_pid, client.instances()
    except DeadlineExceeded:
        raise Unreachable(f"no answer within {format_duration(options.timeout)}") from None
    return of_app(rows, options.name, options.namespace), daemon


def logs_of(name: str, instances: Sequence[Instance], daemon: int) -> list[LogFile]:
    """The app's logs, those of its output among them."""
    errors, output = log_files(App(name, "", tuple(instances)), daemon_pid=daemon)
    return [*errors, *output]


def log_budget() -> Budget:
    """What reading them may cost."""
    return Budget(_LOG_BYTES, _LOG_SECONDS)


def of_app(rows: Sequence[Instance], name: str, namespace: str | None) -> tuple[Instance, ...]:
    """The instances of an app by id, without those that a reload is just ending."""
    own = [row for row in rows if row.name == name and namespace in (None, row.namespace)]
    alive = {row.pm_id for row in own if row.status != STOPPING}
    left = [row for row in own if row.status != STOPPING or row.pm_id not in alive]
    return tuple(sorted(left, key=lambda row: row.pm_id))


def process_problem(looks: Sequence[Look], release: Release, since: float | None) -> str:
    """What was wrong with an app's processes at any of these looks; empty if nothing was."""
    first = {row.pm_id: row for row in looks[0].instances} if looks else {}
    for look in looks:
        if not look.instances:
            return "PM2 has no such app"
        for row, folder in zip(look.instances, look.folders):
            problem = _problem(row, folder, first.get(row.pm_id), release, since)
            if problem:
                return f"id {row.pm_id} {problem}"
        if {row.pm_id for row in look.instances} < set(first):
            return f"PM2 has only {len(look.instances)} of {len(first)} instances left"
    return ""


def _problem(
    row: Instance, folder: str, before: Instance | None, release: Release, since: float | None
) -> str:
    if row.absent or not row.alive or not row.pid:
        return describe_state(row)
    if not is_inside(folder, release.path):
        return f"is process {row.pid} in {folder or 'a folder that cannot be read'}"
    if since is not None and row.started is not None and row.started < since - _ROUNDING:
        return f"is still process {row.pid}, started before the switch"
    if before and row.restarts > before.restarts:
        return f"restarted {pluralize(row.restarts - before.restarts, 'time')} while it was watched"
    if before and row.pid != before.pid:
        return f"became process {row.pid} while it was watched, it was {before.pid}"
    return ""


def judge_errors(summary: LogSummary, since: float, subject: str, thresholds: Thresholds) -> Check:
    """release.errors, from the messages of the week before the switch and since."""
    # The times of a log may be cut to full seconds.
    new = [group for group in summary.groups if group.first >= int(since)]
    count = sum(group.count for group in new)
    evidence = [{"message": group.fingerprint, "count": group.count} for group in new]
    if new:
        text = f"{pluralize(count, 'new error message')}, first of all '{new[0].fingerprint}'"
        return thresholds.evaluate(
            "release.errors", count, text, subject=subject, evidence=tuple(evidence)
        )
    text = "no new error messages since the switch"
    problems = {problem.kind: problem for problem in summary.problems}
    for kind in (FORBIDDEN, UNREADABLE):
        if kind in problems:
            text = f"{problems[kind].path} cannot be read, so new errors would not be seen"
            return thresholds.verdict("release.errors", UNKNOWN, text, subject=subject)
    if UNTIMED in problems:
        reason = "PM2 writes no times ('time: true' in the ecosystem file)"
        return thresholds.not_judged(
            "release.errors", "no dated error messages", reason, subject=subject
        )
    return thresholds.evaluate("release.errors", 0, text, subject=subject)
