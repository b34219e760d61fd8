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
from ...core.files import room_of, tree
from ...core.state import StateFile
from ...core.thresholds import Thresholds
from ...linux.proc import read_text
from ...linux.programs import (
    Program,
    absent_address,
    is_this_host,
    listener,
    ports_of,
    running,
    settled,
)
from ...linux.units import (
    Unit,
    corrected,
    journal,
    kernel_messages,
    last_words,
    read_units,
    unit_of,
)
from ...logs.tail import last_lines
from ..collect import collect as ask
from ..config.file import parse
from ..errors import NoAnswer
from ..options import Options as ProbeOptions
from ..writable import assess_writable
from .judge import owner
from .options import FILES, UNITS, Options
from .snapshot import Snapshot

NAMES = ("redis-server", "valkey-server", "keydb-server")
_FOLDERS = ("/etc/redis/", "/etc/valkey/")
_TLS_FILES = ("tls-cert-file", "tls-key-file", "tls-ca-cert-file")
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
    found = replace(
        found,
        programs=programs,
        listener="" if options.endpoint.path else listener(found.port),
    )
    unit = _unit(options, owner(found) if isinstance(found.error, NoAnswer) else None)
    file = options.config_file or _file_of(unit)
    settings: dict[str, str] = {}
    with suppress(OSError, ValueError):
        settings = parse(file) if file else {}
    log, name = _log(options, unit, settings)
    folder = settings.get("dir", "")
    said = last_words(unit)
    room = None
    with suppress(OSError):
        room = room_of(folder) if os.path.isabs(folder) else None
    return replace(
        found,
        ports=[port for program in programs for port in ports_of(program.pid)],
        configured_port=_port(settings.get("port")) if settings else None,
        unit=unit,
        log=log,
        log_name=name,
        said=said,
        corrected=corrected(unit, name, _files(file, settings)),
        absent=absent_address([*log, *said]),
        folder=folder,
        room=room,
        memory=_available_memory(),
        kills=[line for line in kernel_messages(_KILLED) if any(each in line for each in NAMES)],
    )


def _unit(options: Options, hanging: Program | None) -> Unit | None:
    """The unit of this Redis, and of no other on this host; none if that is not certain."""
    if options.unit:
        return next(iter(read_units([options.unit])), None)
    if hanging:
        return unit_of(hanging.pid)
    units = read_units(UNITS)
    serving = {unit.name: _serves(unit, options) for unit in units}
    for wanted in (True, None):
        likely = [unit for unit in units if serving[unit.name] is wanted]
        # The name of an alias starts what its own name may not.
        likely = [unit for unit in likely if unit.load == "masked"] or likely
        if likely:
            return likely[0] if len(likely) == 1 else None
    return None


def _serves(unit: Unit, options: Options) -> bool | None:
    """Whether a unit's Redis is the one at the address; none if its file cannot be read."""
    settings: dict[str, str] = {}
    with suppress(OSError):
        settings = parse(_file_of(unit) or options.config_file)
    endpoint = options.endpoint
    if endpoint.path:
        path = settings.get("unixsocket")
        return path == endpoint.path if path else None
    given = re.search(r"--port (\d+)", unit.command)
    if not given and not settings:
        return None
    return endpoint.port in (
        _port(given[1] if given else settings.get("port")),
        _port(settings.get("tls-port", "0")),
    )


def _port(text: str | None) -> int:
    """The one that a setting names; 6379 is Redis' own default."""
    return int(text) if text and text.isdigit() else 6379


def _file_of(unit: Unit | None) -> str:
    """The configuration file that a unit starts with, or the usual one."""
    named = re.search(r"(/\S+\.conf)\b", unit.command) if unit else None
    if named:
        return named[1]
    return next((path for path in FILES if os.path.exists(path)), "") if unit else ""


def _log(options: Options, unit: Unit | None, settings: dict[str, str]) -> tuple[list[str], str]:
    """Its last messages and where they are; the journal has them if it has no log of its own."""
    path = options.log_file or settings.get("logfile", "")
    if os.path.isabs(path):
        try:
            return last_lines(path), path
        except OSError as error:
            return [], f"{path}: {error.strerror}"
    return (journal(unit), f"journalctl -u {unit.name}") if unit else ([], "")


def _files(config: str, settings: dict[str, str]) -> list[str]:
    """The files that it is started with."""
    named = [settings.get(name, "") for name in ("aclfile", *_TLS_FILES)]
    # Everything in Debian's folder, as a file that was removed may have been the trouble.
    folder = tree(os.path.dirname(config)) if config.startswith(_FOLDERS) else []
    return [path for path in (config, *folder, *named) if path]


def _available_memory() -> int | None:
    with suppress(OSError, ValueError, IndexError):
        for line in read_text("/proc/meminfo").splitlines():
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) * 1024
    return None
