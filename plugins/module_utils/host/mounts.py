# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which mounts hold data that can fill up, and how full they are, without ever hanging on one that is dead."""

from __future__ import annotations

import errno
import os
import re
import subprocess
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from typing import Callable

from ..core.check import CRITICAL, UNKNOWN, Check
from ..core.text import redact
from ..core.thresholds import Thresholds
from ..core.units import format_value

#: Mounts that are a program's private affair, unless the operator says otherwise.
IGNORED = [
    "/run/credentials/*",
    "/run/user/*",
    "/snap/*",
    "/var/lib/containers/*",
    "/var/lib/docker/*",
    "/var/lib/kubelet/*",
]

#: File systems of the kernel's own making; nothing is stored there.
_PSEUDO = re.compile(
    "autofs|binder|binfmt_misc|bpf|cgroup2?|configfs|debugfs|devfs|devpts|devtmpfs|efivarfs|fuse[.]gvfsd-fuse|fuse[.]lxcfs|fuse[.]portal|fusectl"
    "|hugetlbfs|mqueue|nfsd|nsfs|proc|pstore|ramfs|rpc_pipefs|securityfs|selinuxfs|smackfs|sysfs|tracefs"
)
#: Images, full from the day they were made.
_IMAGE = re.compile("cramfs|erofs|fuse[.]snapfuse|fuse[.]squashfuse|iso9660|romfs|squashfs|udf")
#: File systems whose figures come from memory. Any other may wait for a server or a daemon, so a child asks for it.
_LOCAL = re.compile(
    "bcachefs|btrfs|exfat|ext[234]|f2fs|jfs|msdos|ntfs3|overlay|reiserfs|tmpfs|vfat|xfs"
)

#: Seconds that a mount which may be dead gets for its answer.
PATIENCE = 2.0


@dataclass(frozen=True)
class Mount:
    """A mount, and how full it is."""

    point: str
    kind: str
    """File system type."""
    source: str
    device: str = ""
    """Major and minor number: the same for all mounts of one file system."""
    read_only: bool = False
    size: int = 0
    """Bytes that unprivileged programs can fill, and what is used."""
    used: int = 0
    free: int = 0
    inodes: int = 0
    """None where the file system makes them as needed."""
    inodes_free: int = 0
    trouble: str = ""
    """Why there are no figures, and what to do about it."""
    remedy: str = ""
    broken: bool = False
    """Programs fare no better than this probe did."""


def real_mounts(
    mountinfo: str,
    ignore: Iterable[str],
    only: Sequence[str],
    is_file: Callable[[str], bool] = os.path.isfile,
) -> list[Mount]:
    """The mounts worth a look, from the text of ``/proc/self/mountinfo``: each file system once, by its shortest mount point."""
    visible: dict[str, tuple[Mount, bool]] = {}
    for line in (
        mountinfo.rstrip("\n").split("\n") if mountinfo else []
    ):  # the kernel escapes no other line separator in a name
        mount, whole = _parse(line)
        visible[mount.point] = mount, whole  # a later mount hides an earlier one at the same place
    if only:
        return [_listed(point.rstrip("/") or "/", visible) for point in only]
    candidates = [
        (mount, whole)
        for mount, whole in visible.values()
        if _holds_data(mount) and not any(fnmatchcase(mount.point, p) for p in ignore)
    ]
    distant = [mount.point for mount, _whole in candidates if not _LOCAL.fullmatch(mount.kind)]
    best: dict[str, tuple[bool, int, Mount]] = {}
    for mount, whole in candidates:
        if (
            not whole
            and _LOCAL.fullmatch(mount.kind)
            and not _below(mount.point, distant)
            and is_file(mount.point)
        ):
            continue  # container engines mount single files, such as /etc/hosts
        # Each subvolume of btrfs has a device number of its own.
        key = mount.source if mount.kind == "btrfs" else mount.device
        rank = (not whole, len(mount.point), mount)
        if key not in best or rank[:2] < best[key][:2]:
            best[key] = rank
    return sorted(
        (mount for _whole, _length, mount in best.values()), key=lambda mount: mount.point
    )


def measure(mounts: Sequence[Mount], patience: float = PATIENCE) -> list[Mount]:
    """The mounts with their figures; one that vanished meanwhile is left out.

    A dead network mount or a frozen FUSE daemon stops whoever asks in a sleep that not even SIGKILL ends. A process with
    such a thread cannot end either, so a child asks, and is left behind.
    """
    distant = [
        mount.point for mount in mounts if not _LOCAL.fullmatch(mount.kind) and not mount.trouble
    ]
    children = {
        mount.point: _ask(mount.point)
        for mount in mounts
        if not mount.trouble and (mount.point in distant or _below(mount.point, distant))
    }
    end = time.monotonic() + patience
    measured = []
    for mount in mounts:
        if mount.trouble:
            measured.append(mount)
        elif mount.point in children:
            measured.append(_answer(mount, children[mount.point], end))
        else:
            measured.append(_direct(mount))
    return [mount for mount in measured if mount.trouble or mount.size]


def assess_mounts(mounts: Iterable[Mount], thresholds: Thresholds) -> list[Check]:
    """``host.disk_used`` and, where inodes can run out, ``host.inodes_used`` for each mount."""
    checks = []
    for mount in mounts:
        if mount.trouble:
            status = CRITICAL if mount.broken else UNKNOWN
            checks.append(
                thresholds.verdict(
                    "host.disk_used",
                    status,
                    mount.trouble,
                    subject=mount.point,
                    remedy=mount.remedy,
                )
            )
            continue
        percent = round(100 * mount.used / mount.size, 1)
        summary = f"{format_value(percent, 'percent')} used, {format_value(mount.free, 'bytes')} of {format_value(mount.size, 'bytes')} free"
        summary += ", mounted read-only" if mount.read_only else ""
        row = {
            "device": mount.source,
            "type": mount.kind,
            "used": format_value(mount.used, "bytes"),
            "free": format_value(mount.free, "bytes"),
        }
        checks.append(
            thresholds.evaluate(
                "host.disk_used", percent, summary, subject=mount.point, evidence=[row]
            )
        )
        if mount.inodes:
            taken = mount.inodes - mount.inodes_free
            percent = round(100 * taken / mount.inodes, 1)
            summary = f"{format_value(percent, 'percent')} used, {mount.inodes_free:,} of {mount.inodes:,} inodes free"
            checks.append(
                thresholds.evaluate("host.inodes_used", percent, summary, subject=mount.point)
            )
    return checks


def _parse(line: str) -> tuple[Mount, bool]:
    """A line of mountinfo, and whether it shows the whole file system and not a folder of it."""
    before, _dash, after = line.rpartition(" - ")
    _id, _parent, device, top, point = before.split(" ")[:5]
    kind, source, options = [*after.split(" "), "", ""][:3]
    return Mount(
        _unescape(point), kind, redact(_unescape(source)), device, "ro" in options.split(",")
    ), top == "/"


def _listed(point: str, visible: Mapping[str, tuple[Mount, bool]]) -> Mount:
    """A mount that the operator named: it has to be there."""
    if point not in visible:
        remedy = f"Mount it: 'mount {point}'; 'journalctl -b' tells why it is missing. Or correct the list of mounts."
        return Mount(point, "", "", trouble="Not mounted", remedy=remedy, broken=True)
    mount = visible[point][0]
    if _PSEUDO.fullmatch(mount.kind):
        return replace(
            mount,
            trouble=f"Nothing is stored in a file system of type {mount.kind}",
            remedy="Take it off the list of mounts.",
        )
    return mount


def _unescape(text: str) -> str:
    return re.sub(r"\\([0-7]{3})", lambda found: chr(int(found[1], 8)), text)


def _holds_data(mount: Mount) -> bool:
    if _PSEUDO.fullmatch(mount.kind) or _IMAGE.fullmatch(mount.kind):
        return False
    if mount.kind == "overlay":
        return mount.point == "/"  # any other repeats the file system that its layers lie on
    if mount.kind == "tmpfs":
        return not mount.read_only and (
            mount.point.endswith("/shm")
            or not f"{mount.point}/".startswith(("/dev/", "/proc/", "/sys/"))
        )
    return True


def _below(point: str, others: Iterable[str]) -> bool:
    return any(point.startswith(other.rstrip("/") + "/") for other in others)


def _ask(point: str) -> subprocess.Popen[str] | OSError:
    try:
        return subprocess.Popen(  # noqa: S603
            ["stat", "-f", "-c", "%S %b %f %a %c %d", "--", point],  # noqa: S607
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "LC_ALL": "C"},
        )
    except OSError as error:
        return error


def _answer(mount: Mount, child: subprocess.Popen[str] | OSError, end: float) -> Mount:
    if isinstance(child, OSError):
        return replace(
            mount,
            trouble=f"Not looked at: the program stat could not be run: {child.strerror}",
            remedy="Install coreutils.",
        )
    try:
        output, errors = child.communicate(timeout=max(0.0, end - time.monotonic()))
    except subprocess.TimeoutExpired:
        child.kill()
        remedy = f"Check the server behind it and the network; 'umount -l {mount.point}' frees programs that will not need it."
        return replace(
            mount,
            trouble=f"No answer in time from {mount.source} ({mount.kind}): programs that use it will hang",
            remedy=remedy,
        )
    if child.returncode:
        reason = errors.strip().rpartition(": ")[2]
        known = {
            os.strerror(number): number
            for number in (errno.EACCES, errno.ENOENT, errno.ESTALE, errno.EIO, errno.ENOTCONN)
        }
        return _refused(mount, OSError(known.get(reason, errno.EIO), reason))
    size, blocks, free, available, inodes, inodes_free = map(int, output.split())
    return _figures(mount, size, blocks, free, available, inodes, inodes_free)


def _direct(mount: Mount) -> Mount:
    try:
        stat = os.statvfs(mount.point)
    except OSError as error:
        return _refused(mount, error)
    return _figures(
        mount, stat.f_frsize, stat.f_blocks, stat.f_bfree, stat.f_bavail, stat.f_files, stat.f_ffree
    )


def _refused(mount: Mount, error: OSError) -> Mount:
    if error.errno == errno.ENOENT:
        return mount  # unmounted since the list was read
    if error.errno in (errno.EACCES, errno.EPERM):
        return replace(
            mount,
            trouble="This user is not allowed to look at it",
            remedy="Run the probe with become: true, or add it to mounts_ignore.",
        )
    remedy = f"Mount it anew ('umount -l {mount.point}; mount {mount.point}'), and check the server or disk behind it."
    return replace(
        mount,
        trouble=f"Cannot be used, {mount.source} ({mount.kind}): {error.strerror}",
        remedy=remedy,
        broken=True,
    )


def _figures(
    mount: Mount, block: int, blocks: int, free: int, available: int, inodes: int, inodes_free: int
) -> Mount:
    """Size is what unprivileged programs have used or can use: the blocks reserved for root are left out, as df does it."""
    used = blocks - free
    return replace(
        mount,
        size=(used + available) * block,
        used=used * block,
        free=available * block,
        inodes=inodes,
        inodes_free=inodes_free,
    )
