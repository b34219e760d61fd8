"""Mounts for tests that need a disk of their own, visible only to the test and its children."""

from __future__ import annotations

import ctypes
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

LIBC = ctypes.CDLL(None, use_errno=True)


def can_mount() -> bool:
    """Whether this user can mount here; root in a container often cannot."""
    if os.geteuid() != 0:
        return False
    command = ["unshare", "--mount", "true"]
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


NO_MOUNT = "this user cannot mount here"
needs_mount = pytest.mark.skipif(not can_mount(), reason=NO_MOUNT)


def require_mounts() -> None:
    """Skip the test that is running, with the reason, if this user cannot mount."""
    if not can_mount():
        pytest.skip(NO_MOUNT)


MEBIBYTE = 1024 * 1024
CLONE_NEWNS, MS_REC, MS_PRIVATE, MS_BIND, MS_RDONLY = 0x20000, 0x4000, 1 << 18, 0x1000, 1


def _checked(result: int) -> None:
    if result:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


@contextmanager
def mounts_of_its_own() -> Iterator[None]:
    """A mount namespace for the test and its children; other probes would report its mounts."""
    here, before = Path.cwd(), os.open("/proc/thread-self/ns/mnt", os.O_RDONLY)
    _checked(LIBC.unshare(CLONE_NEWNS))
    try:
        _checked(LIBC.mount(b"none", b"/", None, ctypes.c_ulong(MS_REC | MS_PRIVATE), None))
        yield
    finally:
        _checked(LIBC.setns(before, CLONE_NEWNS))
        os.close(before)
        os.chdir(here)  # joining a namespace changes to its root


@contextmanager
def mounted(
    point: Path, kind: str, source: str = "none", options: str = "", flags: int = 0
) -> Iterator[Path]:
    """A mount for the time of the block; skips the test if the kernel refuses it."""
    point.mkdir(exist_ok=True)
    if LIBC.mount(
        source.encode(), str(point).encode(), kind.encode(), ctypes.c_ulong(flags), options.encode()
    ):
        pytest.skip(f"no mount of {kind} here: {os.strerror(ctypes.get_errno())}")
    try:
        yield point
    finally:
        LIBC.umount2(str(point).encode(), 2)  # MNT_DETACH
