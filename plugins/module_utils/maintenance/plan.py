# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is done, in which order, and what must not begin now. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from ..core.units import format_duration
from .options import CERTIFICATES, DEPENDENCIES, LOGS, Finding, Options
from .record import DONE, LEFT_OUT, RUNNING, STOPPED, PartResult, Record, Run

#: The checks that a part is the cure for, by how their names begin: they do not stop it.
CURES = {
    CERTIFICATES: ("certificate.",),
    LOGS: ("host.disk_used", "host.inodes_used"),
    DEPENDENCIES: ("npm.",),
}
#: Checks that are critical for the same cause: HTTPS fails once a certificate has expired.
SYMPTOMS = {CERTIFICATES: ("web.endpoint",)}
#: Seconds after its limit for which a run whose process cannot be seen counts as alive.
GRACE = 900.0


def order_of(wanted: Sequence[str], record: Record, resumed: Run | None) -> tuple[str, ...]:
    """The parts that are to be done: first what was left out last time, or what was killed."""
    results = resumed.results if resumed else {}
    left = [part for part in wanted if _status(results, part) != DONE]
    killed = [part for part in left if _status(results, part) == RUNNING]
    waiting = [part for part in left if _status(results, part) == LEFT_OUT]
    waiting += [part for part in record.left_out if part in left and part not in waiting]
    first = [*killed, *(part for part in waiting if part not in killed)]
    return (*first, *(part for part in left if part not in first))


def still_left_out(record: Record, run: Run) -> tuple[str, ...]:
    """What a run that ends leaves to be the first of the next one.

    That is also what an earlier run had left out, unless this one has come to it.
    """
    left = [part for part, each in run.results.items() if each.status == LEFT_OUT]
    waiting = (part for part in record.left_out if _status(run.results, part) in ("", STOPPED))
    return tuple(dict.fromkeys([*waiting, *left]))


def _status(results: Mapping[str, PartResult], part: str) -> str:
    return results[part].status if part in results else ""


def is_alive(run: Run, now: float, options: Options) -> bool:
    """Whether a run that has not ended is still running, as far as can be known here.

    A run of the same controller is alive unless its process is known to be dead; any other one for
    as long as its lease lasts.
    """
    if run.ended is not None or run.id in (options.observed.dead, options.take_over):
        return False
    same = bool(run.controller.place) and run.controller.place == options.controller.place
    return same or now < run.alive + run.lease


def to_resume(run: Run | None, now: float, options: Options) -> Run | None:
    """What the next run goes on with of one that was killed; none if it begins anew.

    A part that only reported is not done if it is to change something now.
    """
    if run is None or run.ended is not None or now - run.began > options.resume_within * 3600:
        return None
    results = {
        part: each
        for part, each in run.results.items()
        if not each.read_only or part in options.read_only
    }
    return replace(run, results=results)


def duration_key(part: str, read_only: bool) -> str:
    """The name of its durations: a report says nothing about how long an update takes."""
    return f"{part} (report)" if read_only else part


def _durations(part: str, record: Record, options: Options) -> tuple[float, ...]:
    return record.durations.get(duration_key(part, part in options.read_only), ())


def expected(part: str, record: Record, options: Options) -> float:
    """Seconds that a part will probably take: as long as it did lately, else its limit."""
    return max(_durations(part, record, options) or (options.limits[part],))


def seconds_left(now: float, options: Options) -> float | None:
    """Seconds until the window ends, 0 outside of it; none without a window."""
    if not options.window:
        return None
    return max(hours.seconds_left(now) for hours in options.window)


def lease(part: str, options: Options) -> float:
    """For how many seconds a run counts as alive once it has begun a part, or is between two.

    Between two, any part may be done on another host.
    """
    return options.limits.get(part, max(options.limits.values())) + GRACE


def obstacle(part: str, now: float, record: Record, options: Options) -> PartResult | None:
    """Why a part must not begin now; none if it may."""
    findings = stopping(part, options)
    if findings:
        checks = tuple(dict.fromkeys(each.key for each in findings))
        also = [each for each in checks if each != findings[0].key]
        more = f"; also critical: {', '.join(also)}" if also else ""
        return PartResult(STOPPED, now, reason=f"{findings[0].text}{more}", checks=checks)
    if options.observed.declined:
        hosts = ", ".join(options.observed.declined)
        return PartResult(STOPPED, now, reason=f"the run could not begin on {hosts}")
    left = seconds_left(now, options)
    needed = expected(part, record, options)
    if left is None or needed <= left:
        return None
    return PartResult(LEFT_OUT, now, reason=_no_time(part, now, left, needed, record, options))


def stopping(part: str, options: Options) -> list[Finding]:
    """The critical checks that forbid a part."""
    if part in options.read_only:
        return []
    own = [each for each in options.observed.critical if each.host == options.observed.host]
    cured = CURES.get(part, ())
    if any(each.name.startswith(cured) for each in own):
        cured += SYMPTOMS.get(part, ())
    return [
        each
        for each in options.observed.critical
        if not {each.name, each.key} & options.despite
        and not (each in own and each.name.startswith(cured))
    ]


def budget(part: str, now: float, options: Options) -> int:
    """Whole seconds that a part may take."""
    left = seconds_left(now, options)
    limit = options.limits[part]
    return max(1, int(limit if left is None else min(limit, left)))


def _no_time(
    part: str, now: float, left: float, needed: float, record: Record, options: Options
) -> str:
    spans = ", ".join(hours.text for hours in options.window)
    clock = f"it is {datetime.fromtimestamp(now):%H:%M} on the host"
    if not left:
        return f"{clock}, outside of the window {spans}"
    why = "took up to" if _durations(part, record, options) else "may take"
    return (
        f"{clock}, and the window {spans} ends in {format_duration(left)}: "
        f"{part} {why} {format_duration(needed)}"
    )
