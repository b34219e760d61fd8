# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Why Redis does not work, and whether a restart is the cure. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from ...core.check import OK, UNKNOWN
from ...core.errors import NotCollected
from ...core.recovery import (
    NOTHING,
    OTHER,
    RESTART,
    WAIT,
    Cause,
    Reason,
    as_of_now,
    no_room,
    own_reason,
    rows,
)
from ...core.text import shorten
from ...core.units import format_value
from ...linux.units import busy, down, forbidden
from ..errors import CommandRefused, Loading, NoAnswer, NotListening
from .log import MEMORY, reason, shown
from .snapshot import Snapshot

#: Lines of the log that are shown.
_LINES = 8


def judge(seen: Snapshot) -> Cause:
    """The cause, of which the cure follows."""
    error = seen.error
    if error is None:
        return _of_writes(seen)
    if isinstance(error, CommandRefused):
        text = f"Redis answers; whether it takes writes is not known: {error}"
        return Cause(NOTHING, text, error.remedy, unknown=True)
    if isinstance(error, Loading):
        return Cause(WAIT, str(error), error.remedy)
    if not seen.local or not isinstance(error, (NotListening, NoAnswer)):
        remedy = error.remedy
        if not seen.local:
            remedy += " Run this on the server's own host to see its process, log and disk."
        unknown = isinstance(error, NotCollected)
        return Cause(OTHER, str(error), remedy.strip(), unknown)
    if isinstance(error, NoAnswer):
        return _of_silence(seen)
    return _of_absence(seen)


def evidence(seen: Snapshot) -> list[dict[str, Any]]:
    """What was inspected, with the end of the log."""
    unit = seen.unit
    found = rows(
        [
            ("running", "; ".join(seen.running)),
            (f"port {seen.port}", seen.listener),
            (unit.name if unit else "", unit.described if unit else ""),
            (f"free in {seen.folder}", _size(seen.room.free if seen.room else None)),
            ("memory available", _size(seen.memory)),
            ("killed by the kernel", shorten(seen.kills[-1], 200) if seen.kills else ""),
        ]
    )
    logged = _last(seen.log)
    journal = f"journal of {unit.name}" if unit else "journal"
    return [
        *found,
        *rows((seen.log_name or "log", line) for line in logged),
        *rows((journal, line) for line in _last(seen.said) if line not in logged),
    ]


def _last(lines: Sequence[str]) -> list[str]:
    """The last lines. One that quotes the configuration file may have a password in it."""
    kept = [line for line in lines if line.strip() and not line.lstrip().startswith(">>>")]
    return [shorten(shown(line), 200) for line in kept[-_LINES:]]


def _size(value: int | None) -> str:
    return "" if value is None else format_value(value, "bytes")


def _of_writes(seen: Snapshot) -> Cause:
    writable = seen.writable
    if writable is None or writable.status == OK:
        return Cause(NOTHING, f"Redis on {seen.address} answers and takes writes")
    summary = writable.summary[:1].lower() + writable.summary[1:]
    if writable.status == UNKNOWN:
        text = f"Redis on {seen.address} answers; {summary}"
        return Cause(NOTHING, text, writable.remedy, unknown=True)
    return Cause(OTHER, f"{seen.address} answers, but {summary}", writable.remedy)


def _of_silence(seen: Snapshot) -> Cause:
    """Something accepts connections and does not answer."""
    text = str(seen.error)
    program = seen.serving
    if not program:
        remedy = "Its process cannot be seen from here, perhaps it is in a container. "
        return Cause(OTHER, text, remedy + (seen.error.remedy if seen.error else ""))
    what = f"{seen.address} does not answer: {program.described}"
    if program.state in ("T", "t"):
        remedy = f"A signal stopped it: 'kill -CONT {program.pid}' continues it, nothing is lost."
        return Cause(OTHER, what, remedy)
    if program.state == "D":
        remedy = "Check the disk of its data: 'iostat -x 1', 'dmesg'."
        return Cause(OTHER, what, remedy)
    if program.state == "R":
        remedy = (
            "It is busy with one long command or script. 'SCRIPT KILL' ends a script that has not "
            "written; its slow log says later what it was."
        )
        return Cause(WAIT, what, remedy)
    remedy = "What was not saved is lost. Then find out why: its log, CLIENT PAUSE, its disk."
    return Cause(RESTART, f"{what}: it hangs, or its clients are paused", remedy)


def _of_absence(seen: Snapshot) -> Cause:
    """Nothing listens at the address."""
    meant = _meant(seen)
    if meant:
        return Cause(
            OTHER,
            f"nothing listens on {seen.address}, but Redis runs: {_listed(meant)}",
            "Compare port, bind and unixsocket in redis.conf with redis_url. If it is another one, "
            "name the one that is down by its config_file or unit.",
        )
    return _beside_others(_of_end(seen), seen)


def _of_end(seen: Snapshot) -> Cause:
    """It does not run."""
    unit = seen.unit
    stopped = forbidden(unit)
    if stopped:
        return stopped
    found = _of_log(seen)
    if found and found.cure == OTHER:
        return found
    starting = busy(unit)
    if starting:
        return starting
    if _was_killed(seen):
        remedy = "Set maxmemory well below the memory of the host, or of its service."
        return Cause(RESTART, "Redis is down: the kernel killed it for lack of memory", remedy)
    return found or down("Redis", unit, seen.corrected)


def _meant(seen: Snapshot) -> Sequence[str]:
    """What runs and may be the Redis that is meant; empty if it is others of this host."""
    if seen.unit:
        return seen.running if seen.unit.active == "active" else ()
    if seen.configured is None:
        return [*seen.similar, *seen.unclear]
    return seen.similar if seen.configured else seen.running


def _beside_others(cause: Cause, seen: Snapshot) -> Cause:
    """The cause, with those that run and were told from it by nothing but their addresses."""
    if not seen.running or seen.unit or seen.configured is not None:
        return cause
    others = "another Redis runs" if len(seen.running) == 1 else "other Redis run"
    text = f"{cause.text} (nothing listens on {seen.address}; {others} here)"
    # In the remedy, as the text is repeated by the action.
    remedy = (
        f"{cause.remedy} If redis_url should name what runs ({_listed(seen.running)}), correct "
        "that instead."
    )
    return replace(cause, text=text, remedy=remedy)


def _of_log(seen: Snapshot) -> Cause | None:
    """What the log says, unless that is no longer the case."""
    full = no_room("Redis is down", seen.folder, seen.room, needed=seen.needed)
    if full:
        return full
    found = _said(seen)
    if not found:
        return None
    cause = as_of_now("Redis", found, seen.room, seen.corrected, seen.absent, seen.listener)
    if found.kind == MEMORY and seen.memory is not None:
        return replace(cause, text=f"{cause.text}; {_size(seen.memory)} are available now")
    return cause


def _was_killed(seen: Snapshot) -> bool:
    unit = seen.unit
    if unit and unit.result == "oom-kill":
        return not unit.failed_to_start
    # With others on this host it may have been one of them.
    return bool(seen.kills and not seen.running and not _said(seen))


def _said(seen: Snapshot) -> Reason | None:
    failed = seen.unit is not None and seen.unit.failed_to_start
    return own_reason(reason(seen.said), reason(seen.log), failed)


def _listed(running: Sequence[str]) -> str:
    return "; ".join(running[:3])
