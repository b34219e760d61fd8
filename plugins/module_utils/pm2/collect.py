# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Looking at the apps under PM2: the daemon first, a few times where something may be going on, then the error logs."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Callable

from ..core.check import Check
from ..core.deadline import Deadline
from ..core.errors import UsageError
from ..core.state import Sample, StateFile
from ..core.thresholds import Thresholds
from ..logs.scan import Budget, read
from . import error_log
from .assess import RECENT, Look, Seen, absent, assess, silent, unavailable
from .client import (
    LAUNCHING,
    ONLINE,
    STOPPED,
    STOPPING,
    App,
    Client,
    Instance,
    Unavailable,
    applications,
    daemon_pid,
    is_stopped,
)

#: Bytes of error logs that are read for an app, the latest first.
LOG_BYTES = 16 << 20

#: Seconds for which an app that may be in a crash loop, or in the middle of a start or stop, is watched; and how often.
_WATCH = 3.0
_POLL = 0.2


class Frozen(Exception):
    """The daemon was stopped by a signal: there is no point in waiting for its answer."""


@dataclass(frozen=True)
class Options:
    """What is asked for."""

    home: str
    names: tuple[str, ...] = ()
    namespace: str | None = None
    instances: int | None = None
    hours: float = 24.0
    error_logs: tuple[str, ...] = ()
    timeout: float = 10.0

    def check(self) -> None:
        if self.instances is not None and self.instances < 1:
            raise UsageError(
                f"instances: {self.instances} is not a number of instances above 0; leave it out to want as many as PM2 has in its list"
            )
        if not 0 < self.hours <= 24 * 366:
            raise UsageError(
                f"window: {self.hours:g} is not a number of hours above 0 and up to a year"
            )
        if self.error_logs and len(self.names) != 1:
            raise UsageError("error_logs: needs the name of the one app they belong to in 'app'")


class Probe:
    """One look at the apps of one daemon. It knows how far it got, so that running out of time is told for what it was."""

    def __init__(
        self,
        options: Options,
        state: Callable[[str], StateFile],
        keep: Callable[[StateFile, Sample], None],
    ) -> None:
        self._options = options
        self._state = state
        self._keep = keep
        self._daemon = 0
        self._reading: App | None = None

    def __call__(self, thresholds: Thresholds, deadline: Deadline) -> Iterator[Check]:
        options = self._options
        options.check()
        try:
            with Client(options.home, deadline) as client:
                self._daemon = client.daemon_pid
                seen = observe(client, options.names, deadline)
        except Frozen:
            yield self.silent(thresholds)
            return
        except Unavailable as reason:
            yield unavailable(reason, options.home, self._subject, thresholds)
            return
        apps = [
            app
            for app in applications(seen.instances, options.namespace)
            if not options.names or app.name in options.names
        ]
        for name in options.names or ([] if apps else [""]):
            if name not in [app.name for app in apps]:
                yield absent(name, seen, thresholds)
        for app in apps:
            state, now = self._state(app.label), sample(app, seen)
            yield from assess(
                Look(app, seen, state.delta(now, None, "it was added to PM2"), options.instances),
                thresholds,
            )
            self._keep(state, now)
        since = seen.moment - options.hours * 3600
        for waiting, app in zip(range(len(apps), 0, -1), apps):
            self._reading = app
            budget = Budget(LOG_BYTES, max(0.1, deadline.remaining() / waiting - 1.0))
            yield error_log.assess(
                app,
                read(error_log.sources(app, options.error_logs), since, seen.moment, budget),
                seen.moment,
                thresholds,
            )

    def silent(self, thresholds: Thresholds) -> Check:
        """What to say where time ran out."""
        if self._reading:
            return error_log.late(self._reading, thresholds)
        pid = self._daemon or daemon_pid(self._options.home)
        return silent(pid, self._options.home, self._options.timeout, self._subject, thresholds)

    @property
    def _subject(self) -> str:
        return self._options.names[0] if len(self._options.names) == 1 else ""


def observe(client: Client, names: Sequence[str], deadline: Deadline) -> Seen:
    """Look at the processes, and a few times more where one of the apps may be in a crash loop or is just starting or stopping."""
    began = time.monotonic()
    if is_stopped(client.daemon_pid):
        raise Frozen
    first = rows = client.instances()
    restarted: dict[int, int] = {}
    resting: set[Instance] = set()
    until = began + min(_WATCH, deadline.remaining() / 3)
    while time.monotonic() < until:
        asked_for = [row for row in rows if not row.module and (not names or row.name in names)]
        if not any(_unsettled(row, restarted) for row in asked_for if row not in resting):
            break
        time.sleep(deadline.remaining(_POLL))
        resting = {
            row for row in rows if row.status == STOPPED
        }  # in a crash loop an app is that for a moment only
        rows = client.instances()
        restarted = _by_itself(first, rows)
    rows = [
        replace(row, memory=_resident(row.pid)) if row.status == ONLINE and not row.memory else row
        for row in rows
    ]
    epoch = f"{client.daemon_pid}:{client.daemon_started}"
    return Seen(time.time(), tuple(rows), epoch, time.monotonic() - began, restarted)


def sample(look_at: App, seen: Seen) -> Sample:
    """What the next run has to know of an app."""
    return Sample(
        seen.moment, seen.epoch, {str(row.pm_id): row.restarts for row in look_at.instances}
    )


def _unsettled(row: Instance, restarted: Mapping[int, int]) -> bool:
    """Whether another look in a moment would tell more."""
    if row.between_runs or restarted.get(row.pm_id, 0) >= 2:
        return False
    age = time.time() - row.started if row.started else RECENT
    suspect = row.restarted_by_itself or (
        row.restarts > 0 and age < _WATCH
    )  # so soon, a crash looks like a restart on purpose
    return row.status in (LAUNCHING, STOPPING) or (
        age < RECENT and (row.status == STOPPED or (row.status == ONLINE and suspect))
    )


def _by_itself(first: Iterable[Instance], later: Iterable[Instance]) -> dict[int, int]:
    """Restarts between two looks that nobody asked for: one on purpose would have set ``created`` anew."""
    before = {row.pm_id: row for row in first}
    result = {}
    for row in later:
        old = before.get(row.pm_id)
        if (
            old
            and old.name == row.name
            and row.restarts > old.restarts
            and row.created in (old.created, None)
        ):
            result[row.pm_id] = row.restarts - old.restarts
    return result


def _resident(pid: int) -> int:
    """Resident memory as the kernel has it, for where PM2 could not measure."""
    try:
        with open(f"/proc/{pid}/statm") as stream:
            return int(stream.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, ValueError, IndexError):
        return 0
