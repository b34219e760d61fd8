# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs certbot and nginx, and keeps what they say."""

from __future__ import annotations

import os
import signal
import subprocess
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass

from ...core.errors import NotCollected

#: Where nginx and certbot may be besides the folders in PATH.
SBIN = ("/usr/local/sbin", "/usr/sbin", "/sbin", "/snap/bin")
#: Seconds for a program to clean up after SIGTERM, as certbot does.
_GRACE = 10.0
#: Bytes of output that are kept, from the end.
_KEPT = 256 << 10


@dataclass(frozen=True)
class Ended:
    """How a program ended, and what it said on both of its outputs, in order."""

    code: int | None
    """None if it was ended because its time was up."""
    text: str


def run(argv: Sequence[str], seconds: float) -> Ended:
    """Run a program to its end; raises `NotCollected` if it cannot be started.

    It has a session and output of its own, so that it goes on if this process is killed: a
    certbot that is killed half-way leaves more to clean up than one that ends.
    """
    with tempfile.TemporaryFile() as output:
        try:
            process = subprocess.Popen(  # noqa: S603 - no shell
                list(argv),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                env=_environment(),
            )
        except OSError as error:
            raise NotCollected(f"{argv[0]} cannot be started: {error.strerror}") from None
        code = _wait(process, seconds)
        size = output.seek(0, os.SEEK_END)
        output.seek(max(0, size - _KEPT))
        return Ended(code, output.read().decode(errors="replace"))


def _wait(process: subprocess.Popen[bytes], seconds: float) -> int | None:
    try:
        return process.wait(seconds)
    except subprocess.TimeoutExpired:
        process.terminate()
    with suppress(subprocess.TimeoutExpired):
        process.wait(_GRACE)
    with suppress(OSError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    return None


def _environment() -> dict[str, str]:
    """Messages in English, in the order in which they are written."""
    path = os.pathsep.join([os.environ.get("PATH", os.defpath), *SBIN])
    return {**os.environ, "PATH": path, "LC_ALL": "C.UTF-8", "PYTHONUNBUFFERED": "1"}
