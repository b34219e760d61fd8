# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The verdict on an app's error logs: how many messages of what kind, and what cannot be told."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timezone
from typing import Any

from ..core.check import EVIDENCE_ROWS, OK, UNKNOWN, Check
from ..core.text import shorten
from ..core.thresholds import Thresholds
from ..core.units import format_duration, iso_duration
from ..logs.scan import (
    DISABLED,
    FORBIDDEN,
    MISSING,
    SHARED,
    UNTIMED,
    Problem,
    Report,
    Source,
)
from .client import App


def sources(app: App, instead: Sequence[str] = ()) -> list[Source]:
    """The logs to read for an app: those that PM2 writes, or the given ones."""
    if instead:
        return [Source(path) for path in instead]
    return [
        Source(
            "" if row.logs_disabled else row.error_log,
            row.log_date_format,
            row.error_log == row.out_log,
        )
        for row in app.instances
    ]


def assess(app: App, report: Report, now: float, thresholds: Thresholds) -> Check:
    """Judge what is certain. What could not be read or dated makes an ok unknown, and never a problem smaller."""
    hours = (
        format_duration(now - report.since)
        if now - report.since < 7200
        else f"{(now - report.since) / 3600:.0f} h"
    )
    more: dict[str, Any] = {
        "subject": app.label,
        "window": f"{datetime.fromtimestamp(report.since, timezone.utc):%Y-%m-%dT%H:%MZ}/{iso_duration(now - report.since)}",
        "evidence": _rows(report),
    }
    doubts = _doubts(report)
    check = thresholds.evaluate("app.errors", report.count, _summary(report, hours, doubts), **more)
    if not doubts or check.status != OK:
        return check
    if (
        not report.problems
        and report.complete
        and thresholds.of("app.errors", app.label).status_of(report.count + report.possible) == OK
    ):
        return check
    return thresholds.verdict(
        "app.errors",
        UNKNOWN,
        check.summary,
        remedy=_remedy(app, report.problems),
        value=report.count or None,
        **more,
    )


def late(app: App, thresholds: Thresholds) -> Check:
    """The verdict where the logs could not be read in time."""
    return thresholds.verdict(
        "app.errors",
        UNKNOWN,
        "its error log could not be read in time",
        subject=app.label,
        remedy="Look whether the disk of the log is slow, and rotate the log; a longer timeout helps where it is only large.",
    )


def _summary(report: Report, hours: str, doubts: Sequence[str]) -> str:
    count, kinds = report.count, len(report.shapes)
    where = f"in the error log in the last {hours}"
    if count:
        top = report.shapes[0]
        least = "" if report.complete else "at least "
        text = f"{least}{count:,} message{'' if count == 1 else 's'} {where}"
        if kinds > 1:
            text += f", of {kinds} kinds; most often, {top.count:,} times"
        elif count > 1:
            text += ", all alike"
        text += f": {shorten(top.text, 80)}"
    else:
        text = "; ".join(doubts) if doubts else f"no message {where}"
        doubts = ()
    if report.quiet and not count:
        text += f", only {report.quiet:,} that call themselves information"
    return "; ".join([text, *doubts])


def _doubts(report: Report) -> list[str]:
    """What keeps the count from being the whole truth, in words."""
    kinds: dict[str, list[Problem]] = {}
    for problem in report.problems:
        kinds.setdefault(problem.kind, []).append(problem)
    found = [_problem_words(problems) for problems in kinds.values()]
    if report.possible:
        found.append(f"{report.possible:,} more without a time of their own may be as recent")
    if not report.complete:
        reach = f", which go back to {_iso(report.oldest)}" if report.oldest else ""
        found.append(f"the log is too large to be read whole, only its latest lines were{reach}")
    return found


def _problem_words(problems: Sequence[Problem]) -> str:
    """Several logs with the same trouble are told in one breath."""
    kind, others = problems[0].kind, len(problems) - 1
    path = problems[0].path + (f" and {others} more" if others else "")
    if kind == UNTIMED:
        count = sum(problem.count for problem in problems)
        least = "more than " if any(problem.more for problem in problems) else ""
        if not count:
            return f"no message with a time at the end of {path}"
        return f"{least}{count:,} message{'' if count == 1 else 's'} without a time, how recent is not known, in {path}"
    return {
        FORBIDDEN: f"this user may not read {path}",
        MISSING: f"there is no {path}",
        SHARED: f"ordinary output goes into {path} too, so errors cannot be told from it",
        DISABLED: "PM2 writes no error log for it",
    }.get(kind, f"{path} could not be read: {problems[0].detail}")


def _remedy(app: App, problems: Sequence[Problem]) -> str:
    kinds = {problem.kind for problem in problems}
    stamped = any(row.log_date_format and row.cluster for row in app.instances)
    if UNTIMED in kinds and not stamped:
        return f"Let PM2 write times: 'time: true' in the ecosystem file, or 'pm2 restart {app.name} --time' and 'pm2 save'; or log JSON (pino, winston)."
    if FORBIDDEN in kinds:
        return "Run this module as the user who owns the logs: set app_user in the inventory, or become_user on the task."
    if MISSING in kinds:
        return "If somebody deleted it, PM2 still writes to the deleted file: 'pm2 reloadLogs' opens a new one."
    if SHARED in kinds:
        return "Give errors a file of their own (error_file in the ecosystem file), or log JSON with a level."
    if DISABLED in kinds:
        return "Let PM2 write an error log (error_file in the ecosystem file), or name the app's own log in app_error_logs."
    if stamped:
        return "PM2 writes no time before an uncaught exception in cluster mode: read the end of the log, or log such errors in the app itself."
    return "Rotate the log daily (pm2-logrotate, logrotate), and read its end by hand for now."


def _rows(report: Report) -> list[dict[str, Any]]:
    """What is certain first; then what carries no time."""
    dated = [
        {
            "message": kind.text,
            "count": kind.count,
            "first": _iso(kind.first),
            "last": _iso(kind.last),
        }
        for kind in report.shapes
    ]
    undated = sorted(report.undated.items(), key=lambda item: -item[1])
    return [
        *dated[:EVIDENCE_ROWS],
        *(
            {"message": text, "count": count, "first": None, "last": None}
            for text, count in undated[:EVIDENCE_ROWS]
        ),
    ]


def _iso(moment: float) -> str:
    return f"{datetime.fromtimestamp(moment, timezone.utc):%Y-%m-%dT%H:%M:%SZ}"
