# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Verdicts on disks: space and inodes of each mount."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from ..core.check import CRITICAL, UNKNOWN, Check
from ..core.thresholds import Thresholds
from ..core.units import format_value
from .mounts import Mount


def assess_disks(mounts: Iterable[Mount], thresholds: Thresholds) -> Iterator[Check]:
    """``host.disk_used`` and, if inodes can run out, ``host.inodes_used`` for each mount."""
    for mount in mounts:
        if mount.problem:
            yield thresholds.verdict(
                "host.disk_used",
                CRITICAL if mount.unusable else UNKNOWN,
                mount.problem,
                subject=mount.point,
                remedy=mount.remedy,
            )
            continue
        yield _space(mount, thresholds)
        if mount.inodes:
            yield _inodes(mount, thresholds)


def _space(mount: Mount, thresholds: Thresholds) -> Check:
    percent = round(100 * mount.used / mount.size, 1)
    used, free, size = (
        format_value(number, "bytes") for number in (mount.used, mount.free, mount.size)
    )
    summary = f"{format_value(percent, 'percent')} used, {free} of {size} free"
    if mount.read_only:
        summary += ", mounted read-only"
    row = {"device": mount.source, "type": mount.fs_type, "used": used, "free": free}
    return thresholds.evaluate(
        "host.disk_used", percent, summary, subject=mount.point, evidence=[row]
    )


def _inodes(mount: Mount, thresholds: Thresholds) -> Check:
    percent = round(100 * (mount.inodes - mount.inodes_free) / mount.inodes, 1)
    summary = (
        f"{format_value(percent, 'percent')} used, "
        f"{mount.inodes_free:,} of {mount.inodes:,} inodes free"
    )
    return thresholds.evaluate("host.inodes_used", percent, summary, subject=mount.point)
