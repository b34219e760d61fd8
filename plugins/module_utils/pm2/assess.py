# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The verdicts of pm2_health on the apps and on the daemon; the error logs are in error_log.py."""

from __future__ import annotations

from ..core.check import CRITICAL, UNKNOWN, Check
from ..core.errors import Unreachable
from ..core.thresholds import Thresholds
from .client import AccessDenied
from .daemon import is_suspended, other_daemons
from .liveness import assess_process, join_some
from .memory import assess_memory
from .options import Options
from .restarts import assess_restarts
from .snapshot import Snapshot


def assess(snapshot: Snapshot, options: Options, thresholds: Thresholds) -> list[Check]:
    """The verdicts on all apps, or on those that were named. Pure."""
    apps = snapshot.apps(options.names, options.namespace)
    found = {app.name for app in apps}
    checks = [
        missing_app(name, snapshot, thresholds) for name in options.names if name not in found
    ]
    if not apps and not options.names:
        checks.append(missing_app("", snapshot, thresholds))
    for app in apps:
        checks.append(assess_process(app, snapshot, options.instances, thresholds))
        checks.append(assess_restarts(app, snapshot, thresholds))
        if app.online:
            checks.append(assess_memory(app, thresholds))
    return checks


def missing_app(name: str, snapshot: Snapshot, thresholds: Thresholds) -> Check:
    """The verdict on an app that PM2 does not have, or on a PM2 without any app (no name)."""
    summary = "PM2 is running, but its list contains no app"
    if name:
        others = [app.label for app in snapshot.apps()]
        content = f"contains {join_some(others)}" if others else "is empty"
        summary = f"{name} is not in PM2's list, which {content}"
    remedy = "Start it from its ecosystem file, or restore what 'pm2 save' stored with "
    remedy += "'pm2 resurrect'; then 'pm2 save'."
    if snapshot.other_daemons:
        running = [f"{folder} (user {user})" for folder, user in snapshot.other_daemons]
        summary += f"; PM2 is also running in {join_some(running)}"
        elsewhere = "If it belongs to the other PM2, set app_user or app_pm2_home."
        remedy = f"{elsewhere} Otherwise: {remedy[0].lower()}{remedy[1:]}"
    return thresholds.verdict(
        "app.process",
        CRITICAL,
        summary,
        subject=name,
        value=0,
        remedy=remedy,
    )


def unreachable(reason: Unreachable, home: str, subject: str, thresholds: Thresholds) -> Check:
    """The verdict if the daemon cannot be reached."""
    if isinstance(reason, AccessDenied):
        return thresholds.verdict(
            "app.process",
            UNKNOWN,
            f"PM2 could not be queried: {reason}",
            subject=subject,
            remedy="Run this module as the user who owns PM2: set app_user in the inventory, or "
            "become_user on the task.",
        )
    summary = f"PM2 is not running, so nothing restarts the app: {reason}"
    running = [f"{folder} (user {user})" for folder, user in other_daemons(home)]
    if running:
        summary += f"; PM2 is running in {join_some(running)}"
    return thresholds.verdict(
        "app.process",
        CRITICAL,
        summary,
        subject=subject,
        value=0,
        remedy="If this is the wrong folder or user, set app_user or app_pm2_home. Otherwise run "
        "'pm2 resurrect' as its owner, and 'pm2 startup' so that it survives reboots.",
    )


def no_answer(pid: int, home: str, seconds: float, subject: str, thresholds: Thresholds) -> Check:
    """The verdict on a daemon that gave no answer within so many seconds; ``pid`` 0 if unknown."""
    daemon = f"PM2's daemon in {home}"
    if pid:
        daemon += f", process {pid},"
    if is_suspended(pid):
        summary = f"{daemon} is suspended by a signal and does not answer"
        remedy = f"Resume it with 'kill -CONT {pid}', then find out who suspended it."
    else:
        summary = f"{daemon} did not answer within {seconds:g} s, so the app's state is not known"
        remedy = (
            "Check the host's load and pm2.log; 'pm2 update' replaces the daemon, and restarts "
            "every app."
        )
    return thresholds.verdict(
        "app.process", CRITICAL, summary, subject=subject, value=0, remedy=remedy
    )
