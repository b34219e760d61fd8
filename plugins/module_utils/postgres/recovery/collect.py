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
from ...core.files import free_bytes
from ...linux.proc import read_text, working_directory
from ...linux.programs import Program, is_this_host, listener, running
from ...linux.units import Unit, journal, kernel_messages, read_units
from ...logs.tail import last_lines
from ..connection import Connection
from ..url import Target
from .options import Options
from .snapshot import Postmaster, Snapshot

_NAMES = ("postgres", "postmaster")
_MANAGERS = ("patroni", "stolon-keeper", "pg_autoctl", "pacemakerd")
#: Main configuration files of Debian's clusters: version and name are in the path.
_CLUSTERS = "/etc/postgresql/*/*/postgresql.conf"
_PORT = re.compile(r"^\s*port\s*=?\s*'?(\d+)", re.MULTILINE)
_DATA = re.compile(r"^\s*data_directory\s*=?\s*'([^']+)'", re.MULTILINE)


def collect(target: Target, options: Options) -> Snapshot:
    """Everything that can be seen from here; never raises because PostgreSQL fails."""
    host, port = target.hosts[0]
    local = not host or host.startswith(("/", "@")) or is_this_host(host)
    error, in_recovery = _ask(target, options.timeout)
    number = int(port) if port.isdigit() else 5432
    found = Snapshot(target.address, number, local, error, in_recovery)
    if error is None or not local:
        return found
    return _look_around(found, options)


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
    pids = {each.pid for each in processes}
    mains = [each for each in processes if each.parent not in pids]
    config = _cluster(found.port)
    data = options.data_directory or _data_of(config) or _data_of_main(mains, found.port)
    postmaster = _postmaster(data)
    main = next((each for each in mains if postmaster and each.pid == postmaster.pid), None)
    unit = _unit(options, config)
    log, name = _log(options, data, config, unit)
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
        free=_free(data),
        kills=[line for line in kernel_messages("Killed process") if "(postgres)" in line],
    )


def _cluster(port: int) -> str:
    """The configuration file of Debian's cluster on a port; empty if there is none."""
    for path in sorted(glob.glob(_CLUSTERS)):
        with suppress(OSError):
            named = _PORT.findall(read_text(path))
            if int(named[-1] if named else 5432) == port:
                return path
    return ""


def _data_of(config: str) -> str:
    with suppress(OSError):
        named = _DATA.findall(read_text(config)) if config else []
        return str(named[-1]) if named else ""
    return ""


def _data_of_main(mains: Sequence[Program], port: int) -> str:
    """The data directory of the server that was started for a port; it is in it."""
    for main in mains:
        with suppress(OSError):
            data = working_directory(main.pid)
            found = _postmaster(data)
            if found and (found.port == port or len(mains) == 1):
                return data
    return ""


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


def _unit(options: Options, config: str) -> Unit | None:
    """The unit of this server, and of no other on this host; none if that is not certain."""
    if options.unit:
        return next(iter(read_units([options.unit])), None)
    if config:
        version, cluster = config.split("/")[3:5]
        return next(iter(read_units([f"postgresql@{version}-{cluster}.service"])), None)
    names = [f"postgresql-{version}.service" for version in range(18, 13, -1)]
    units = [unit for unit in read_units([*names, "postgresql.service"]) if _is_server(unit)]
    enabled = [unit for unit in units if unit.enabled.startswith("enabled")]
    likely = enabled or units
    return likely[0] if len(likely) == 1 else None


def _is_server(unit: Unit) -> bool:
    """Debian's postgresql.service runs nothing itself, and restarts all clusters."""
    return "/bin/true" not in unit.command


def _log(options: Options, data: str, config: str, unit: Unit | None) -> tuple[list[str], str]:
    for path in _log_files(options, data, config):
        with suppress(OSError):
            return last_lines(path), path
    if options.log_file:
        return [], f"{options.log_file} cannot be read"
    if unit:
        return journal(unit.name), f"journalctl -u {unit.name}"
    return [], ""


def _log_files(options: Options, data: str, config: str) -> list[str]:
    """The log of the option, else that of the cluster, else the newest in the data directory."""
    if options.log_file:
        return [options.log_file]
    files = []
    if config:
        version, cluster = config.split("/")[3:5]
        files.append(f"/var/log/postgresql/postgresql-{version}-{cluster}.log")
    if data:
        found = glob.glob(os.path.join(glob.escape(data), "log", "*"))
        files += sorted(found, key=os.path.getmtime, reverse=True)[:1]
    return files


def _free(data: str) -> int | None:
    """The least that is free in the data directory and, if it is elsewhere, that of WAL."""
    if not data:
        return None
    found = []
    for folder in (data, os.path.join(data, "pg_wal")):
        with suppress(OSError):
            found.append(free_bytes(os.path.realpath(folder)))
    return min(found, default=None)
