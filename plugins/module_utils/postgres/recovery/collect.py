# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Inspects PostgreSQL from outside: connection, processes, unit, log, disk, kernel messages."""

from __future__ import annotations

import glob
import os
import re
from collections.abc import Sequence
from contextlib import closing, suppress
from dataclasses import replace

from ...core.deadline import Deadline, DeadlineExceeded
from ...core.errors import Unreachable
from ...core.files import Room, room_of, tree
from ...linux.proc import read_text, working_directory
from ...linux.programs import Program, absent_address, is_this_host, listener, running
from ...linux.units import Unit, corrected, journal, kernel_messages, last_words, read_units
from ...logs.tail import last_lines
from ..connection import Connection
from ..url import Target
from .clusters import Cluster, cluster_on
from .options import Options
from .snapshot import Postmaster, Snapshot

_NAMES = ("postgres", "postmaster")
#: What the log of a cluster says if the rest is in that of its log collector.
_COLLECTED = "redirecting log output to logging collector process"
_MANAGERS = ("patroni", "stolon-keeper", "pg_autoctl", "pacemakerd")


def collect(target: Target, options: Options) -> Snapshot:
    """Everything that can be seen from here; never raises because PostgreSQL fails."""
    host, port = target.hosts[0]
    local = not host or host.startswith(("/", "@")) or is_this_host(host)
    error, in_recovery = _ask(target, options.timeout)
    number = int(port) if port.isdigit() else 5432
    found = Snapshot(target.address, number, local, error, in_recovery)
    if not local:
        return found
    return _with_room(found, options) if error is None else _look_around(found, options)


def _with_room(found: Snapshot, options: Options) -> Snapshot:
    """Where it keeps its data, and the room there: one that answers may be about to end."""
    cluster = cluster_on(found.port)
    data = options.data_directory or cluster.data or _data_of_main(_mains(), found.port)
    return replace(found, data=data, room=_room(data))


def _mains(processes: Sequence[Program] | None = None) -> list[Program]:
    """The main processes of all PostgreSQL of this host."""
    found = running(_NAMES) if processes is None else processes
    pids = {each.pid for each in found}
    return [each for each in found if each.parent not in pids]


def _ask(target: Target, timeout: float) -> tuple[Unreachable | None, bool]:
    connection = Connection(target, "gpt_agent.runbook/pg_recovery", Deadline(timeout))
    with closing(connection):
        try:
            connection.open()
            rows = connection.begin("its state", "SELECT pg_is_in_recovery()")
        except Unreachable as error:
            return error, False
        except DeadlineExceeded:
            return connection.no_answer(), False
    return None, bool(rows and rows[0][0])


def _look_around(found: Snapshot, options: Options) -> Snapshot:
    processes = running(_NAMES)
    mains = _mains(processes)
    cluster = cluster_on(found.port)
    unit = _unit(options, cluster)
    data = options.data_directory or cluster.data or _data_of_main(mains, found.port)
    if not data and not mains:  # else it may be one of those that is meant
        data = _data_of_unit(unit)
    postmaster = _postmaster(data)
    main = next((each for each in mains if postmaster and each.pid == postmaster.pid), None)
    log, name = _log(options, data, cluster, unit)
    said = last_words(unit)
    return replace(
        found,
        data=data,
        postmaster=postmaster,
        program=main,
        programs=mains,
        orphans=[] if main else [each for each in mains if _works_in(each, data)],
        managers=[] if options.unit or options.restart_command else running(_MANAGERS),
        recovering=_recovering(processes, main),
        listener=listener(found.port),
        unit=unit,
        log=log,
        log_name=name,
        said=said,
        corrected=corrected(unit, name, _files(data, cluster, unit)),
        absent=absent_address([*log, *said]),
        room=_room(data),
        kills=[line for line in kernel_messages("Killed process") if "(postgres)" in line],
    )


def _data_of_main(mains: Sequence[Program], port: int) -> str:
    """The data directory of the server that was started for a port; it is in it.

    The only one that runs counts as well, unless it was started for another port.
    """
    for main in mains:
        with suppress(OSError):
            data = working_directory(main.pid)
            found = _postmaster(data)
            if found and (found.port == port or (len(mains) == 1 and not found.port)):
                return data
    return ""


def _data_of_unit(unit: Unit | None) -> str:
    """The data directory by a unit, as Red Hat's have it."""
    named = re.search(r"\bPGDATA=(/[^\s\"]+)", unit.environment) if unit else None
    named = named or (re.search(r" -D *(/[^\s;]+)", unit.command) if unit else None)
    return named[1] if named else ""


def _postmaster(data: str) -> Postmaster | None:
    with suppress(OSError, ValueError, IndexError):
        lines = read_text(os.path.join(data, "postmaster.pid")).splitlines() if data else []
        port = int(lines[3]) if len(lines) > 3 and lines[3].isdigit() else 0
        return Postmaster(int(lines[0]), port, lines[7].strip() if len(lines) > 7 else "")
    return None


def _works_in(program: Program, data: str) -> bool:
    with suppress(OSError):
        return bool(data) and working_directory(program.pid) == os.path.realpath(data)
    return False


def _recovering(processes: Sequence[Program], main: Program | None) -> str:
    for each in processes:
        if main and each.parent == main.pid and " startup" in each.title:
            return each.title.split("postgres:")[-1].strip()
    return ""


def _unit(options: Options, cluster: Cluster) -> Unit | None:
    """The unit of this server, and of no other on this host; none if that is not certain."""
    if options.unit:
        return next(iter(read_units([options.unit])), None)
    if cluster.version_and_name.count("-") > 1:
        return None  # Debian's unit takes a dash in the name for a slash, and never starts
    if cluster.config:
        name = f"postgresql@{cluster.version_and_name}.service"
        return next(iter(read_units([name])), None)
    names = [f"postgresql-{version}.service" for version in range(18, 13, -1)]
    units = [unit for unit in read_units([*names, "postgresql.service"]) if _is_server(unit)]
    enabled = [unit for unit in units if unit.enabled.startswith("enabled")]
    likely = enabled or units
    return likely[0] if len(likely) == 1 else None


def _is_server(unit: Unit) -> bool:
    """Debian's postgresql.service runs nothing itself, and restarts all clusters."""
    return "/bin/true" not in unit.command


def _log(options: Options, data: str, cluster: Cluster, unit: Unit | None) -> tuple[list[str], str]:
    """Its last messages, and where they are."""
    lines: list[str] = []
    name = options.log_file
    for path in [name] if name else _log_files(data, cluster):
        with suppress(OSError):
            lines += last_lines(path)
            name = path
    if not lines and name:
        return [], f"{name} cannot be read"
    if not lines and unit:
        return journal(unit), f"journalctl -u {unit.name}"
    return lines, name


def _log_files(data: str, cluster: Cluster) -> list[str]:
    """The log of Debian's cluster, and the newest of the log collector unless that is older."""
    folder = cluster.logs or (os.path.join(data, "log") if data else "")
    collected = glob.glob(os.path.join(glob.escape(folder), "*.log")) if folder else []
    newest = sorted(collected, key=os.path.getmtime)[-1:]
    if not cluster.config:
        return newest
    own = f"/var/log/postgresql/postgresql-{cluster.version_and_name}.log"
    with suppress(OSError):
        if any(_COLLECTED in line for line in last_lines(own, 10)):
            return [own, *newest]
    return [own]


def _files(data: str, cluster: Cluster, unit: Unit | None) -> list[str]:
    """The files that it is started with, and the data directory, whose owner and mode count."""
    files = glob.glob(os.path.join(glob.escape(data), "*.conf")) if data else []
    if cluster.config:
        files += tree(os.path.dirname(cluster.config))
    return [*files, data] if unit and data else files


def _room(data: str) -> Room | None:
    """The least room of the data directory and, if it is elsewhere, of WAL."""
    found = []
    for folder in (data, os.path.join(data, "pg_wal")) if data else ():
        with suppress(OSError):
            found.append(room_of(os.path.realpath(folder)))
    return min(
        found, key=lambda room: (not room.read_only, room.files != 0, room.free), default=None
    )
