# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The state of the system clock, as the kernel knows it."""

from __future__ import annotations

import ctypes
import os
from dataclasses import dataclass

_STA_UNSYNC = 0x40


@dataclass(frozen=True)
class Clock:
    """Whether a time service keeps the clock right, and how closely."""

    synchronised: bool
    max_error: float
    """Maximum seconds that the clock is off, if it is synchronised."""


class _Timex(ctypes.Structure):
    """The start of ``struct timex`` (adjtimex(2)), with room for the rest of it."""

    _fields_ = (
        ("modes", ctypes.c_uint),
        ("offset", ctypes.c_long),
        ("freq", ctypes.c_long),
        ("maxerror", ctypes.c_long),
        ("esterror", ctypes.c_long),
        ("status", ctypes.c_int),
        ("rest", ctypes.c_char * 512),
    )


def read_clock() -> Clock:
    """Ask the kernel, which needs no privilege; raises OSError if a sandbox forbids it."""
    timex = _Timex()
    if ctypes.CDLL(None, use_errno=True).adjtimex(ctypes.byref(timex)) < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return Clock(not timex.status & _STA_UNSYNC, timex.maxerror / 1e6)
