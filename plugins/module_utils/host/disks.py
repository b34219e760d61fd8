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

#: Bytes of an inode of XFS, the same that ZFS assumes.
_SMALLEST_INODE = 512


def assess_disks(mounts: Iterable[Mount], thresholds: Thresholds) -> Iterator[Check]:
    """``host.disk_used`` and, if inodes can run out, ``host.inodes_used`` for each mount."""
    for mount in mounts:
        if mount.problem:
            if mount.fs_type or not mount.declared:  # else host.filesystem_writable says so
                yield thresholds.verdict(
                    "host.disk_used",
                    CRITICAL if mount.unusable else UNKNOWN,
                    mount.problem,
                    subject=mount.point,
                    remedy=mount.remedy,
                )
            continue
        yield _space(mount, thresholds)
        if mount.inodes and not _inodes_follow_space(mount):
            yield _inodes(mount, thresholds)


def _space(mount: Mount, thresholds: Thresholds) -> Check:
    percent = round(100 * mount.used / mount.size, 1)
    used, free, size = (
        format_value(number, "bytes") for number in (mount.used, mount.free, mount.size)
    )
    summary = f"{format_value(percent, 'percent')} used, {free} of {size} free"
    row = {"device": mount.source, "type": mount.fs_type, "used": used, "free": free}
    if mount.read_only or mount.stopped:
        return thresholds.not_judged(
            "host.disk_used",
            summary,
            "it is read-only, so it cannot fill up",
            subject=mount.point,
            value=percent,
            evidence=[row],
        )
    return thresholds.evaluate(
        "host.disk_used",
        percent,
        summary,
        subject=mount.point,
        evidence=[row],
        remedy=_remedy(mount),
    )


def _remedy(mount: Mount) -> str:
    """What frees space there; empty for the remedy of the check."""
    if mount.fs_type == "tmpfs":
        return (
            f"It is in memory: delete what is not needed ('du -xh {mount.point} | sort -h'), or "
            f"enlarge it: 'mount -o remount,size=SIZE {mount.point}'."
        )
    if mount.point == "/boot":
        return "Remove old kernels: 'apt autoremove --purge'."
    return ""


def _inodes_follow_space(mount: Mount) -> bool:
    """Whether free inodes are only another word for free space.

    These file systems create inodes in free space, and call as many free as fit there.
    """
    dynamic = mount.fs_type in ("bcachefs", "xfs", "zfs")
    return mount.read_only or (dynamic and mount.inodes_free * _SMALLEST_INODE >= 0.9 * mount.free)


def _inodes(mount: Mount, thresholds: Thresholds) -> Check:
    percent = round(100 * (mount.inodes - mount.inodes_free) / mount.inodes, 1)
    summary = (
        f"{format_value(percent, 'percent')} used, "
        f"{mount.inodes_free:,} of {mount.inodes:,} inodes free"
    )
    return thresholds.evaluate("host.inodes_used", percent, summary, subject=mount.point)
