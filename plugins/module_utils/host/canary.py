# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A real write to each mount, if the operator allows it: create, write, flush, delete.

A file system that is frozen or whose disk is gone blocks whoever writes, and not even SIGKILL ends
that. So children write, and one that is blocked is left behind; it deletes its file once it can.
"""

from __future__ import annotations

import errno
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import replace

from ..core.units import format_value
from .mounts import Canary, Mount

#: Seconds to wait for all writes together.
CANARY_TIMEOUT = 3.0
_NAME = ".gpt-agent-runbook-canary"
#: Prints the seconds spent, or minus the number of the error.
_WRITE = """
import errno, os, sys, time
path, start = sys.argv[1], time.monotonic()
try:
    try:
        os.unlink(path)  # that of a run that was killed
    except FileNotFoundError:
        pass
    file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        os.write(file, bytes(4096))
        os.fsync(file)
    finally:
        os.close(file)
        try:
            os.unlink(path)
        except FileNotFoundError:
            pass  # another run deleted it
    print(time.monotonic() - start)
except OSError as error:
    print(-error.errno)
"""


def write_canaries(mounts: Sequence[Mount], timeout: float = CANARY_TIMEOUT) -> list[Mount]:
    """The mounts, with what came of a write to each that is mounted read-write."""
    children = {mount.point: _start(mount) for mount in mounts if _can_be_tried(mount)}
    end = time.monotonic() + timeout
    return [
        replace(mount, canary=_outcome(mount, children[mount.point], end))
        if mount.point in children
        else mount
        for mount in mounts
    ]


def _can_be_tried(mount: Mount) -> bool:
    return not (mount.problem or mount.stopped or mount.read_only)


def _start(mount: Mount) -> subprocess.Popen[str]:
    path = os.path.join(mount.point, f"{_NAME}-{os.geteuid()}")
    return subprocess.Popen(  # noqa: S603
        [sys.executable, "-I", "-S", "-c", _WRITE, path],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )


def _outcome(mount: Mount, child: subprocess.Popen[str], end: float) -> Canary:
    waited = max(0.1, end - time.monotonic())
    try:
        output, _errors = child.communicate(timeout=waited)
        figure = float(output)
    except subprocess.TimeoutExpired:
        return Canary(
            problem=f"A write did not finish within {format_value(CANARY_TIMEOUT, 'seconds')}: "
            "programs that write to it hang",
            failed=True,
            remedy="See whether it is frozen for a snapshot "
            f"('fsfreeze --unfreeze {mount.point}' ends that) and whether its disk or server "
            "answers: 'dmesg', 'iostat -x'.",
        )
    except ValueError:
        return Canary(problem="The write could not be tried: Python did not start a child")
    return Canary(seconds=figure) if figure >= 0 else _refused(mount, -int(figure))


def _refused(mount: Mount, number: int) -> Canary:
    reason = os.strerror(number)
    if number in (errno.EACCES, errno.EPERM):
        return Canary(
            problem=f"The write could not be tried: this user lacks permission ({reason})",
            remedy="Run the probe with become: true, or without canary.",
        )
    if number == errno.EEXIST:  # another run's canary is there at this moment
        return Canary(seconds=0.0)
    remedies = {
        errno.ENOSPC: "Free space or inodes on it: 'df -h', 'df -i'.",
        errno.EDQUOT: "Raise the quota of this user, or delete its files: 'quota -s'.",
        errno.EROFS: "See why it is read-only: 'dmesg' on this host, or the options of the export "
        "on its server.",
        errno.EIO: "Check its disk or server: 'dmesg', 'smartctl -a'.",
    }
    return Canary(
        problem=f"A write fails: {reason}",
        failed=True,
        remedy=remedies.get(number, "See 'dmesg' for the reason."),
    )
