# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Inspects Redis from outside: connection, process, unit, log, disk and the kernel's messages."""

from __future__ import annotations

import os
import re
from contextlib import suppress
from dataclasses import replace

from ...core.check import Check
from ...core.deadline import Deadline
from ...core.files import free_bytes
from ...core.state import StateFile
from ...core.thresholds import Thresholds
from ...linux.proc import read_text
from ...linux.programs import is_this_host, listener, ports_of, running, settled
from ...linux.units import Unit, journal, kernel_messages, read_units
from ...logs.tail import last_lines
from ..collect import collect as ask
from ..config.file import parse
from ..errors import NoAnswer
from ..options import Options as ProbeOptions
from ..writable import assess_writable
from .options import FILES, UNITS, Options
from .snapshot import Snapshot

NAMES = ("redis-server", "valkey-server", "keydb-server")
_KILLED = "Killed process"


def collect(options: Options, thresholds: Thresholds) -> Snapshot:
    """Everything that can be seen from here; never raises because Redis fails."""
    endpoint = options.endpoint
    probe = ProbeOptions(endpoint, options.timeout, samples=1)
    seen = ask(probe, StateFile(None, "redis", endpoint.address), Deadline(options.timeout))
    writable = assess_writable(seen, probe, thresholds) if seen.info else None
    error = seen.info_error or seen.error
    if seen.info and writable and writable.status != "ok":
        error = None  # what refuses writes says more
    local = bool(endpoint.path) or is_this_host(endpoint.host)
    found = Snapshot(endpoint.address, endpoint.port, local, error, writable)
    if not local or (not error and _is_fine(writable)):
        return found
    return _look_around(found, options)


def _is_fine(writable: Check | None) -> bool:
    return writable is not None and writable.status == "ok"


def _look_around(found: Snapshot, options: Options) -> Snapshot:
    programs = running(NAMES)
    if isinstance(found.error, NoAnswer):
        programs = [settled(each) for each in programs]
    unit = _unit(options)
    file = options.config_file or _file_of(unit)
    settings: dict[str, str] = {}
    with suppress(OSError, ValueError):
        settings = parse(file) if file else {}
    log, name = _log(options, unit, settings)
    folder = settings.get("dir", "")
    free = None
    with suppress(OSError):
        free = free_bytes(folder) if os.path.isabs(folder) else None
    return replace(
        found,
        programs=programs,
        ports=[port for program in programs for port in ports_of(program.pid)],
        configured_port=int(settings.get("port", 6379)) if settings else None,
        listener="" if options.endpoint.path else listener(found.port),
        unit=unit,
        log=log,
        log_name=name,
        folder=folder,
        free=free,
        memory=_available_memory(),
        kills=[line for line in kernel_messages(_KILLED) if any(each in line for each in NAMES)],
    )


def _unit(options: Options) -> Unit | None:
    units = read_units([options.unit] if options.unit else UNITS)
    return next(iter(units), None)


def _file_of(unit: Unit | None) -> str:
    """The configuration file that a unit starts with, or the usual one."""
    named = re.search(r"(/\S+\.conf)\b", unit.command) if unit else None
    if named:
        return named[1]
    return next((path for path in FILES if os.path.exists(path)), "") if unit else ""


def _log(options: Options, unit: Unit | None, settings: dict[str, str]) -> tuple[list[str], str]:
    """Its last messages and where they are; errors before it has a log are in the journal."""
    path = options.log_file or settings.get("logfile", "")
    lines: list[str] = []
    name = ""
    if os.path.isabs(path):
        name = path
        try:
            lines = last_lines(path)
        except OSError as error:
            name = f"{path}: {error.strerror}"
    if unit:
        said = journal(unit.name)
        if any("FATAL CONFIG" in line for line in said) or not lines:
            return [*lines, *said], name if lines else f"journalctl -u {unit.name}"
    return lines, name


def _available_memory() -> int | None:
    with suppress(OSError, ValueError, IndexError):
        for line in read_text("/proc/meminfo").splitlines():
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) * 1024
    return None
