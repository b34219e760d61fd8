# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Why a service does not work, and whether a restart is the cure. Pure.

A restart ends the work of others and loses what is not saved. It is the cure only for a service
that is down or hangs for no reason that would stop or hang it again.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

from .check import CRITICAL, DONE, FAILED, OK, PLANNED, UNKNOWN, WARNING, Action, Check
from .files import Room
from .operation import Outcome
from .options import checked_seconds
from .thresholds import Thresholds
from .units import format_duration, format_value

#: Options of every module that recovers a service, documented in the fragment ``recovery``.
RECOVERY_OPTIONS: dict[str, Any] = {
    "unit": {"type": "str"},
    "restart_command": {"type": "list", "elements": "str"},
    "log_file": {"type": "path"},
    "confirm": {"type": "str", "default": ""},
    "timeout": {"type": "float", "default": 10.0},
    "wait": {"type": "float", "default": 60.0},
    "thresholds": {"type": "dict", "default": {}},
    "attempt": {
        "type": "dict",
        "options": {
            "failed": {"type": "bool", "default": False},
            "text": {"type": "str", "default": ""},
            "seconds": {"type": "float", "default": 0.0},
            "because": {"type": "str", "default": ""},
        },
    },
}

#: What cures the trouble: nothing to cure, patience, a restart, or something else first.
NOTHING, WAIT, RESTART, OTHER = "nothing", "wait", "restart", "other"
CURES = (NOTHING, WAIT, RESTART, OTHER)
#: Kinds of reasons in a log: what may be different now, or was an earlier run.
DISK, PORT, ADDRESS, STOPPED, CRASHED = "disk", "port", "address", "stopped", "crashed"
#: Reasons that lie in files, which may have been corrected since.
FILES = "files"
#: A reason that is not recognized.
ANY = "any"
#: Seconds between two checks after a restart.
_POLL = 0.5
#: Bytes below which a disk counts as full: one segment of PostgreSQL's WAL.
FULL = 16 * 1024**2


@dataclass(frozen=True)
class Cause:
    """Why a service does not work."""

    cure: str
    """One of `CURES`."""
    text: str
    remedy: str = ""
    """What to do; for a restart, what to inspect afterwards."""
    unknown: bool = False
    """Whether something that decides about it could not be seen."""


class Reason(NamedTuple):
    """What a line of the service's log means."""

    kind: str
    """To compare with what is the case now; empty if that cannot be seen."""
    cause: Cause


@dataclass(frozen=True)
class Finding:
    """A cause, with what led to it and how the service would be restarted."""

    cause: Cause
    evidence: Sequence[Mapping[str, Any]] = ()
    unit: str = ""
    """The systemd unit; empty without systemd."""
    command: Sequence[str] = ()
    """The command that restarts it, if it has no unit."""
    address: str = ""
    ended: bool = False
    """Whether systemd has given up: waiting is of no use then."""
    obstacle: str = ""
    """Why the command cannot be run."""

    @property
    def how(self) -> str:
        """What restarts it; empty if nothing is known that would."""
        if self.command:
            return "the command given for it"
        return self.unit


@dataclass(frozen=True)
class Attempt:
    """How the restart ended, of which the service may still know nothing."""

    failed: bool = False
    text: str = ""
    seconds: float = 0.0
    because: str = ""
    """The cause that called for it."""


@dataclass
class Recovery:
    """What an operation that recovers a service calls its check and its action."""

    check: str
    action: str
    service: str
    """As people call it: ``Redis``."""
    playbook: str
    thresholds: Thresholds = field(repr=False)

    def run(
        self, look: Callable[[], Finding], attempt: Attempt | None, wait: float, check_mode: bool
    ) -> Outcome:
        """The judgment; after a restart, whether it has helped within ``wait`` seconds."""
        found = look()
        if not attempt:
            return self.judged(found, check_mode)
        end = time.monotonic() + wait
        while found.cause.cure not in (NOTHING, WAIT) and time.monotonic() < end:
            if (attempt.failed and found.cause.cure == OTHER) or (
                found.ended and not found.command
            ):
                break
            time.sleep(_POLL)
            found = look()
        # Loading or recovery is no fault, but the app does not work yet.
        while found.cause.cure == WAIT and time.monotonic() < end:
            time.sleep(_POLL)
            found = look()
        return self.verified(attempt, found)

    def judged(self, found: Finding, check_mode: bool) -> Outcome:
        """The outcome before anything is done; without check mode the restart comes next."""
        results = _results(found)
        actions, problem = [], ""
        if found.cause.cure == RESTART and found.obstacle:
            problem = f"{found.obstacle}; correct restart_command"
        elif check_mode and results["restart"]:
            reason = f"{found.cause.text}; by {found.how}"
            actions.append(Action(self.action, PLANNED, reason, found.address))
        return Outcome([self._check(found)], actions, problem, results)

    def verified(self, attempt: Attempt, found: Finding) -> Outcome:
        """The outcome after a restart."""
        before = attempt.because
        works = found.cause.cure in (NOTHING, WAIT)
        status = DONE if works and not attempt.failed else FAILED
        reason = before
        if attempt.failed:
            reason = f"{before}; the restart failed: {attempt.text}"
        elif not works:
            reason = f"{before}; restarted, and it still does not work: {found.cause.text}"
        action = Action(
            self.action,
            status,
            reason,
            found.address,
            before=before,
            after=found.cause.text,
            seconds=round(attempt.seconds, 3),
        )
        problem = "" if status == DONE else reason
        results = {**_results(found), "restart": False}
        return Outcome([self._check(found, attempt)], [action], problem, results)

    def _check(self, found: Finding, attempt: Attempt | None = None) -> Check:
        cause = found.cause
        status = {NOTHING: OK, WAIT: WARNING}.get(cause.cure, CRITICAL)
        status = UNKNOWN if cause.unknown else status
        text, remedy = cause.text, cause.remedy
        if cause.cure == RESTART:
            if attempt:
                text += "" if attempt.failed else "; a restart has not cured that"
                remedy = _after_restart(found, attempt)
            elif found.obstacle:
                text += f"; a restart is the cure, but {found.obstacle}"
                remedy = f"Correct restart_command, then run {self.playbook} again."
            elif found.how:
                text += "; a restart is the cure"
                remedy = f"Run {self.playbook} with runbook_confirm naming the host. {remedy}"
            else:
                text += f"; nothing is known that starts {self.service} here"
                remedy = (
                    "Start it the way it is started on this host, or name that as unit or "
                    f"restart_command. {remedy}"
                )
        elif cause.cure == WAIT:
            text += "; wait, a restart would only begin it anew"
        elif cause.cure == OTHER:
            text += "; a restart does not cure that"
        if attempt:
            how = "a restart failed" if attempt.failed else "restarted"
            before = "" if attempt.because == cause.text else f"; before that: {attempt.because}"
            text += f" ({how}{before})"
        return self.thresholds.verdict(
            self.check, status, text, remedy=remedy.strip(), evidence=found.evidence
        )


def _after_restart(found: Finding, attempt: Attempt) -> str:
    """What to do once a restart was of no use."""
    if attempt.failed and found.command:
        return "Run restart_command by hand on the host, and correct what it says, or the option."
    remedy = found.cause.remedy
    return remedy if "log" in remedy.split() else f"Read its log before another one. {remedy}"


def _results(found: Finding) -> dict[str, Any]:
    return {
        "cure": found.cause.cure,
        "restart": found.cause.cure == RESTART and bool(found.how) and not found.obstacle,
        "works": found.cause.cure == NOTHING and not found.cause.unknown,
        "cause": found.cause.text,
        "unit": found.unit,
    }


def read_recovery_options(params: Mapping[str, Any]) -> dict[str, Any]:
    """The values of `RECOVERY_OPTIONS`, validated; raises `UsageError`."""
    return {
        "unit": params["unit"] or "",
        "restart_command": params["restart_command"] or (),
        "log_file": params["log_file"] or "",
        "timeout": checked_seconds("timeout", params["timeout"]),
        "wait": checked_seconds("wait", params["wait"]),
        "attempt": Attempt(**params["attempt"]) if params["attempt"] else None,
    }


def lines_since(start: re.Pattern[str], lines: Sequence[str]) -> Sequence[str]:
    """The lines of a log from the last start on; all of them if there is none."""
    for at in range(len(lines) - 1, -1, -1):
        if start.search(lines[at]):
            return lines[at:]
    return lines


def own_reason(said: Reason | None, logged: Reason | None, failed: bool) -> Reason | None:
    """The reason that a service gave itself: by its last run if that failed, else by its log.

    ``failed`` is whether it ended before it was ready.
    """
    if said and said.kind == ANY and logged and logged.cause.cure == OTHER:
        return logged
    if failed and logged and logged.kind in (STOPPED, CRASHED):
        return said  # that was an earlier run
    return said or logged


def as_of_now(
    service: str, found: Reason, room: Room | None, corrected: bool, absent: str, listener: str
) -> Cause:
    """The cause by the service's own reason, or a restart if that is no longer the case.

    ``absent`` is an address that this host does not have, ``listener`` who has the port.
    """
    cause = replace(found.cause, text=f"{service} is down: {found.cause.text}")
    if found.kind == DISK and room:
        text = f"{cause.text}, and has {format_value(room.free, 'bytes')} free now"
        return Cause(RESTART, text, "Find out what filled the disk.")
    if found.kind == FILES and corrected:
        text = f"{cause.text}, and its files were changed since"
        return Cause(RESTART, text, "If that was no correction, it fails again, and says why.")
    if found.kind == ADDRESS:
        if not absent:
            return Cause(RESTART, f"{cause.text}, and has now", cause.remedy)
        return replace(cause, text=f"{cause.text}: {absent}")
    if found.kind == PORT:
        if not listener:
            return Cause(RESTART, f"{cause.text}, which is free now", cause.remedy)
        return replace(cause, text=f"{cause.text}: {listener}")
    return cause


def no_room(
    state: str, folder: str, room: Room | None, caution: str = "", needed: int = FULL
) -> Cause | None:
    """Why a service cannot write its data, if that is so.

    ``state`` is what it does now, ``needed`` the bytes below which its disk counts as full.
    """
    if room is None:
        return None
    if room.read_only:
        return Cause(
            OTHER,
            f"{state}, and the file system of {folder} is read-only",
            "'dmesg' says why: often errors of its disk, then copy the data first. Once it can be "
            "written again ('mount -o remount,rw'), run this again.",
        )
    if room.free >= needed and room.files != 0:
        return None
    left = f"{format_value(room.free, 'bytes')} left" if room.files != 0 else "no more files"
    remedy = f"Free space first{caution}; then run this again, which starts it if it is down."
    if room.files == 0:
        remedy = f"Remove files that are not needed, 'df -i' counts them. {remedy}"
    return Cause(OTHER, f"{state}, and the disk of {folder} is full ({left})", remedy)


def rows(pairs: Iterable[tuple[str, Any]]) -> list[dict[str, Any]]:
    """Evidence: what was inspected, and what was found; what is empty is left out."""
    return [{"what": what, "found": found} for what, found in pairs if found not in ("", None, [])]


def since(seconds: float) -> str:
    """``for 3 min``."""
    return f"for {format_duration(seconds)}"
