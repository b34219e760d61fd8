# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Check app.errors: how many messages of which kind are in an app's error logs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timezone
from typing import Any

from ..core.check import EVIDENCE_ROWS, OK, UNKNOWN, Check
from ..core.text import shorten
from ..core.thresholds import Thresholds
from ..core.units import format_duration, iso_duration, pluralize
from ..linux.zones import process_zone
from ..logs.scan import LogFile
from ..logs.summary import (
    DISABLED,
    FORBIDDEN,
    LOST,
    MISSING,
    MIXED,
    UNTIMED,
    LogProblem,
    LogSummary,
    MessageGroup,
)
from .instance import App
from .log_state import LogState


def log_files(
    app: App,
    replacements: Sequence[str] = (),
    daemon_pid: int = 0,
    states: Sequence[LogState] = (),
) -> tuple[list[LogFile], list[LogFile]]:
    """The error logs to read for an app, and its ordinary output if that is in other files.

    They are those that PM2 writes, unless others are given.
    """
    if replacements:
        zone = process_zone(app.online[0].pid) if app.online else None
        return [LogFile(path, own_zone=zone) for path in replacements], []
    opened_as = {state.path: state.opened_as for state in states}
    daemon_zone = process_zone(daemon_pid)
    errors, output = [], []
    for row in app.instances:
        own_zone = process_zone(row.pid) if row.alive else daemon_zone
        log = LogFile(
            "" if row.logs_disabled else row.error_log,
            row.log_date_format,
            row.error_log == row.out_log,
            each_line=not row.cluster,
            zone=own_zone if row.cluster else daemon_zone,
            own_zone=own_zone,
            opened_as=opened_as.get(row.error_log, ""),
        )
        errors.append(log)
        if row.out_log and not row.logs_disabled and not log.mixed:
            opened = opened_as.get(row.out_log, "")
            output.append(replace(log, path=row.out_log, output=True, opened_as=opened))
    return errors, output


def assess_errors(app: App, summary: LogSummary, now: float, thresholds: Thresholds) -> Check:
    """Judges what is certain.

    Messages that could not be read or dated make an ok unknown, and never a problem smaller.
    """
    seconds = now - summary.since
    start = datetime.fromtimestamp(summary.since, timezone.utc)
    details: dict[str, Any] = {
        "subject": app.label,
        "window": f"{start:%Y-%m-%dT%H:%MZ}/{iso_duration(seconds)}",
        "evidence": _evidence(summary),
    }
    caveats = _caveats(summary)
    text = _summary(summary, _last_hours(seconds), caveats)
    check = thresholds.evaluate("app.errors", summary.count, text, **details)
    if not caveats or check.status != OK:
        return check
    threshold = thresholds.of("app.errors", app.label)
    worst_case = threshold.status_of(summary.count + summary.possible + summary.unread)
    kinds = {problem.kind for problem in summary.problems}
    if summary.complete and worst_case == OK and kinds <= {UNTIMED}:
        return check if not kinds else _not_judged(app, text, summary, thresholds, details)
    return thresholds.verdict(
        "app.errors",
        UNKNOWN,
        text,
        remedy=_remedy(app, summary.problems),
        value=summary.count or None,
        **details,
    )


def _not_judged(
    app: App, text: str, summary: LogSummary, thresholds: Thresholds, details: dict[str, Any]
) -> Check:
    """The verdict on messages of unknown age, as their times are not switched on."""
    return thresholds.not_judged(
        "app.errors",
        text,
        "PM2 writes no times ('time: true' in the ecosystem file, or "
        f"'pm2 restart {app.name} --time')",
        value=summary.count,
        **details,
    )


def not_read_in_time(app: App, thresholds: Thresholds) -> Check:
    """The verdict if the time limit was reached while the logs were read."""
    return thresholds.verdict(
        "app.errors",
        UNKNOWN,
        "its error log could not be read in time",
        subject=app.label,
        remedy="Check whether the log's disk is slow, and rotate the log; if the log is just "
        "large, raise timeout.",
    )


def _last_hours(seconds: float) -> str:
    if seconds < 7200:
        return f"the last {format_duration(seconds)}"
    return f"the last {seconds / 3600:.0f} h"


def _summary(summary: LogSummary, period: str, caveats: Sequence[str]) -> str:
    where = f"in the app's logs in {period}"
    if summary.count:
        return "; ".join([_count_text(summary, where), *caveats])
    text = "; ".join(caveats) or f"no error messages {where}"
    if summary.informational:
        text += f", only {summary.informational:,} marked as information"
    if summary.warnings:
        text += f", {pluralize(summary.warnings, 'warning')} in the output not counted"
    return text


def _count_text(summary: LogSummary, where: str) -> str:
    """``1,200 error messages in …, of 2 kinds, most often (1,000 times): cannot read <n>``."""
    at_least = "" if summary.complete else "at least "
    text = f"{at_least}{pluralize(summary.count, 'error message')} {where}"
    top = summary.groups[0]
    if len(summary.groups) > 1:
        text += f", of {len(summary.groups)} kinds, most often ({top.count:,} times)"
    elif summary.count > 1:
        text += ", all of one kind"
    return f"{text}: {shorten(top.fingerprint, 80)}"


def _caveats(summary: LogSummary) -> list[str]:
    """Why the count may be too low, in words."""
    kinds: dict[str, list[LogProblem]] = {}
    for problem in summary.problems:
        kinds.setdefault(problem.kind, []).append(problem)
    found = [_describe_problems(problems) for problems in kinds.values()]
    if summary.possible:
        found.append(f"{summary.possible:,} more without a time may be as recent")
    if summary.output_since is not None:
        since = _iso(summary.output_since)
        found.append(f"of its output, which is large, only the part since {since} was read")
    if not summary.complete:
        text = "the log is too large to read completely, only its latest lines were read"
        if summary.oldest:
            text += f", back to {_iso(summary.oldest)}"
        found.append(text)
    return found


def _describe_problems(problems: Sequence[LogProblem]) -> str:
    """One sentence about all logs with the same problem."""
    kind, path = problems[0].kind, problems[0].path
    if len(problems) > 1:
        path += f" and {len(problems) - 1} more"
    if kind == UNTIMED:
        return _describe_untimed(problems, path)
    texts = {
        FORBIDDEN: f"this user lacks permission to read {path}",
        MISSING: f"there is no {path}",
        MIXED: f"ordinary output goes to {path} too, so errors cannot be separated",
        DISABLED: "PM2 writes no error log for it",
        LOST: f"messages that the app writes to {path} are lost",
    }
    return texts.get(kind, f"{path} could not be read: {problems[0].detail}")


def _describe_untimed(problems: Sequence[LogProblem], path: str) -> str:
    count = sum(problem.count for problem in problems)
    if not count:
        return f"no message with a time at the end of {path}"
    more_than = "more than " if any(problem.at_least for problem in problems) else ""
    return f"{more_than}{pluralize(count, 'message')} without a time, age unknown, in {path}"


def _remedy(app: App, problems: Sequence[LogProblem]) -> str:
    kinds = {problem.kind for problem in problems}
    cluster_with_times = any(row.log_date_format and row.cluster for row in app.instances)
    if UNTIMED in kinds and not cluster_with_times:
        return (
            "Have PM2 write times: 'time: true' in the ecosystem file, or "
            f"'pm2 restart {app.name} --time' and 'pm2 save'; or log JSON (pino, winston)."
        )
    for kind, remedy in _REMEDIES.items():
        if kind in kinds:
            return remedy
    if cluster_with_times:
        return (
            "PM2 writes no time before an uncaught exception in cluster mode: read the end of the "
            "log, or log such errors in the app itself."
        )
    return (
        "Rotate the log daily (playbooks/log_rotation.yml), and read the end of it by hand for now."
    )


#: The remedy for each kind of problem, in the order in which they are considered.
_REMEDIES = {
    LOST: "See app.logs of this app.",
    FORBIDDEN: "Run this module as the user who owns the logs: set app_user in the inventory, or "
    "become_user on the task.",
    MISSING: "If someone deleted it, PM2 still writes to the deleted file: 'pm2 reloadLogs' opens "
    "a new one.",
    MIXED: "Give errors a file of their own (error_file in the ecosystem file), or log JSON with a "
    "level.",
    DISABLED: "Have PM2 write an error log (error_file in the ecosystem file), or name the app's "
    "own log in app_error_logs.",
}


def _evidence(summary: LogSummary) -> list[dict[str, Any]]:
    """The dated messages first, then those without a time."""
    dated = [_dated_row(group) for group in summary.groups[:EVIDENCE_ROWS]]
    undated = sorted(summary.undated.items(), key=lambda item: -item[1])
    return dated + [
        {"message": text, "count": count, "first": None, "last": None}
        for text, count in undated[:EVIDENCE_ROWS]
    ]


def _dated_row(group: MessageGroup) -> dict[str, Any]:
    return {
        "message": group.fingerprint,
        "count": group.count,
        "first": _iso(group.first),
        "last": _iso(group.last),
    }


def _iso(moment: float) -> str:
    return f"{datetime.fromtimestamp(moment, timezone.utc):%Y-%m-%dT%H:%M:%SZ}"
