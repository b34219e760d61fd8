# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Why PostgreSQL does not work, and whether a restart is the cure. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

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
from ...core.text import redact, shorten
from ...core.units import format_value
from ...linux.programs import UNSEEN
from ...linux.units import busy, down, forbidden
from ..errors import NoConnection
from .log import READ_ONLY, of_server, reason
from .snapshot import Snapshot

_NEVER = ", and never delete anything in pg_wal"
_LINES = 8
_TOO_MANY = "53300"
#: SQLSTATEs of a server that starts, recovers or stops.
_BUSY = ("57P03", "57P02", "57P01")


def judge(seen: Snapshot) -> Cause:
    """The cause, of which the cure follows."""
    cause = _judge(seen)
    if cause.cure == RESTART and seen.managers:
        name = seen.managers[0].name
        remedy = f"Ask {name} first: a start around it may leave two servers that take writes."
        return Cause(OTHER, f"{cause.text}; {name} decides which server runs", remedy)
    return cause


def _judge(seen: Snapshot) -> Cause:
    error = seen.error
    if error is None:
        text = f"PostgreSQL at {seen.address} answers{', as a standby' if seen.in_recovery else ''}"
        return no_room(text, seen.data, seen.room, _NEVER) or Cause(NOTHING, text)
    state = error.state if isinstance(error, NoConnection) else ""
    if state in _BUSY:
        return Cause(WAIT, f"{error}{_progress(seen)}", error.remedy)
    if state == _TOO_MANY:
        remedy = "Run relieve_connections.yml, which ends idle sessions and keeps the others."
        return Cause(OTHER, str(error), remedy)
    is_down = isinstance(error, NoConnection) and error.nothing_listens
    is_frozen = isinstance(error, NoConnection) and error.frozen
    if not seen.local or not (is_down or is_frozen):
        remedy = error.remedy
        if not seen.local:
            remedy += " Run this on the server's own host to see its processes, log and disk."
        return Cause(OTHER, str(error), remedy.strip())
    return _of_process(seen) if seen.program else _of_absence(seen, is_frozen)


def evidence(seen: Snapshot) -> list[dict[str, Any]]:
    """What was inspected, with the end of the log."""
    unit = seen.unit
    main = seen.program
    found = rows(
        [
            ("main process", main.described if main else ""),
            ("postmaster.pid", seen.postmaster.status if seen.postmaster else ""),
            ("recovery", seen.recovering),
            (f"port {seen.port}", seen.listener),
            (unit.name if unit else "", unit.described if unit else ""),
            (f"free for {seen.data}", _size(seen.room.free if seen.room else None)),
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
    return [shorten(redact(line), 200) for line in of_server(lines) if line.strip()][-_LINES:]


def _size(value: int | None) -> str:
    return "" if value is None else format_value(value, "bytes")


def _progress(seen: Snapshot) -> str:
    """How far the recovery is, by its process and by the log."""
    parts = [seen.recovering] if seen.recovering else []
    told = [line for line in seen.log if "in progress, elapsed time" in line]
    if told:
        parts.append(shorten(told[-1].rpartition("LOG:")[2], 120))
    return f" ({'; '.join(parts)})" if parts else ""


def _of_process(seen: Snapshot) -> Cause:
    """The main process is there, and does not answer."""
    program, postmaster = seen.program, seen.postmaster
    if not program or not postmaster:
        return _of_absence(seen, frozen=False)
    if program.state in ("T", "t"):
        remedy = f"A signal stopped it: 'kill -CONT {program.pid}' continues it, nothing is lost."
        return Cause(OTHER, f"PostgreSQL does not answer: {program.described}", remedy)
    if postmaster.status in ("starting", "stopping"):
        text = f"PostgreSQL is {postmaster.status}{_progress(seen)}"
        return Cause(WAIT, text, "Its log shows how far it is.")
    if postmaster.port and postmaster.port != seen.port:
        text = f"PostgreSQL runs, and listens on port {postmaster.port}, not on {seen.port}"
        return Cause(OTHER, text, "Correct the port in database_url.")
    if isinstance(seen.error, NoConnection) and seen.error.nothing_listens:
        text = f"PostgreSQL runs ({program.described}), but nothing listens on {seen.address}"
        remedy = "Compare listen_addresses and unix_socket_directories with database_url."
        return Cause(OTHER, text, remedy)
    remedy = (
        "Check the disk ('iostat -x 1', 'dmesg') and the load of the host. A restart would end "
        "every session, and may hang as well."
    )
    return Cause(OTHER, f"{seen.error}: {program.described}", remedy)


def _of_absence(seen: Snapshot, frozen: bool) -> Cause:
    """No main process of this server is seen."""
    unit = seen.unit
    if frozen:
        found = _of_log(seen) if unit and unit.ended else None
        if found and found.cure == OTHER:
            return found
        remedy = "Its process cannot be seen from here, perhaps it is in a container. "
        if seen.listener not in ("", UNSEEN):
            remedy = f"What listens there is {seen.listener}. "
        return Cause(OTHER, str(seen.error), remedy + (seen.error.remedy if seen.error else ""))
    if seen.programs and not seen.data and not (unit and unit.active == "failed"):
        count = len(seen.programs)
        return Cause(
            OTHER,
            f"nothing listens on {seen.address}, but {count} other PostgreSQL runs on this host",
            "Compare port and listen_addresses with database_url; if it is another server that "
            "should run, name its folder in data_directory.",
        )
    stopped = forbidden(unit)
    if stopped:
        return stopped
    if seen.orphans:
        pids = ", ".join(str(each.pid) for each in seen.orphans[:5])
        remedy = f"They end by themselves. If one hangs, 'kill {seen.orphans[0].pid}', never -9."
        text = f"processes of a PostgreSQL that was killed are still ending ({pids})"
        return Cause(WAIT, text, remedy)
    found = _of_log(seen)
    if found and found.cure == OTHER:
        return found
    starting = busy(unit)
    if starting:
        return starting
    if (unit and unit.result == "oom-kill" and not unit.failed_to_start) or (
        seen.kills and not found
    ):
        remedy = "See what used the memory: work_mem, the number of connections, other programs."
        return Cause(RESTART, "PostgreSQL is down: the kernel killed it for lack of memory", remedy)
    return found or down("PostgreSQL", unit, seen.corrected)


def _of_log(seen: Snapshot) -> Cause | None:
    """What the log says, unless that is no longer the case."""
    full = no_room("PostgreSQL is down", seen.data, seen.room, _NEVER)
    if full:
        return full
    found = _said(seen)
    if not found:
        return None
    cause = as_of_now("PostgreSQL", found, seen.room, seen.corrected, seen.absent, seen.listener)
    if found.kind == READ_ONLY and seen.room:
        return Cause(RESTART, f"{cause.text}, and can be written now", cause.remedy)
    return cause


def _said(seen: Snapshot) -> Reason | None:
    failed = seen.unit is not None and seen.unit.failed_to_start
    return own_reason(reason(seen.said), reason(seen.log), failed)
