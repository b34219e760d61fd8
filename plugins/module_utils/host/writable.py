# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The verdict on file systems: would a write succeed now?"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime, timezone

from ..core.check import CRITICAL, OK, UNKNOWN, WARNING, Check
from ..core.thresholds import Thresholds
from ..core.units import format_value, pluralize
from .mounts import Mount

_NAME = "host.filesystem_writable"


def assess_writable(
    mounts: Iterable[Mount], thresholds: Thresholds, *, in_container: bool = False
) -> Iterator[Check]:
    """``host.filesystem_writable`` for each mount that could be asked, and each that is absent."""
    for mount in mounts:
        if mount.problem:
            if (mount.unusable or mount.hangs) and (mount.fs_type or mount.declared):
                yield _unusable(mount, thresholds)
        else:
            yield _judge(mount, thresholds, in_container=in_container)


def _unusable(mount: Mount, thresholds: Thresholds) -> Check:
    optional = mount.declared and mount.declared.optional and not mount.fs_type
    return thresholds.verdict(
        _NAME,
        WARNING if optional or mount.hangs else CRITICAL,
        mount.problem,
        subject=mount.point,
        remedy=mount.remedy,
    )


def _judge(mount: Mount, thresholds: Thresholds, *, in_container: bool) -> Check:
    if mount.stopped:
        return _stopped(mount, f"the kernel stopped it ({mount.stopped})", thresholds)
    if mount.turned and not _by_nature(mount, in_container=in_container):
        return _stopped(mount, "the kernel made it read-only", thresholds)
    if mount.read_only:
        return _read_only(mount, thresholds)
    if not mount.free or (mount.inodes and not mount.inodes_free):
        return _full(mount, thresholds)
    if mount.canary.problem:
        return thresholds.verdict(
            _NAME,
            CRITICAL if mount.canary.failed else UNKNOWN,
            mount.canary.problem,
            subject=mount.point,
            remedy=mount.canary.remedy,
        )
    if mount.errors:
        return _damaged(mount, thresholds)
    summary = "Mounted read-write, and the kernel reports no error"
    if mount.canary.seconds is not None:
        spent = format_value(mount.canary.seconds, "seconds")
        summary = f"A file was written, flushed to disk and deleted in {spent}"
    return thresholds.verdict(_NAME, OK, summary, subject=mount.point)


def _by_nature(mount: Mount, *, in_container: bool) -> bool:
    """Whether the disk can only be read: write-protected, or the host machine's immutable root."""
    if mount.declared and not mount.declared.read_only:
        return False
    return mount.device_read_only or (in_container and not mount.whole and mount.errors == 0)


def _stopped(mount: Mount, what: str, thresholds: Thresholds) -> Check:
    source = mount.source
    repair = f"unmount it, repair it ('fsck -f {source}') and mount it again"
    if mount.fs_type == "xfs":
        repair = f"unmount it, mount it again, and if that fails, 'xfs_repair {source}'"
    elif mount.fs_type == "btrfs":
        repair = f"unmount it, check it ('btrfs check --readonly {source}') and mount it again"
    if mount.point == "/":
        repair = "save what you need elsewhere, then restart the host, which checks and repairs it"
    return thresholds.verdict(
        _NAME,
        CRITICAL,
        f"Every write fails: {what} after an error, although it is mounted read-write"
        f"{_recorded(mount)}",
        subject=mount.point,
        remedy=f"'dmesg | grep -i {mount.fs_type}' shows the error; check the disk itself "
        f"('smartctl -a', the provider's console). Then stop the programs that use it, {repair}. "
        "Remounting without the repair risks the data.",
        evidence=_row(mount),
    )


def _read_only(mount: Mount, thresholds: Thresholds) -> Check:
    declared = mount.declared
    if declared and not declared.read_only:
        return thresholds.verdict(
            _NAME,
            CRITICAL,
            f"Every write fails: mounted read-only, but {declared.where} says read-write"
            f"{_recorded(mount)}",
            subject=mount.point,
            remedy="'dmesg' and 'journalctl -b' show whether an error or a failed check at boot "
            f"made it so: then repair it first. Else 'mount -o remount,rw {mount.point}'. If it "
            f"is meant to be read-only, put ro into {declared.where}.",
            evidence=_row(mount),
        )
    if declared:
        return thresholds.verdict(
            _NAME, OK, f"Mounted read-only, as {declared.where} says", subject=mount.point
        )
    return thresholds.not_judged(
        _NAME,
        "Mounted read-only",
        "nothing says that it should be writable",
        subject=mount.point,
    )


def _full(mount: Mount, thresholds: Thresholds) -> Check:
    what, remedy = "no inode is left", "Delete files that are not needed: very many small ones."
    if not mount.free:
        what = "no space is left for programs that do not run as root"
        remedy = (
            f"Free space: 'du -xh --max-depth=2 {mount.point} | sort -h' shows what fills it. "
            "Programs that stopped may need a restart afterwards."
        )
    return thresholds.verdict(
        _NAME,
        CRITICAL,
        f"Writes fail: {what}",
        subject=mount.point,
        remedy=remedy,
        evidence=_row(mount),
    )


def _damaged(mount: Mount, thresholds: Thresholds) -> Check:
    return thresholds.verdict(
        _NAME,
        WARNING,
        f"Writes succeed, but files may be damaged{_recorded(mount)}",
        subject=mount.point,
        remedy=f"Check the disk itself ('smartctl -a'), make a backup, then unmount the file "
        f"system and run 'fsck -f {mount.source}', which repairs it and forgets the errors.",
        evidence=_row(mount),
    )


def _recorded(mount: Mount) -> str:
    if not mount.errors:
        return ""
    text = f"; {pluralize(mount.errors, 'error')} recorded since the last repair"
    if mount.last_error:
        text += f", the last at {datetime.fromtimestamp(mount.last_error, timezone.utc):%F %H:%MZ}"
    return text


def _row(mount: Mount) -> list[dict[str, str]]:
    return [{"device": mount.source, "type": mount.fs_type}]
