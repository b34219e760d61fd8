# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Why Redis does not work, and whether a restart is the cure. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from ...core.check import OK
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
from ...linux.programs import UNSEEN, Program
from ...linux.units import busy, down, forbidden
from ..errors import Loading, NoAnswer, NotListening
from .log import MEMORY, reason, shown
from .snapshot import Snapshot

#: Lines of the log that are shown.
_LINES = 8


def judge(seen: Snapshot) -> Cause:
    """The cause, of which the cure follows."""
    error = seen.error
    if error is None:
        return _of_writes(seen)
    if isinstance(error, Loading):
        return Cause(WAIT, str(error), error.remedy)
    if not seen.local or not isinstance(error, (NotListening, NoAnswer)):
        remedy = error.remedy
        if not seen.local:
            remedy += " Run this on the server's own host to see its process, log and disk."
        return Cause(OTHER, str(error), remedy.strip())
    if isinstance(error, NoAnswer):
        return _of_silence(seen)
    return _of_absence(seen)


def evidence(seen: Snapshot) -> list[dict[str, Any]]:
    """What was inspected, with the end of the log."""
    unit = seen.unit
    found = rows(
        [
            ("processes", ", ".join(each.described for each in seen.programs)),
            ("listens on", ", ".join(map(str, seen.ports))),
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
    return Cause(OTHER, f"{seen.address} answers, but {summary}", writable.remedy)


def _of_silence(seen: Snapshot) -> Cause:
    """Something accepts connections and does not answer."""
    text = str(seen.error)
    program = owner(seen)
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


def owner(seen: Snapshot) -> Program | None:
    """The process behind the address, which may be a tunnel to another host as well."""
    for program in seen.programs:
        if f"process {program.pid} " in seen.listener:
            return program
    alone = len(seen.programs) == 1 and seen.listener in ("", UNSEEN)
    return seen.programs[0] if alone else None


def _of_absence(seen: Snapshot) -> Cause:
    """Nothing listens at the address."""
    unit = seen.unit
    if seen.programs and _is_elsewhere(seen):
        ports = ", ".join(map(str, seen.ports)) or "no port that this user can see"
        return Cause(
            OTHER,
            f"nothing listens on {seen.address}, but Redis runs ({_named(seen.programs)}) and "
            f"listens on {ports}",
            "Compare port, bind and unixsocket in redis.conf with redis_url.",
        )
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


def _is_elsewhere(seen: Snapshot) -> bool:
    """Whether what runs is the Redis that is meant, and not another one of this host."""
    if seen.unit:
        return seen.unit.active == "active"
    return seen.configured_port != seen.port


def _of_log(seen: Snapshot) -> Cause | None:
    """What the log says, unless that is no longer the case."""
    full = no_room("Redis is down", seen.folder, seen.room)
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
    return bool(seen.kills and not _said(seen))


def _said(seen: Snapshot) -> Reason | None:
    failed = seen.unit is not None and seen.unit.failed_to_start
    return own_reason(reason(seen.said), reason(seen.log), failed)


def _named(programs: Sequence[Program]) -> str:
    return ", ".join(f"{each.name}, process {each.pid}" for each in programs[:3])
