# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Makes the checks of what was found and done. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from ..core.check import CRITICAL, OK, UNKNOWN, WARNING, Check
from ..core.thresholds import Thresholds
from ..core.units import format_duration, format_value, pluralize
from ..linux.open_files import OpenFile
from .archive import Archive
from .options import Options
from .plan import Plan
from .snapshot import Snapshot

CONFIGURATION, SCHEDULE, RELEASED = "logs.configuration", "logs.schedule", "logs.released"
ARCHIVE, SIZE, DELETED = "logs.archive", "logs.size", "logs.deleted_open"
PM2_LOGROTATE = "logs.pm2_logrotate"


def no_logs(thresholds: Thresholds) -> Check:
    """No log is named."""
    return thresholds.not_judged(
        CONFIGURATION, "No logs are named", "set paths to those to rotate", value=0
    )


def assess(snapshot: Snapshot, plan: Plan, options: Options, thresholds: Thresholds) -> list[Check]:
    """The checks of what can be seen without any change."""
    checks = [
        _configuration(snapshot, plan, options, thresholds),
        _deleted(snapshot, thresholds),
    ]
    if options.pm2_home:
        checks.append(_pm2_logrotate(snapshot, options, thresholds))
    if snapshot.program:
        checks.append(_schedule(snapshot, thresholds))
    return checks


def _configuration(
    snapshot: Snapshot, plan: Plan, options: Options, thresholds: Thresholds
) -> Check:
    rows = _not_rotated(snapshot, plan)
    count = len(plan.managed)
    if any(each.missing for each in plan.declined):
        return _missing(plan, options, thresholds, rows)
    if not snapshot.program:
        return thresholds.verdict(
            CONFIGURATION,
            WARNING,
            "Nothing rotates these logs: logrotate is not installed",
            value=0,
            remedy="Install the package logrotate ('apt-get install logrotate'), then run this "
            "again.",
        )
    if not snapshot.is_ours:
        return thresholds.verdict(
            CONFIGURATION,
            WARNING,
            f"{options.config_file} was not written by this collection, and is left as it is",
            value=0,
            remedy="Move that file away, or set config_file to another name.",
        )
    if not snapshot.is_read:
        return _unread(options, thresholds)
    if plan.declined and not any(each.unsafe for each in plan.shared):
        first = plan.declined[0]
        text = f"{first.pattern} is not rotated by {options.config_file}: {first.reason}"
        more = len(plan.declined) - 1
        text += f"; and {more} more" if more else ""
        return thresholds.verdict(CONFIGURATION, WARNING, text, value=count, evidence=rows)
    if plan.shared:
        return _shared(plan, options, thresholds, rows)
    text = f"{options.config_file} rotates {pluralize(count, 'log')} daily"
    if not count:
        text = f"{options.config_file} rotates what will be there: no log of these names exists yet"
    text += f"; {pluralize(len(snapshot.skipped), 'link')} left out" if snapshot.skipped else ""
    text += _reopened(snapshot, plan, options)
    return thresholds.verdict(CONFIGURATION, OK, text, value=count, evidence=rows)


def _reopened(snapshot: Snapshot, plan: Plan, options: Options) -> str:
    """Which logs PM2 opens again, as they cannot be shortened while they are open."""
    if not options.pm2_home or not snapshot.has_pm2:
        return ""
    mine = [log.path for log in plan.managed if log.path in snapshot.pm2_logs]
    found = [path for path in mine if not plan.cuts(path)]
    if not found:
        return ""
    text = f"; PM2 opens {len(found)} of them again, such as {found[0]}"
    return f"{text}, and drops what it has not yet written then"


def _not_rotated(snapshot: Snapshot, plan: Plan) -> list[dict[str, str]]:
    """The rows of the evidence."""
    rows = [{"logs": each.pattern, "not rotated because": each.reason} for each in plan.declined]
    rows += [{"logs": path, "not rotated because": "it is a link"} for path in snapshot.skipped]
    rows += [
        {"logs": log, "not rotated because": f"{who} rotates it"}
        for each in plan.shared
        for log, who in each.taken.items()
    ]
    rows += [
        {"logs": log, "not rotated because": "its name has a meaning for logrotate"}
        for each in plan.shared
        for log in each.unsafe
    ]
    return rows


def _missing(
    plan: Plan, options: Options, thresholds: Thresholds, rows: list[dict[str, str]]
) -> Check:
    """A folder that is not there: usually a path that is mistyped."""
    missing = [each for each in plan.declined if each.missing]
    folders = ", ".join(dict.fromkeys(each.missing for each in missing))
    text = f"{missing[0].pattern} is not rotated: {missing[0].reason}"
    text += f"; and {len(missing) - 1} more" if missing[1:] else ""
    if plan.keeps:
        text += f". {options.config_file} rotates other logs, and stays as it is: "
        text += "this run rotates nothing"
    return thresholds.verdict(
        CONFIGURATION,
        CRITICAL,
        text,
        value=len(plan.managed),
        evidence=rows,
        remedy=f"There is no folder {folders}: correct logs_paths (paths of the module), or "
        "create it; then run this again.",
    )


def _shared(
    plan: Plan, options: Options, thresholds: Thresholds, rows: list[dict[str, str]]
) -> Check:
    """Others rotate some logs of a pattern, and ours the rest."""
    first = plan.shared[0]
    logs = ", ".join(sorted(first.taken))
    text = (
        f"{first.who} rotates {logs}, so {options.config_file} names the other "
        f"{pluralize(len(first.names), 'log')} of {first.pattern} one by one: a log that comes "
        "later is not rotated before this is run again"
    )
    more = len(plan.shared) - 1
    text += f"; and {more} more such patterns" if more else ""
    lost = [log for each in plan.shared for log in each.unsafe]
    if not lost:
        return thresholds.verdict(
            CONFIGURATION, WARNING, text, value=len(plan.managed), evidence=rows
        )
    text = f"Nothing rotates {', '.join(lost)}, which ours cannot name. {text}"
    return thresholds.verdict(CONFIGURATION, CRITICAL, text, value=len(plan.managed), evidence=rows)


def _unread(options: Options, thresholds: Thresholds) -> Check:
    return thresholds.verdict(
        CONFIGURATION,
        WARNING,
        f"Nothing rotates these logs daily: logrotate, started with {options.main_config}, does "
        f"not read {options.config_file}",
        value=0,
        remedy=f"'logrotate --debug {options.main_config}' says why: it may not include that "
        "folder, or others than root may write to the file. Set main_config if the daily run is "
        "started with another one.",
    )


def _schedule(snapshot: Snapshot, thresholds: Thresholds) -> Check:
    if snapshot.last_run is None:
        return thresholds.not_judged(
            SCHEDULE, "logrotate has not run on this host", "it should run within a day"
        )
    seconds = max(0.0, snapshot.now - snapshot.last_run)
    text = f"logrotate last ran {format_duration(seconds)} ago"
    found = thresholds.evaluate(SCHEDULE, seconds, text)
    if found.status != OK or not snapshot.errors:
        return found
    return thresholds.verdict(
        SCHEDULE,
        WARNING,
        f"{text}, and fails each time: {snapshot.errors[0]}",
        value=seconds,
        evidence=[{"problem": each} for each in snapshot.errors],
        remedy="Correct the file that it names. Until then logrotate leaves out what is in it, and "
        "ends with an error every day.",
    )


def _pm2_logrotate(snapshot: Snapshot, options: Options, thresholds: Thresholds) -> Check:
    if not snapshot.has_pm2:
        text = f"There is no PM2 in {options.pm2_home}"
        return thresholds.not_judged(PM2_LOGROTATE, text, "set pm2_home if it is elsewhere")
    if not snapshot.pm2_logrotate:
        text = f"PM2 in {options.pm2_home} does not have pm2-logrotate"
        return thresholds.verdict(PM2_LOGROTATE, OK, text)
    text = (
        f"PM2 in {options.pm2_home} has pm2-logrotate, which loses what is written while it "
        "copies a log and empties it, and may remove logs of apps whose names contain each other"
    )
    return thresholds.verdict(PM2_LOGROTATE, WARNING, text)


def _deleted(snapshot: Snapshot, thresholds: Thresholds) -> Check:
    found = sorted(snapshot.deleted, key=lambda each: -each.used)
    total = sum(each.used for each in found)
    unseen = f"; of {pluralize(snapshot.unseen, 'process', 'processes')} the files cannot be seen"
    if not found:
        text = "No deleted file takes up space on the disks of the logs"
        text += unseen if snapshot.unseen else ""
        return thresholds.evaluate(DELETED, 0, text)
    text = (
        f"{pluralize(len(found), 'deleted file')} still take{'s' if len(found) == 1 else ''} up "
        f"{format_value(total, 'bytes')}, most of it {found[0].path} of {found[0].described}"
    )
    rows = [
        {
            "process": each.pid,
            "name": each.process,
            "user": each.user,
            "file": each.path,
            "size": format_value(each.used, "bytes"),
        }
        for each in found
    ]
    text += unseen if snapshot.unseen else ""
    return thresholds.evaluate(DELETED, total, text, evidence=rows)


def released(
    held: Sequence[str], writers: Sequence[OpenFile], unsure: bool, thresholds: Thresholds
) -> Check:
    """Whether anyone still writes to what is rotated."""
    if held:
        who = ", ".join(dict.fromkeys(each.described for each in writers))
        who = who or "a process that this user cannot see"
        verb = "write" if len({each.described for each in writers}) > 1 else "writes"
        text = f"{who} still {verb} to {pluralize(len(held), 'rotated log')}, such as {held[0]}"
        rows = [{"process": each.described, "file": each.path} for each in writers]
        return thresholds.verdict(RELEASED, CRITICAL, text, value=len(held), evidence=rows)
    if unsure:
        text = "Whether anyone writes to rotated logs is not known: the file system does not say"
        return thresholds.verdict(RELEASED, UNKNOWN, text, remedy="Run this as root.")
    return thresholds.verdict(RELEASED, OK, "No process writes to a rotated log", value=0)


def archived(
    archives: Sequence[Archive],
    waiting: int,
    problems: Sequence[str],
    options: Options,
    thresholds: Thresholds,
) -> Check:
    """The archive after the run; ``waiting`` logs are not due yet."""
    if not options.archive_dir:
        text = f"Rotated logs are removed after {options.keep} days"
        return thresholds.not_judged(ARCHIVE, text, "archive_dir is not set")
    size = sum(each.size for each in archives)
    if problems:
        text = f"Not everything could be archived: {problems[0]}"
        rows = [{"problem": each} for each in problems]
        return thresholds.verdict(ARCHIVE, CRITICAL, text, value=size, evidence=rows)
    text = (
        f"{pluralize(len(archives), 'archive')} in {options.archive_dir} with "
        f"{format_value(size, 'bytes')}"
    )
    if waiting:
        text += f"; {pluralize(waiting, 'rotated log')} not due before {options.keep} days"
    return thresholds.verdict(ARCHIVE, OK, text, value=size)


def sizes(before: Snapshot, after: Snapshot, thresholds: Thresholds) -> Check:
    """What the logs take up, before and after."""
    rows = [
        {"log": log.path, "size": format_value(log.size, "bytes")}
        for log in sorted(after.all_logs, key=lambda each: -each.size)
    ]
    text = f"{pluralize(len(after.all_logs), 'log')} and what is rotated beside them take up "
    text += format_value(after.size, "bytes")
    if before.size != after.size:
        text += f", {format_value(before.size, 'bytes')} before"
    return thresholds.evaluate(SIZE, after.size, text, evidence=rows)
