# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which mounts hold data that can fill up, and how full they are, without hanging on a dead one."""

from __future__ import annotations

import errno
import os
import re
import subprocess
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from typing import Callable, Union

from ..core.text import redact
from .fstab import Declared, not_mounted
from .runtimes import belongs_to_a_runtime

#: File systems of the kernel itself, which store no data.
_PSEUDO = re.compile(
    "autofs|binder|binfmt_misc|bpf|cgroup2?|configfs|debugfs|devfs|devpts|devtmpfs|efivarfs"
    "|fuse[.]gvfsd-fuse|fuse[.]lxcfs|fuse[.]portal|fusectl|hugetlbfs|mqueue|nfsd|nsfs|proc|pstore"
    "|ramfs|rpc_pipefs|securityfs|selinuxfs|smackfs|sysfs|tracefs"
)
#: Read-only images, which are always full.
_IMAGE = re.compile("cramfs|erofs|fuse[.]snapfuse|fuse[.]squashfuse|iso9660|romfs|squashfs|udf")
#: File systems that answer from memory. Any other may wait for a server or a daemon, so a child
#: process asks it.
_LOCAL = re.compile(
    "bcachefs|btrfs|exfat|ext[234]|f2fs|jfs|msdos|ntfs3|overlay|reiserfs|tmpfs|vfat|xfs"
)
#: File systems that the kernel makes read-only after an error, although they stay mounted
#: read-write. Others can only be read by their nature, such as overlays without an upper layer.
_TURNS = re.compile("bcachefs|btrfs|exfat|ext[234]|f2fs|jfs|msdos|ntfs3|reiserfs|vfat|xfs")
#: Options that the kernel adds to a file system that it stopped.
_STOPPED = ("emergency_ro", "shutdown")

#: Seconds to wait for a mount that may be dead.
MOUNT_TIMEOUT = 2.0


@dataclass(frozen=True)
class Canary:
    """What came of a real write."""

    seconds: float | None = None
    """How long it took; none if it failed or was not asked for."""
    problem: str = ""
    """Why it failed or could not be tried; empty if it did not fail."""
    failed: bool = False
    """Whether programs' writes fail as well."""
    remedy: str = ""


@dataclass(frozen=True)
class Mount:
    """A mount, and how full it is."""

    point: str
    fs_type: str
    source: str
    """Device or server, without credentials."""
    device: str = ""
    """Major and minor number: the same for all mounts of one file system."""
    read_only: bool = False
    """Whether it is mounted read-only, here or everywhere."""
    turned: bool = False
    """Whether the kernel made it read-only although it is mounted read-write."""
    stopped: str = ""
    """How the kernel says that it stopped the file system; empty if it did not."""
    declared: Declared | None = None
    """How the operator wants it mounted; none if nothing says so."""
    errors: int = 0
    """Errors that the file system recorded since its last repair."""
    last_error: float = 0
    """When, in Unix time; 0 if unknown."""
    device_read_only: bool = False
    """Whether the disk itself is write-protected."""
    canary: Canary = Canary()
    """What came of a real write, see ``canary.py``."""
    private: bool = False
    """Whether another user mounted it, and only that user can read it."""
    whole: bool = True
    """Whether it shows the whole file system, not a folder of it."""
    size: int = 0
    """Bytes that unprivileged programs have used or can use; 0 if it was not measured."""
    used: int = 0
    free: int = 0
    inodes: int = 0
    """0 if the file system creates inodes as needed."""
    inodes_free: int = 0
    problem: str = ""
    """Why it could not be measured; empty if it could."""
    remedy: str = ""
    hangs: bool = False
    """Whether it gave no answer in time: it is dead, or slow to wake up."""
    unusable: bool = False
    """Whether the problem affects all programs, not only this probe."""

    @property
    def local(self) -> bool:
        """Whether it answers without a server or a daemon."""
        return bool(_LOCAL.fullmatch(self.fs_type))


def real_mounts(
    mountinfo: str,
    ignore: Iterable[str],
    only: Sequence[str],
    declared: Mapping[str, Declared] | None = None,
    is_file: Callable[[str], bool] = os.path.isfile,
) -> list[Mount]:
    """The mounts to measure, from the text of ``/proc/self/mountinfo``.

    Those in ``only``, or else each file system once, by its shortest mount point where it can be
    written, except those that match a pattern in ``ignore``, and what should be mounted and is not.
    """
    visible = _visible(mountinfo, declared or {})
    if only:
        return [_listed(point.rstrip("/") or "/", visible) for point in only]
    absent = [
        _absent(point, entry)
        for point, entry in not_mounted(declared or {}, visible).items()
        if not _ignored(point, ignore)
    ]
    candidates = [
        mount
        for mount in visible.values()
        if _holds_data(mount) and not _ignored(mount.point, ignore)
    ]
    best = _one_of_each(candidates, is_file)
    return sorted([*best, *absent, *_against(candidates, best)], key=lambda mount: mount.point)


def _one_of_each(candidates: Sequence[Mount], is_file: Callable[[str], bool]) -> list[Mount]:
    """Each file system once."""
    remote = [mount.point for mount in candidates if not mount.local]
    best: dict[str, Mount] = {}
    for mount in candidates:
        partial = not mount.whole and mount.local and not _is_below(mount.point, remote)
        if partial and not mount.stopped and is_file(mount.point):
            continue  # container engines mount single files, such as /etc/hosts
        # Each subvolume of btrfs has a device number of its own.
        key = mount.source if mount.fs_type == "btrfs" else mount.device
        if key not in best or _rank(mount) < _rank(best[key]):
            best[key] = mount
    return list(best.values())


def _against(candidates: Iterable[Mount], best: Sequence[Mount]) -> list[Mount]:
    """Read-only mounts of a file system that is written elsewhere, if they are meant to be written.

    Such as one subvolume of several.
    """
    writable = {mount.point for mount in candidates if not mount.read_only}
    reported = {mount.device for mount in best if mount.point not in writable}
    return [
        mount
        for mount in candidates
        if mount not in best
        and mount.read_only
        and mount.device not in reported
        and mount.declared
        and not mount.declared.read_only
    ]


def measure(mounts: Sequence[Mount], timeout: float = MOUNT_TIMEOUT) -> list[Mount]:
    """The mounts with their figures; one that was unmounted meanwhile is left out.

    A dead network mount or a frozen FUSE daemon blocks whoever asks, and not even SIGKILL ends
    that. A process with a blocked thread cannot exit, so a child asks, and is left behind.
    ``timeout`` is for all of them together.
    """
    remote = [mount.point for mount in mounts if not mount.local and not mount.problem]
    children = {
        mount.point: _start_stat(mount.point)
        for mount in mounts
        if not mount.problem and (mount.point in remote or _is_below(mount.point, remote))
    }
    end = time.monotonic() + timeout
    measured = []
    for mount in mounts:
        if mount.problem:
            measured.append(mount)
        elif mount.point in children:
            measured.append(_stat_result(mount, children[mount.point], end))
        else:
            measured.append(_statvfs(mount))
    return [mount for mount in measured if mount.problem or mount.size]


def _ignored(point: str, patterns: Iterable[str]) -> bool:
    return any(fnmatchcase(point, pattern) for pattern in patterns)


def _rank(mount: Mount) -> tuple[bool, bool, bool, int]:
    """Of several mounts of one file system, the lowest rank is reported."""
    declared = mount.declared is not None and not mount.declared.read_only
    return not declared, mount.read_only and not mount.turned, not mount.whole, len(mount.point)


def _visible(mountinfo: str, declared: Mapping[str, Declared]) -> dict[str, Mount]:
    """The mounts by mount point; a later mount hides an earlier one at the same place."""
    # The kernel does not escape other line separators than the newline in a name.
    lines = mountinfo.rstrip("\n").split("\n") if mountinfo else []
    visible = {mount.point: mount for mount in map(_parse, lines)}
    for point, entry in declared.items():
        mount = visible.get(point)
        if mount and entry.means(mount.fs_type):
            visible[point] = replace(mount, declared=entry)
    return visible


def _absent(point: str, entry: Declared) -> Mount:
    return Mount(
        point,
        "",
        "",
        declared=entry,
        problem=f"Not mounted, although {entry.where} says so: programs use the folder below it",
        remedy=f"Mount it: 'mount {point}'; 'journalctl -b' shows why it is missing. If it is gone "
        f"for good, remove it from {entry.where}.",
        unusable=True,
    )


def _parse(line: str) -> Mount:
    """A line of mountinfo."""
    before, _dash, after = line.rpartition(" - ")
    _id, _parent, device, root, point, here = [*before.split(" "), ""][:6]
    fs_type, source, options = [*after.split(" "), "", ""][:3]
    own, everywhere = here.split(","), options.split(",")
    return Mount(
        _unescape(point),
        fs_type,
        redact(_unescape(source)),
        device,
        read_only="ro" in own or "ro" in everywhere,
        turned="ro" in everywhere and "ro" not in own and bool(_TURNS.fullmatch(fs_type)),
        stopped=next((option for option in everywhere if option in _STOPPED), ""),
        private=_is_private(everywhere),
        whole=root == "/",
    )


def _is_private(options: Sequence[str]) -> bool:
    """Whether FUSE keeps this user out; the kernel keeps even root out."""
    owners = [option for option in options if option.startswith("user_id=")]
    return bool(owners) and "allow_other" not in options and owners != [f"user_id={os.geteuid()}"]


def _listed(point: str, visible: Mapping[str, Mount]) -> Mount:
    """A mount that the operator listed, with a problem if it is not mounted or stores no data."""
    if point not in visible:
        remedy = (
            f"Mount it: 'mount {point}'; 'journalctl -b' shows why it is missing. "
            "Or correct the list of mounts."
        )
        return Mount(point, "", "", problem="Not mounted", remedy=remedy, unusable=True)
    mount = visible[point]
    if _PSEUDO.fullmatch(mount.fs_type):
        return replace(
            mount,
            problem=f"A file system of type {mount.fs_type} stores no data",
            remedy="Remove it from the list of mounts.",
        )
    return mount


def _unescape(text: str) -> str:
    return re.sub(r"\\([0-7]{3})", lambda found: chr(int(found[1], 8)), text)


def _holds_data(mount: Mount) -> bool:
    if mount.private or _PSEUDO.fullmatch(mount.fs_type) or _IMAGE.fullmatch(mount.fs_type):
        return False
    if mount.declared:
        return True
    if belongs_to_a_runtime(mount.point, mount.fs_type, mount.source, whole=mount.whole):
        return False
    if mount.fs_type == "overlay":
        return mount.point == "/"  # any other repeats the file system that its layers are on
    if mount.fs_type == "tmpfs":
        private = f"{mount.point}/".startswith(("/dev/", "/proc/", "/sys/"))
        return not mount.read_only and (mount.point.endswith("/shm") or not private)
    return True


def _is_below(point: str, others: Iterable[str]) -> bool:
    return any(point.startswith(other.rstrip("/") + "/") for other in others)


#: A running stat, or why it could not be started.
_Child = Union["subprocess.Popen[str]", OSError]


def _start_stat(point: str) -> _Child:
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


def _stat_result(mount: Mount, child: _Child, end: float) -> Mount:
    if isinstance(child, OSError):
        return replace(
            mount,
            problem=f"Not measured: the program stat could not be run: {child.strerror}",
            remedy="Install coreutils.",
        )
    try:
        output, errors = child.communicate(timeout=max(0.0, end - time.monotonic()))
    except subprocess.TimeoutExpired:
        child.kill()
        return _no_answer(mount)
    if child.returncode:
        return _failed(mount, _stat_error(errors))
    size, blocks, free, available, inodes, inodes_free = map(int, output.split())
    return _figures(mount, size, blocks, free, available, inodes, inodes_free)


def _no_answer(mount: Mount) -> Mount:
    return replace(
        mount,
        problem=f"No answer in time from {mount.source} ({mount.fs_type}): programs that use it "
        "will hang",
        remedy="Check its server and the network; if nothing needs it, "
        f"'umount -l {mount.point}' detaches it.",
        hangs=True,
    )


def _stat_error(message: str) -> OSError:
    """The error that stat reported as text."""
    reason = message.strip().rpartition(": ")[2]
    for number in (errno.EACCES, errno.ENOENT, errno.ESTALE, errno.EIO, errno.ENOTCONN):
        if os.strerror(number) == reason:
            return OSError(number, reason)
    return OSError(errno.EIO, reason)


def _statvfs(mount: Mount) -> Mount:
    try:
        stat = os.statvfs(mount.point)
    except OSError as error:
        return _failed(mount, error)
    if not mount.stopped:
        try:
            os.stat(mount.point)  # XFS has no word for it among its options
        except OSError as error:
            if error.errno == errno.EIO:
                mount = replace(mount, stopped=error.strerror or "EIO")
    return _figures(
        mount, stat.f_frsize, stat.f_blocks, stat.f_bfree, stat.f_bavail, stat.f_files, stat.f_ffree
    )


def _failed(mount: Mount, error: OSError) -> Mount:
    if error.errno == errno.ENOENT:
        return mount  # unmounted since the list was read
    if error.errno in (errno.EACCES, errno.EPERM):
        return replace(
            mount,
            problem="This user lacks permission to read it",
            remedy="Run the probe with become: true, or add it to mounts_ignore.",
        )
    return replace(
        mount,
        problem=f"Cannot be used: {mount.source} ({mount.fs_type}): {error.strerror}",
        remedy=f"Remount it ('umount -l {mount.point}; mount {mount.point}'), and check its server "
        "or disk.",
        unusable=True,
    )


def _figures(
    mount: Mount, block: int, blocks: int, free: int, available: int, inodes: int, inodes_free: int
) -> Mount:
    """The figures as df counts them: without the blocks that are reserved for root."""
    used = blocks - free
    return replace(
        mount,
        size=(used + available) * block,
        used=used * block,
        free=available * block,
        inodes=inodes,
        inodes_free=inodes_free,
    )
