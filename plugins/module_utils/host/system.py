# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the host's init system and its clock tell about themselves."""

from __future__ import annotations

import ctypes
import os
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass

from ..core.deadline import Deadline
from ..core.text import redact, shorten

#: Seconds that systemd gets to list its failed units.
_PATIENCE = 3.0

_UNSYNCHRONISED = 0x40  # STA_UNSYNC of adjtimex(2)


@dataclass(frozen=True)
class Clock:
    synchronised: bool
    max_error: float
    """Seconds that the clock may be off at most, while it is synchronised."""


@dataclass(frozen=True)
class FailedUnits:
    names: Sequence[str]
    trouble: str = ""
    """Why the names could not be had."""


class UnitQuery:
    """Asks systemd for its failed units while other things are looked at."""

    def __init__(self, child: subprocess.Popen[str]) -> None:
        self._child = child

    @classmethod
    def start(cls) -> UnitQuery | None:
        """None where systemd does not run as the first process."""
        if not os.path.isdir("/run/systemd/system"):
            return None
        command = [
            "systemctl",
            "list-units",
            "--state=failed",
            "--all",
            "--plain",
            "--full",
            "--no-legend",
            "--no-pager",
        ]
        environment = {**os.environ, "LC_ALL": "C", "SYSTEMD_COLORS": "0"}
        try:
            child = subprocess.Popen(  # noqa: S603
                command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
                env=environment,
            )
        except FileNotFoundError:
            return None
        return cls(child)

    def answer(self, deadline: Deadline) -> FailedUnits:
        patience = deadline.remaining(min(_PATIENCE, deadline.seconds / 3))
        try:
            output, errors = self._child.communicate(timeout=patience)
        except subprocess.TimeoutExpired:
            self._child.kill()
            return FailedUnits((), f"systemctl gave no answer within {patience:.1f} s")
        if self._child.returncode:
            return FailedUnits(
                (),
                shorten(redact(errors), 200)
                or f"systemctl ended with code {self._child.returncode}",
            )
        return FailedUnits(parse_units(output))


def parse_units(output: str) -> list[str]:
    """The units' names, first in each line but for the mark that some versions put before it."""
    return [line.lstrip("●*×↻ ").split()[0] for line in output.splitlines() if line.strip("●*×↻ ")]


def in_container() -> bool:
    """Whether another machine's kernel runs this one: an engine's mark, or a first process that is no init system."""
    if any(
        os.path.exists(mark)
        for mark in ("/.dockerenv", "/run/.containerenv", "/run/systemd/container")
    ):
        return True
    try:
        with open("/proc/1/comm") as stream:
            return stream.read().strip() not in (
                "systemd",
                "init",
                "openrc-init",
                "runit",
                "s6-svscan",
            )
    except OSError:
        return False


class _Timex(ctypes.Structure):
    _fields_ = (
        ("modes", ctypes.c_uint),
        ("offset", ctypes.c_long),
        ("freq", ctypes.c_long),
        ("maxerror", ctypes.c_long),
        ("esterror", ctypes.c_long),
        ("status", ctypes.c_int),
        (
            "rest",
            ctypes.c_char * 512,
        ),  # the kernel writes the longer structure; nothing else in it is of use here
    )


def clock() -> Clock:
    """The kernel's own account of its clock; asking needs no privilege. Raises OSError where a sandbox forbids it."""
    timex = _Timex()
    if ctypes.CDLL(None, use_errno=True).adjtimex(ctypes.byref(timex)) < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return Clock(not timex.status & _UNSYNCHRONISED, timex.maxerror / 1e6)
