# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Checks app.cpu and app.event_loop: who uses the processor, and whether the app still turns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ...core.check import CRITICAL, UNKNOWN, Check
from ...core.thresholds import Thresholds
from ...core.units import format_value
from .snapshot import AS_OWNER, Snapshot, Trend

#: Percent of the window from which the main thread has no time for anything else.
BUSY = 85
#: Percent of a processor from which an instance is under load.
LOADED = 50
#: Percent of a processor from which V8's helper threads have more to do than to compile.
HELPERS = 40
#: Seconds of a window below which a long computation is not told apart from an endless one.
ENOUGH = 5.0


def is_blocked(trend: Trend) -> bool:
    """Whether an instance computed for the whole window, and its event loop never turned.

    A loop that turns reads: requests, answers of the database, wake-ups of other threads. A busy
    app that serves reads all the time, however busy it is.
    """
    if trend.seconds < ENOUGH or trend.main_busy < BUSY or trend.has_reported:
        return False
    return trend.reads == 0


def is_quiet(trend: Trend) -> bool:
    """Whether nothing shows that the event loop turned: the app is idle, or stuck in a call."""
    return trend.seconds >= ENOUGH and trend.reads == 0 and not trend.has_reported


def assess_cpu(snapshot: Snapshot, thresholds: Thresholds) -> Check:
    """The busiest instance, with what speaks for a cause."""
    label, trends = snapshot.app.label, snapshot.trends
    busiest = max(trends, key=lambda trend: trend.cpu)
    summary = f"id {busiest.instance.pm_id} uses {busiest.cpu:.0f} % of a processor"
    waits = busiest.main_busy - busiest.main_cpu
    if waits >= LOADED / 2:
        summary += f", and waits for one for {waits:.0f} % of the time: the host is overloaded"
    threshold = thresholds.of("app.cpu", label)
    cause, remedy = "", ""
    if threshold.warning is not None and (busiest.cpu > threshold.warning or is_blocked(busiest)):
        cause, remedy = _cause(busiest, trends)
        summary += f"; {cause}"
    return thresholds.evaluate(
        "app.cpu",
        round(busiest.cpu, 1),
        summary,
        subject=label,
        remedy=remedy,
        window=_window(snapshot),
        evidence=[_row(trend) for trend in trends],
    )


def _cause(busiest: Trend, trends: Sequence[Trend]) -> tuple[str, str]:
    """What speaks for a cause, and the remedy that follows from it."""
    pm_id = busiest.instance.pm_id
    if is_blocked(busiest):
        text = "a busy loop: its main thread computed without a pause and read nothing"
        return text, _PROFILE
    if busiest.helpers_cpu >= HELPERS and busiest.helpers_cpu >= busiest.main_cpu / 2:
        return (
            f"{busiest.helpers_cpu:.0f} % in other threads than the main one (garbage collection, "
            f"compression, cryptography), most in {busiest.busiest_thread()}",
            "Take a CPU profile (-e app_profile_cpu=true): it shows the share of garbage "
            "collection. If that is high, find what fills the heap.",
        )
    if busiest.system_share >= 50:
        return (
            f"{busiest.system_share:.0f} % of that in the kernel, in system calls",
            f"Find the system calls with 'strace -cfp {busiest.last.pid}' for a few seconds.",
        )
    loaded = [trend for trend in trends if trend.cpu >= LOADED]
    if len(trends) > 1 and len(loaded) == len(trends):
        return (
            f"all {len(trends)} instances are busy and serve requests: load",
            "Find the slow endpoints in the access log (playbooks/daily_checklist.yml), optimize "
            "or cache them, or scale up.",
        )
    if len(trends) > 1:
        text = f"only {len(loaded)} of {len(trends)} instances busy, and it still serves requests"
        return text, f"Find what only id {pm_id} does: {_PROFILE[0].lower()}{_PROFILE[1:]}"
    return "it still serves requests", _PROFILE


_PROFILE = (
    "Take a CPU profile before the restart (-e app_profile_cpu=true), which names the function."
)


def assess_event_loop(snapshot: Snapshot, thresholds: Thresholds) -> Check:
    """Instances that do not turn at all, else the delay that the app reports."""
    label, trends = snapshot.app.label, snapshot.trends
    blocked = [trend for trend in trends if is_blocked(trend)]
    more: dict[str, Any] = {
        "subject": label,
        "window": _window(snapshot),
        "evidence": [_loop_row(trend) for trend in trends],
    }
    if blocked:
        ids = ", ".join(f"id {trend.instance.pm_id}" for trend in blocked)
        summary = (
            f"{ids} ({len(blocked)} of {len(trends)} instances) answered nothing for "
            f"{snapshot.seconds:.0f} s: the main thread computes all the time and reads nothing"
        )
        return thresholds.verdict("app.event_loop", CRITICAL, summary, remedy=_PROFILE, **more)
    silent = [trend for trend in trends if trend.main_busy >= BUSY and trend.reads is None]
    if silent and not all(trend.has_reported for trend in silent):
        return thresholds.verdict(
            "app.event_loop",
            UNKNOWN,
            "the main thread is busy all the time, but this user lacks permission to see whether "
            "it still reads",
            remedy=AS_OWNER,
            **more,
        )
    quiet = [trend for trend in trends if is_quiet(trend)]
    if quiet:
        return _unproven(snapshot, quiet, thresholds, more)
    return _delay(trends, thresholds, more)


def _unproven(
    snapshot: Snapshot, quiet: Sequence[Trend], thresholds: Thresholds, more: Mapping[str, Any]
) -> Check:
    pid = quiet[0].last.pid
    return thresholds.verdict(
        "app.event_loop",
        UNKNOWN,
        f"id {quiet[0].instance.pm_id} ({len(quiet)} of {len(snapshot.trends)} instances) read "
        f"nothing and reported nothing to PM2 for {snapshot.seconds:.0f} s: it has nothing to do, "
        "or is stuck outside JavaScript",
        remedy="Send it a request. If it does not answer, it waits in a system call or a native "
        f"add-on: 'cat /proc/{pid}/wchan' and 'strace -p {pid}' name it.",
        **more,
    )


def _delay(trends: Sequence[Trend], thresholds: Thresholds, more: Mapping[str, Any]) -> Check:
    """The delay that the app reports."""
    delays = {trend.instance.pm_id: trend.after.figures.get("delay") for trend in trends}
    known = {pm_id: delay for pm_id, delay in delays.items() if delay is not None}
    if not known:
        return thresholds.not_judged(
            "app.event_loop",
            "the event loop turns",
            "the app reports no delay to PM2 (it does so unless pmx is switched off)",
            **more,
        )
    slowest = max(known, key=lambda pm_id: known[pm_id])
    summary = f"95 % of the delays are below {format_value(known[slowest], 'seconds')}"
    if len(trends) > 1:
        summary += f" in id {slowest}, the slowest of {len(trends)} instances"
    return thresholds.evaluate("app.event_loop", round(known[slowest], 4), summary, **more)


def _row(trend: Trend) -> dict[str, object]:
    return {
        "id": trend.instance.pm_id,
        "process": trend.last.pid,
        "cpu_percent": round(trend.cpu, 1),
        "of_it_in_kernel": f"{trend.system_share:.0f} %",
        "busiest_thread": trend.busiest_thread(),
        "threads": len(trend.last.threads),
    }


def _loop_row(trend: Trend) -> dict[str, object]:
    figures = trend.after.figures
    return {
        "id": trend.instance.pm_id,
        "turns": "no" if is_blocked(trend) else "unknown" if is_quiet(trend) else "yes",
        "main_thread_busy": f"{trend.main_busy:.0f} %",
        "main_thread_cpu": f"{trend.main_cpu:.0f} %",
        "reads": trend.reads,
        "delay": format_value(figures.get("delay"), "seconds"),
        "active_handles": figures.get("handles"),
        "active_requests": figures.get("requests"),
        "reported_in_window": trend.has_reported,
    }


def _window(snapshot: Snapshot) -> str:
    return f"{snapshot.seconds:.0f} s"
