# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Check app.process: whether all expected instances are online and stay online."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from ..core.check import CRITICAL, OK, WARNING, Check
from ..core.thresholds import Thresholds
from ..core.units import format_duration, pluralize
from .checks import CHECKS
from .instance import (
    ERRORED,
    LAUNCHING,
    ONLINE,
    RECENT,
    STOPPED,
    STOPPING,
    WAITING,
    App,
    Instance,
)
from .snapshot import Snapshot

#: Restarts that make a crash loop, if less than `RECENT` seconds lie between them.
_LOOP_RESTARTS = 3
_MAX_LISTED = 5
#: Signals by which a process ends itself, such as Node.js without memory for its heap.
_CRASHES = {"SIGABRT", "SIGBUS", "SIGFPE", "SIGILL", "SIGSEGV", "SIGTRAP"}


def assess_process(
    app: App, snapshot: Snapshot, expected: int | None, thresholds: Thresholds
) -> Check:
    """Whether the expected number of instances is online; by default, all that PM2 has."""
    expected = expected or len(app.instances)
    serving = [row for row in app.instances if is_serving(row)]
    looping = [row for row in app.instances if is_crash_looping(row, snapshot)]
    findings = [(CRITICAL, _describe_loop(row, snapshot)) for row in looping]
    for row in app.instances:
        if row not in looping:
            findings += _findings(row, snapshot)
    if len(app.instances) < expected:
        findings.append((CRITICAL, f"PM2 has only {len(app.instances)} in its list"))
    if not findings:
        return thresholds.verdict(
            "app.process",
            OK,
            _healthy_summary(app, snapshot.taken, expected),
            subject=app.label,
            value=len(serving),
            evidence=evidence_rows(app.instances, snapshot.taken),
        )
    problems = join_some([text for status, text in findings], "; ")
    unhealthy_first = sorted(app.instances, key=lambda row: row in serving and row not in looping)
    return thresholds.verdict(
        "app.process",
        CRITICAL if CRITICAL in [status for status, text in findings] else WARNING,
        f"{len(app.online)} of {expected} instances of {app.name} online: {problems}",
        subject=app.label,
        value=len(serving),
        remedy=_remedy(app, expected, len(findings)),
        evidence=evidence_rows(unhealthy_first, snapshot.taken),
    )


def is_serving(row: Instance) -> bool:
    return row.alive or row.waiting_for_cron or row.is_done


def is_crash_looping(row: Instance, snapshot: Snapshot) -> bool:
    """Whether an instance is in a crash loop right now.

    Either it crashed repeatedly while it was watched, or its last crash is recent and it has
    restarted at least three times with less than a minute between restarts.
    """
    if row.status in (ERRORED, STOPPING):
        return False
    crashes = snapshot.crash_restarts_of(row)
    crashed_before = row.restarts > crashes and row.restarted_by_pm2
    if crashes >= 2 or (crashes and crashed_before):
        return True
    if row.started is None or row.created is None or not row.restarted_by_pm2:
        return False
    if snapshot.taken - row.started > RECENT:
        return False
    count, seconds = float(row.restarts), row.started - row.created
    delta = snapshot.restarts_of(row.app_label)
    if delta.since_last_run:
        count = min(count, delta.counters.get(str(row.pm_id), 0))
        seconds = min(seconds, delta.seconds)
    return count >= _LOOP_RESTARTS and seconds / count < RECENT


def describe_state(row: Instance) -> str:
    """The state of an instance that is not online, as a verb phrase: ``is errored, …``."""
    if row.absent:
        return f"is called online by PM2, but {row.absent}"
    if row.status == ERRORED:
        return f"is errored, PM2 gave up restarting it{describe_exit(row)}"
    if row.status == WAITING:
        after = f" after {pluralize(row.restarts, 'restart')}" if row.restarts else ""
        return f"has exited and is waiting to be restarted{after}{describe_exit(row)}"
    if row.status == LAUNCHING:
        return "is still starting"
    if row.status == STOPPED and row.killed_by:
        then = "cron starts it again" if row.scheduled else "PM2 does not restart it"
        return f"was ended by the signal {row.killed_by}, and {then}"
    if row.status == STOPPED:
        by_hand = " by hand" if row.stopped_by_hand else ""
        return f"is stopped{by_hand}{describe_exit(row)}"
    return f"is {row.status}" if row.status else "has no status"


def describe_exit(row: Instance) -> str:
    """The last exit code in parentheses.

    Empty for 0, which PM2 also reports for a crash in cluster mode.
    """
    return f" (exit code {row.exit_code})" if row.exit_code else ""


def evidence_rows(instances: Iterable[Instance], now: float) -> list[dict[str, object]]:
    """One row of evidence for each instance."""
    return [
        {
            "id": row.pm_id,
            "process": row.pid or None,
            "status": row.status,
            "for": _time_online(row, now),
            "restarts": row.restarts,
            "exit_code": row.exit_code,
        }
        for row in instances
    ]


def join_some(items: Sequence[str], separator: str = ", ") -> str:
    """A list in a sentence, shortened if it is long."""
    listed = list(items[:_MAX_LISTED])
    if len(items) > _MAX_LISTED:
        listed.append(f"and {len(items) - _MAX_LISTED} more")
    return separator.join(listed)


def _findings(row: Instance, snapshot: Snapshot) -> list[tuple[str, str]]:
    """What is wrong with an instance that is not in a crash loop: status and description."""
    if not is_serving(row):
        status = WARNING if row.status == LAUNCHING else CRITICAL
        return [(status, f"id {row.pm_id} {describe_state(row)}")]
    now = snapshot.taken
    crashes = crashes_within_an_hour(row, snapshot)
    if row.alive and crashes >= _LOOP_RESTARTS:
        text = f"id {row.pm_id} crashed {crashes} times within the last hour{describe_exit(row)}"
        return [(WARNING, text)]
    age = now - (row.started or 0)
    if row.status == ONLINE and row.restarted_by_pm2 and age < RECENT:
        ago = format_duration(row.seconds_running(now))
        text = f"id {row.pm_id} was restarted {ago} ago because it had exited{describe_exit(row)}"
        return [(WARNING, text)]
    return []


def crashes_within_an_hour(row: Instance, snapshot: Snapshot) -> int:
    """Ends of an instance by an error since it was last started on purpose, that PM2 logged.

    Those with exit code 0 do not count.
    """
    start = max(snapshot.taken - 3600, row.created or 0.0)
    events = snapshot.history.exits_of(row.pm_id, start)
    return sum(not event.clean or row.cluster for event in events)


def _describe_loop(row: Instance, snapshot: Snapshot) -> str:
    crashes = snapshot.crash_restarts_of(row)
    if crashes:
        times = "once" if crashes == 1 else f"{crashes} times"
        recent = f"restarted {times} within {format_duration(snapshot.watched)}, "
    else:
        recent = f"restarted {format_duration(row.seconds_running(snapshot.taken))} ago and "
    total = f"{row.restarts} times in total"
    return f"id {row.pm_id} is in a crash loop, {recent}{total}{describe_exit(row)}"


def _healthy_summary(app: App, now: float, expected: int) -> str:
    if not app.online and any(row.waiting_for_cron for row in app.instances):
        return f"{app.name} is waiting for cron to start it again, its last run succeeded"
    if not app.online:
        code = app.instances[0].exit_code
        return f"{app.name} has finished (exit code {code}) and is not meant to restart"
    summary = f"{len(app.online)} of {expected} instances of {app.name} online"
    ages = [row.seconds_running(now) for row in app.online if row.started]
    if ages:
        summary += f", running for {format_duration(min(ages))}"
    waiting = sum(row.waiting_for_cron for row in app.instances)
    finished = sum(row.is_done for row in app.instances)
    for count, what in ((waiting, "waiting for cron"), (finished, "finished")):
        if count:
            summary += f", {count} {what}"
    return summary


def _remedy(app: App, expected: int, findings: int) -> str:
    remedy = CHECKS["app.process"].remedy.replace("APP", app.name)
    if any(row.absent for row in app.instances):
        return _remedy_for_absence(app)
    killed = sorted({row.killed_by for row in app.instances if not is_serving(row)} - {""})
    if killed:
        return _remedy_for_kill(app, killed)
    if {row.status for row in app.instances if not is_serving(row)} == {STOPPED}:
        return f"Unless it was stopped on purpose: 'pm2 restart {app.name}'. {remedy}"
    if findings == 1 and len(app.instances) < expected:
        return f"'pm2 scale {app.name} {expected}', then 'pm2 save'."
    return remedy


def _remedy_for_absence(app: App) -> str:
    suspended = [row.pid for row in app.instances if row.suspended]
    if suspended:
        pids = " ".join(map(str, suspended))
        return f"Resume it with 'kill -CONT {pids}', then find out who suspended it."
    return (
        f"Read the end of the app's error log, which says why it ended; then "
        f"'pm2 restart {app.name}'. With wait_ready, the app may end before it reports that it is "
        "ready: PM2 still calls it online."
    )


def _remedy_for_kill(app: App, signals: Sequence[str]) -> str:
    if "SIGKILL" in signals:
        cause = (
            "Find out who killed it: most often the kernel, when memory runs out (host.oom_kills,"
            " 'journalctl -k')"
        )
    elif set(signals) & _CRASHES:
        cause = "Read the end of the app's error log: the process itself crashed"
    else:
        cause = f"Find out who sent the signal ({join_some(signals)})"
    return f"{cause}. Then 'pm2 restart {app.name}'."


def _time_online(row: Instance, now: float) -> str:
    if not row.alive or not row.started:
        return ""
    return format_duration(row.seconds_running(now))
