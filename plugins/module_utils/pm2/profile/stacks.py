# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where a busy process is right now, with its stack.

V8's profiler does not know code that was compiled in the middle of a loop before the profile began,
and takes its caller for it. The debugger knows. Each look halts the process for some milliseconds.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

from ...core.errors import Refused
from .session import NoReply, Session

#: Looks, seconds between two, and seconds to wait for the process to halt.
_LOOKS = 5
_PAUSE = 0.1
_HALT = 2.0

#: The functions of one stack, the innermost first, each as V8 describes a frame of a profile.
Stack = list[dict[str, Any]]


def stacks(session: Session) -> list[Stack]:
    """Some stacks of a busy process; none if it does not halt."""
    found: list[Stack] = []
    scripts: dict[str, str] = {}

    def event(method: str, params: Mapping[str, Any]) -> None:
        if method == "Debugger.scriptParsed":
            scripts[str(params.get("scriptId"))] = str(params.get("url", ""))

    with suppress(NoReply, Refused):
        session.call("Debugger.enable", seconds=_HALT, event=event)
        try:
            for number in range(_LOOKS):
                time.sleep(_PAUSE if number else 0)
                found.append([_frame(each, scripts) for each in _halted(session)])
        finally:
            session.call("Debugger.disable", seconds=_HALT)
    return found


def _halted(session: Session) -> Sequence[Mapping[str, Any]]:
    """The frames of the debugger, once the process is halted; it goes on at once."""
    halts: list[Mapping[str, Any]] = []

    def event(method: str, params: Mapping[str, Any]) -> None:
        if method == "Debugger.paused":
            halts.append(params)

    session.call("Debugger.pause", seconds=_HALT, event=event)
    if not halts:
        halts.append(session.wait("Debugger.paused", _HALT))
    session.call("Debugger.resume", seconds=_HALT)
    frames = halts[0].get("callFrames")
    return frames if isinstance(frames, list) else []


def _frame(frame: Mapping[str, Any], scripts: Mapping[str, str]) -> dict[str, Any]:
    place = frame.get("functionLocation") or frame.get("location") or {}
    return {
        "functionName": frame.get("functionName"),
        "url": frame.get("url") or scripts.get(str(place.get("scriptId")), ""),
        "lineNumber": place.get("lineNumber", 0),
    }
