# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The verdicts on a host."""

from __future__ import annotations

from collections.abc import Iterator

from ..core.check import CRITICAL, UNKNOWN, WARNING, Check
from ..core.thresholds import Thresholds
from ..core.units import format_value, pluralize
from .cpu import assess_cpu
from .disks import assess_disks
from .memory import assess_memory, assess_oom_kills, assess_swap
from .options import Options
from .snapshot import Snapshot
from .systemd import FailedUnits
from .verdicts import could_not_be_read, pressure_row
from .writable import assess_writable

#: Failed units that the summary names.
_NAMED_UNITS = 5


def assess(snapshot: Snapshot, thresholds: Thresholds) -> Iterator[Check]:
    """All checks of the host."""
    yield assess_cpu(snapshot, thresholds)
    yield assess_memory(snapshot, thresholds)
    yield from assess_writable(snapshot.mounts, thresholds, in_container=snapshot.in_container)
    yield from assess_disks(snapshot.mounts, thresholds)
    yield _load(snapshot, thresholds)
    yield assess_swap(snapshot, thresholds)
    yield assess_oom_kills(snapshot, thresholds)
    if snapshot.units:
        yield _failed_units(snapshot.units, thresholds)
    yield _clock(snapshot, thresholds)


def no_answer(options: Options, thresholds: Thresholds) -> Check:
    """The check of a host on which the probe did not finish in time."""
    summary = (
        f"The host's own checks did not finish within {format_value(options.timeout, 'seconds')}: "
        "it is overloaded or hangs"
    )
    return thresholds.verdict("host.reachable", CRITICAL, summary)


def _load(snapshot: Snapshot, thresholds: Thresholds) -> Check:
    if snapshot.load is None or not snapshot.end:
        return could_not_be_read("host.load", snapshot, "load", thresholds)
    # In a container too, the load is that of the whole host machine, so all its processors count.
    processors = snapshot.end.cpu.all_processors
    return thresholds.evaluate(
        "host.load",
        round(snapshot.load / processors, 2),
        f"Load {snapshot.load:.2f} on {pluralize(processors, 'processor')}",
        window="5 min",
        evidence=pressure_row(snapshot, "io", "disk I/O"),
    )


def _failed_units(units: FailedUnits, thresholds: Thresholds) -> Check:
    if units.problem:
        return thresholds.verdict(
            "host.failed_units",
            UNKNOWN,
            f"systemd did not list its failed units: {units.problem}",
            remedy="Run 'systemctl list-units --failed' on the host and see why it fails.",
        )
    count = len(units.names)
    summary = "No unit has failed"
    if count:
        summary = f"{pluralize(count, 'unit')} failed: {', '.join(units.names[:_NAMED_UNITS])}"
    if count > _NAMED_UNITS:
        summary += f" and {count - _NAMED_UNITS} more"
    return thresholds.evaluate(
        "host.failed_units", count, summary, evidence=[{"unit": name} for name in units.names]
    )


def _clock(snapshot: Snapshot, thresholds: Thresholds) -> Check:
    clock = snapshot.clock
    if not clock and snapshot.in_container:
        return thresholds.not_judged(
            "host.clock",
            f"The container hides the state of the clock ({snapshot.missing.get('clock', '')})",
            "the host machine of this container sets it",
        )
    if not clock:
        return could_not_be_read("host.clock", snapshot, "clock", thresholds)
    if clock.synchronised:
        return thresholds.evaluate(
            "host.clock",
            clock.max_error,
            f"Synchronised, at most {format_value(clock.max_error, 'seconds')} off",
        )
    if snapshot.in_container:
        return thresholds.not_judged(
            "host.clock",
            "The kernel does not report the clock as synchronised",
            "the host machine of this container sets it",
        )
    return thresholds.verdict(
        "host.clock",
        WARNING,
        "Not synchronised: no time service is running, or it has not reached its servers",
    )
