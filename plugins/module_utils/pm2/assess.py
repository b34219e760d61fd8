# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The verdicts on apps under PM2: their processes, restarts and memory, and the daemon itself."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..core.check import CRITICAL, OK, UNKNOWN, WARNING, Check
from ..core.state import Delta
from ..core.thresholds import Thresholds
from ..core.units import format_duration, format_value
from .checks import CHECKS
from .client import (
    ERRORED,
    LAUNCHING,
    ONLINE,
    STOPPED,
    STOPPING,
    WAITING,
    App,
    Instance,
    NotAllowed,
    Unavailable,
    applications,
    is_stopped,
    other_daemons,
)

#: Seconds after a restart by itself in which an app does not count as stable, and within which a loop comes round.
RECENT = 60.0
#: Restarts that make a loop.
LOOP = 3


@dataclass(frozen=True)
class Seen:
    """The processes of one daemon at one moment, and what they did while they were looked at."""

    moment: float
    instances: tuple[Instance, ...]
    epoch: str
    """Which daemon it was: another one counts restarts anew."""
    watched: float = 0.0
    """Seconds from the first to the last look."""
    restarted: Mapping[int, int] | None = None
    """How often PM2 restarted a process meanwhile, by PM2's id; restarts on purpose do not count."""


@dataclass(frozen=True)
class Look:
    """What there is to judge about one app."""

    app: App
    seen: Seen
    restarts: Delta
    wanted: int | None = None


def assess(look: Look, thresholds: Thresholds) -> list[Check]:
    """The verdicts on one app; its error log is judged apart."""
    checks = [process(look, thresholds), _restarts(look, thresholds)]
    if look.app.online:
        checks.append(_memory(look.app, thresholds))
    return checks


def absent(name: str, seen: Seen, thresholds: Thresholds) -> Check:
    """The verdict on an app that PM2 does not know."""
    others = [app.label for app in applications(seen.instances)]
    listed = f"it holds {_words(others)}" if others else "which is empty"
    return thresholds.verdict(
        "app.process",
        CRITICAL,
        f"{name} is not in PM2's list, {listed}" if name else "PM2 runs, and no app is in its list",
        subject=name,
        value=0,
        remedy="Start it from its ecosystem file, or 'pm2 resurrect' brings back what 'pm2 save' kept; then 'pm2 save'.",
    )


def unavailable(reason: Unavailable, home: str, subject: str, thresholds: Thresholds) -> Check:
    """The verdict where the daemon could not be asked."""
    if isinstance(reason, NotAllowed):
        return thresholds.verdict(
            "app.process",
            UNKNOWN,
            f"PM2 could not be asked: {reason}",
            subject=subject,
            remedy="Run this module as the user who owns PM2: set app_user in the inventory, or become_user on the task.",
        )
    running = [f"{folder} (user {user})" for folder, user in other_daemons(home)]
    elsewhere = f"; PM2 does run for {_words(running)}" if running else ""
    return thresholds.verdict(
        "app.process",
        CRITICAL,
        f"PM2 is not running, so nothing restarts the app: {reason}{elsewhere}",
        subject=subject,
        value=0,
        remedy="If that is the wrong place, set app_user or app_pm2_home. Otherwise 'pm2 resurrect' as its owner, and 'pm2 startup' against reboots.",
    )


def silent(pid: int, home: str, seconds: float, subject: str, thresholds: Thresholds) -> Check:
    """The verdict on a daemon that gives no answer."""
    who = f"PM2's daemon in {home}{f', process {pid},' if pid else ''}"
    if is_stopped(pid):
        summary = f"{who} is frozen by a signal and gives no answer"
        remedy = f"Wake it with 'kill -CONT {pid}', and find out who froze it."
    else:
        summary = f"{who} gave no answer within {seconds:g} s, so nothing is known of the app"
        remedy = "See the machine's load and pm2.log; 'pm2 update' replaces the daemon, and restarts every app."
    return thresholds.verdict(
        "app.process", CRITICAL, summary, subject=subject, value=0, remedy=remedy
    )


def process(look: Look, thresholds: Thresholds) -> Check:
    """Whether all wanted instances are online and stay so."""
    app, now = look.app, look.seen.moment
    wanted = look.wanted or len(app.instances)
    serving = [row for row in app.instances if row.status == ONLINE or row.between_runs]
    looping = [row for row in app.instances if _looping(row, look)]
    findings: list[tuple[str, str]] = [(CRITICAL, _loop_words(row, look)) for row in looping]
    for row in app.instances:
        if (
            row.status == ONLINE
            and row not in looping
            and row.restarted_by_itself
            and now - (row.started or 0) < RECENT
        ):
            findings.append(
                (
                    WARNING,
                    f"id {row.pm_id} was restarted {format_duration(max(0, now - (row.started or 0)))} ago because it had exited{exit_words(row)}",
                )
            )
        elif row not in serving and row not in looping:
            findings.append(
                (
                    WARNING if row.status == LAUNCHING else CRITICAL,
                    f"id {row.pm_id} {state_words(row)}",
                )
            )
    if len(app.instances) < wanted:
        findings.append((CRITICAL, f"PM2 has {len(app.instances)} of them in its list"))
    if not findings:
        return thresholds.verdict(
            "app.process",
            OK,
            _fine_words(look, wanted),
            subject=app.label,
            value=len(serving),
            evidence=_rows(app.instances, now),
        )
    remedy = CHECKS["app.process"].remedy.replace("APP", app.name)
    statuses = {row.status for row in app.instances if row not in serving}
    if statuses == {STOPPED}:
        remedy = f"Unless somebody stopped it on purpose: 'pm2 restart {app.name}'. {remedy}"
    elif len(findings) == 1 and len(app.instances) < wanted:
        remedy = f"'pm2 scale {app.name} {wanted}', then 'pm2 save'."
    return thresholds.verdict(
        "app.process",
        CRITICAL if any(status == CRITICAL for status, _text in findings) else WARNING,
        f"{len(app.online)} of {wanted} instances of {app.name} online: {_words([text for _status, text in findings], '; ')}",
        subject=app.label,
        value=len(serving),
        remedy=remedy,
        evidence=_rows(
            sorted(app.instances, key=lambda row: row in serving and row not in looping), now
        ),
    )


def _restarts(look: Look, thresholds: Thresholds) -> Check:
    """Restarts since the last run. The first run can only judge what PM2's totals prove."""
    app, delta, now = look.app, look.restarts, look.seen.moment
    count = max(delta.counters.values(), default=0)
    most = max(app.instances, key=lambda row: delta.counters.get(str(row.pm_id), 0))
    times = "once" if count == 1 else f"{count:.0f} times"
    many = len(app.instances) > 1
    limit = thresholds.of("app.restarts", app.label)
    judged: dict[str, Any] = {
        "subject": app.label,
        "window": delta.window,
        "evidence": _rows(app.instances, now) if count else (),
    }
    if (
        delta.since_last_run
        or not count
        or limit.status_of(count) == OK
        or any(_looping(row, look) or row.status in (ERRORED, WAITING) for row in app.instances)
    ):
        who = (
            f"id {most.pm_id}, the most of {len(app.instances)} instances, was"
            if many
            else "the app was"
        )
        when = (
            f"since the last run {format_duration(delta.seconds)} ago"
            if delta.since_last_run
            else "since it was added to PM2"
        )
        summary = (
            f"{who} restarted {times} {when}, restarts on purpose included"
            if count
            else f"no restart {when}"
        )
        return thresholds.evaluate("app.restarts", count, summary, **judged)
    if not any(row.restarted_by_itself for row in app.instances):
        age = format_duration(max(0.0, now - min(row.created or now for row in app.instances)))
        judged["window"] = f"since it was started on purpose {age} ago"
        return thresholds.evaluate(
            "app.restarts",
            0,
            f"no restart since it was started on purpose {age} ago; {times} in all",
            **judged,
        )
    return thresholds.verdict(
        "app.restarts",
        UNKNOWN,
        f"restarted {times} since it was added to PM2, on purpose or not; when, will be known from the next run on",
        remedy="Run the checklist again after five minutes or more; 'pm2 reset APP' starts PM2's count anew.".replace(
            "APP", app.name
        ),
        value=count,
        **judged,
    )


def _memory(app: App, thresholds: Thresholds) -> Check:
    measured = [row for row in app.online if row.memory]
    largest = max(measured, key=lambda row: row.memory, default=None)
    if largest is None:
        return thresholds.verdict(
            "app.memory",
            UNKNOWN,
            "neither PM2 nor the kernel told how much memory it uses",
            subject=app.label,
            remedy="Look with 'pm2 monit'.",
        )
    limited = [row for row in measured if row.memory_limit]
    whose = (
        f"the largest of {len(measured)} instances uses" if len(measured) > 1 else "the app uses"
    )
    if not limited:
        return thresholds.verdict(
            "app.memory",
            UNKNOWN,
            f"{whose} {format_value(largest.memory, 'bytes')}, and no limit is set to judge that by",
            subject=app.label,
            remedy=f"Set max_memory_restart in the ecosystem file, or 'pm2 restart {app.name} --max-memory-restart 1G', then 'pm2 save'.",
        )
    fullest = max(limited, key=lambda row: row.memory / (row.memory_limit or 1))
    share = round(100 * fullest.memory / (fullest.memory_limit or 1), 1)
    whose = (
        f"id {fullest.pm_id}, the fullest of {len(measured)} instances, uses"
        if len(measured) > 1
        else "the app uses"
    )
    summary = f"{whose} {format_value(fullest.memory, 'bytes')} of the {format_value(fullest.memory_limit, 'bytes')} at which PM2 restarts it"
    rows = [
        {
            "id": row.pm_id,
            "memory": format_value(row.memory, "bytes"),
            "limit": format_value(row.memory_limit, "bytes"),
        }
        for row in measured
    ]
    return thresholds.evaluate("app.memory", share, summary, subject=app.label, evidence=rows)


def _looping(row: Instance, look: Look) -> bool:
    """Whether an instance is in a crash loop right now: seen in the look itself, or by how young and how often restarted it is."""
    if row.status in (ERRORED, STOPPING):
        return False
    during = (look.seen.restarted or {}).get(row.pm_id, 0)
    if during >= 2 or (during and row.restarts - during > 0 and row.restarted_by_itself):
        return True
    if (
        row.started is None
        or row.created is None
        or not row.restarted_by_itself
        or look.seen.moment - row.started > RECENT
    ):
        return False
    count, over = float(row.restarts), row.started - row.created
    if look.restarts.since_last_run:
        count, over = (
            min(count, look.restarts.counters.get(str(row.pm_id), 0)),
            min(over, look.restarts.seconds),
        )
    return count >= LOOP and over / count < RECENT


def _fine_words(look: Look, wanted: int) -> str:
    app, now = look.app, look.seen.moment
    if not app.online:
        return f"{app.name} rests until cron starts it again, its last run went well"
    ages = [now - row.started for row in app.online if row.started]
    age = f", running for {format_duration(max(0.0, min(ages)))}" if ages else ""
    resting = len(app.instances) - len(app.online)
    return f"{len(app.online)} of {wanted} instances of {app.name} online{age}" + (
        f", {resting} waiting for cron" if resting else ""
    )


def _loop_words(row: Instance, look: Look) -> str:
    during = (look.seen.restarted or {}).get(row.pm_id, 0)
    if during:
        times = "once" if during == 1 else f"{during} times"
        return f"id {row.pm_id} is in a crash loop, restarted {times} within {format_duration(look.seen.watched)}, {row.restarts} times in all{exit_words(row)}"
    age = format_duration(max(0.0, look.seen.moment - (row.started or 0)))
    return f"id {row.pm_id} is in a crash loop, restarted {age} ago and {row.restarts} times in all{exit_words(row)}"


def state_words(row: Instance) -> str:
    """What an instance is that is not online."""
    if row.status == ERRORED:
        return f"is errored, PM2 gave up restarting it{exit_words(row)}"
    if row.status == WAITING:
        return f"has exited and waits to be restarted, {row.restarts} times so far{exit_words(row)}"
    if row.status == LAUNCHING:
        return "is still starting"
    return f"is {row.status or 'in no state that PM2 names'}{exit_words(row) if row.status == STOPPED else ''}"


def exit_words(row: Instance) -> str:
    """PM2 says 0 for a crash in cluster mode, so only another code tells anything."""
    return f" (exit code {row.exit_code})" if row.exit_code else ""


def _rows(instances: Iterable[Instance], now: float) -> list[dict[str, object]]:
    return [
        {
            "id": row.pm_id,
            "process": row.pid or None,
            "status": row.status,
            "for": format_duration(max(0.0, now - row.started))
            if row.started and row.status == ONLINE
            else "",
            "restarts": row.restarts,
            "exit_code": row.exit_code,
        }
        for row in instances
    ]


def _words(items: Sequence[str], between: str = ", ") -> str:
    """A list that stays readable, however long it is."""
    return between.join(items[:5]) + (
        f"{between}and {len(items) - 5} more" if len(items) > 5 else ""
    )
