"""Disks for tests that must break one: a loop device with a file system of its own."""

from __future__ import annotations

import fcntl
import os
import shutil
import struct
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.support.mounts import LIBC, MS_BIND, mounted

#: FS_IOC_SHUTDOWN, and its flag that loses what was not flushed.
_SHUTDOWN, _NO_FLUSH = 0x8004587D, 2
_FREEZE, _THAW = 0xC0045877, 0xC0045878
_SIZES = {"ext4": "16M", "xfs": "320M"}


@contextmanager
def disk(folder: Path, fs_type: str = "ext4") -> Iterator[str]:
    """A loop device with a new file system; skips the test where there can be none."""
    program = shutil.which(f"mkfs.{fs_type}", path=f"{os.environ['PATH']}:/usr/sbin:/sbin")
    if not program:
        pytest.skip(f"mkfs.{fs_type} is not installed")
    image = folder / f"{fs_type}.img"
    subprocess.run(["truncate", "-s", _SIZES[fs_type], image], check=True)
    subprocess.run([program, "-q", image], check=True, stdout=subprocess.DEVNULL)
    made = subprocess.run(
        ["losetup", "--find", "--show", image], capture_output=True, text=True, check=False
    )
    if made.returncode:
        pytest.skip(f"no loop device here: {made.stderr.strip()}")
    device = made.stdout.strip()
    try:
        yield device
    finally:
        subprocess.run(["losetup", "--detach", device], check=False)


@contextmanager
def mounted_disk(
    folder: Path, fs_type: str = "ext4", options: str = "", at: Path | None = None
) -> Iterator[Path]:
    """A disk at ``folder/data``, or elsewhere; its image is in ``folder``."""
    point = at or folder / "data"
    with disk(folder, fs_type) as device, mounted(point, fs_type, device, options):
        yield point


def break_ext4(point: Path) -> None:
    """An error as a damaged disk causes it; skips the test on a kernel without the trigger."""
    number = os.stat(point).st_dev
    block = os.path.realpath(f"/sys/dev/block/{os.major(number)}:{os.minor(number)}")
    trigger = Path("/sys/fs/ext4", os.path.basename(block), "trigger_fs_error")
    if not trigger.exists():
        pytest.skip("this kernel does not simulate errors of ext4")
    trigger.write_text("1")


def shut_down(point: Path) -> None:
    """What XFS and ext4 do after an error that they cannot contain."""
    folder = os.open(point, os.O_RDONLY)
    try:
        fcntl.ioctl(folder, _SHUTDOWN, struct.pack("I", _NO_FLUSH))
    finally:
        os.close(folder)


@contextmanager
def frozen(point: Path) -> Iterator[None]:
    """A file system as a snapshot tool that was killed leaves it."""
    folder = os.open(point, os.O_RDONLY)
    try:
        fcntl.ioctl(folder, _FREEZE, 0)
        yield
    finally:
        fcntl.ioctl(folder, _THAW, 0)
        os.close(folder)


@contextmanager
def fstab(folder: Path, text: str) -> Iterator[None]:
    """Another /etc/fstab, for a test with mounts of its own."""
    (folder / "fstab").write_text(text)
    source, target = str(folder / "fstab").encode(), b"/etc/fstab"
    with bound(source, target):
        yield


@contextmanager
def bound(source: bytes, target: bytes) -> Iterator[None]:
    """A file or folder that is seen at another place as well."""
    if LIBC.mount(source, target, None, MS_BIND, None):
        pytest.skip(f"{target.decode()} cannot be replaced here")
    try:
        yield
    finally:
        LIBC.umount2(target, 2)


def remount(point: Path, *flags: str) -> None:
    subprocess.run(["mount", "-o", ",".join(["remount", *flags]), point], check=True)
