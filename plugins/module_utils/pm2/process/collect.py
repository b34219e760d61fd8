# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Collects the state of the app before and after, and whether it may be restarted now."""

from __future__ import annotations

import os
import time
from contextlib import suppress

from ...core.check import CRITICAL, Check
from ...core.deadline import Deadline, DeadlineExceeded
from ...core.errors import RunbookError, Unreachable, UsageError
from ...core.thresholds import Thresholds
from ...core.units import format_duration
from ..assess import missing_app, no_answer, unreachable
from ..collect import DaemonSuspended, collect
from ..daemon import recorded_pid
from ..instance import LAUNCHING, STOPPING, App
from ..snapshot import Snapshot
from .options import Options

#: Milliseconds for which PM2 takes its file reload.lock as a sign of a reload in progress
#: (RELOAD_LOCK_TIMEOUT).
_RELOAD_LOCK_MS = 30_000


class NotStarted(RunbookError):
    """Nothing was done; ``check`` says why, and what to do."""

    def __init__(self, check: Check) -> None:
        super().__init__(check.summary, check.remedy)
        self.check = check


def collect_app(
    options: Options, thresholds: Thresholds, watched: bool = False
) -> tuple[App, Snapshot]:
    """The app, and everything else under the same PM2. Raises `NotStarted` if it is not there.

    ``watched`` is whether the app has been watched already, so that one look is enough.
    """
    more = {"watch": 0.0} if watched else {}
    try:
        with options.connect() as client:
            snapshot = collect(client, [options.name], Deadline(options.timeout), **more)
    except Unreachable as reason:
        check = unreachable(reason, options.home, options.name, thresholds)
        raise NotStarted(check) from None
    except (DaemonSuspended, DeadlineExceeded):
        pid = recorded_pid(options.home)
        check = no_answer(pid, options.home, options.timeout, options.name, thresholds)
        raise NotStarted(check) from None
    found = snapshot.apps([options.name], options.namespace)
    if not found:
        raise NotStarted(missing_app(options.name, snapshot, thresholds))
    if len(found) > 1:
        raise UsageError(
            f"namespace: {options.name} is in several namespaces, name one of them: "
            f"{', '.join(app.namespace for app in found)}"
        )
    return found[0], snapshot


def require_idle(app: App, options: Options, thresholds: Thresholds) -> None:
    """Raises `NotStarted` if someone else is starting, stopping or reloading the app."""
    signs = [
        f"id {row.pm_id} is {row.status}"
        for row in app.instances
        if row.status in (LAUNCHING, STOPPING)
    ]
    if len({row.pm_id for row in app.instances}) < len(app.instances):
        # PM2 keeps the old process under the same id until the new one is ready.
        signs.append("PM2 is reloading it")
    age = _reload_lock_age(options.home)
    if age is not None:
        signs.append(f"a 'pm2 reload' began {format_duration(age)} ago")
    if signs:
        summary = f"someone else is restarting {app.label}: {'; '.join(signs)}"
        raise NotStarted(busy(app.label, summary, thresholds))


def busy(subject: str, summary: str, thresholds: Thresholds) -> Check:
    """The check that says that someone else is working on the app."""
    return thresholds.verdict(
        "app.process",
        CRITICAL,
        summary,
        subject=subject,
        remedy="Wait until that has finished, then run this again.",
    )


def _reload_lock_age(home: str) -> float | None:
    """Seconds since the 'pm2 reload' that is in progress began; none if there is none."""
    with suppress(OSError, ValueError), open(os.path.join(home, "reload.lock")) as stream:
        age = time.time() * 1000 - int(stream.read(20))
        if 0 <= age < _RELOAD_LOCK_MS:
            return age / 1000
    return None
