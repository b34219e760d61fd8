# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Inspects Redis from outside: connection, process, unit, log, disk and the kernel's messages."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace

from ...core.check import Check
from ...core.deadline import Deadline
from ...core.files import room_of, tree
from ...core.recovery import FULL
from ...core.state import StateFile
from ...core.thresholds import Thresholds
from ...linux.proc import read_text
from ...linux.programs import (
    Program,
    absent_address,
    is_this_host,
    listener,
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
from ..connection import Endpoint
from ..errors import CommandRefused, NoAnswer
from ..options import Options as ProbeOptions
from ..remedies import as_offered
from ..writable import assess_writable
from .data import keeps_data, room_needed
from .options import FILES, UNITS, Options
from .places import elsewhere, hosts_of, same_socket, servers, serving, similar, unclear
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
    writable = None
    if seen.info:
        writable = as_offered(assess_writable(seen, probe, thresholds), seen)
    error = seen.info_error or seen.error
    if seen.info and writable and writable.status != "ok":
        error = None  # what refuses writes says more
    local = bool(endpoint.path) or is_this_host(endpoint.host)
    found = Snapshot(endpoint.address, endpoint.port, local, error, writable)
    if not local or isinstance(error, CommandRefused) or (not error and _is_fine(writable)):
        return found
    return _look_around(found, options)


def _is_fine(writable: Check | None) -> bool:
    return writable is not None and writable.status == "ok"


def _look_around(found: Snapshot, options: Options) -> Snapshot:
    found = _with_processes(found, options.endpoint)
    unit = _unit(options, found.serving if isinstance(found.error, NoAnswer) else None)
    file = options.config_file or _file_of(unit)
    settings: dict[str, str] = {}
    with suppress(OSError, ValueError):
        settings = parse(file) if file else {}
    log, name = _log(options, unit, settings)
    folder = settings.get("dir", "")
    said = last_words(unit)
    room = None
    with suppress(OSError):
        room = room_of(folder) if os.path.isabs(folder) and keeps_data(settings) else None
    return replace(
        found,
        configured=_names(settings, options.endpoint) if settings else None,
        unit=unit,
        log=log,
        log_name=name,
        said=said,
        corrected=corrected(unit, name, _files(file, settings)),
        absent=absent_address([*log, *said]),
        folder=folder,
        room=room,
        needed=room_needed(folder, settings) if room else FULL,
        memory=_available_memory(),
        kills=[line for line in kernel_messages(_KILLED) if any(each in line for each in NAMES)],
    )


def _with_processes(found: Snapshot, endpoint: Endpoint) -> Snapshot:
    """Which of those that run is the one at the address, and which may have been meant to be."""
    programs = running(NAMES)
    if isinstance(found.error, NoAnswer):
        programs = [settled(each) for each in programs]
    hosts = hosts_of(endpoint)
    heard = "" if endpoint.path else listener(found.port, hosts)
    looked = servers(programs)
    return replace(
        found,
        running=[each.described for each in looked],
        serving=serving(looked, endpoint, hosts, heard),
        similar=[each.described for each in looked if similar(each, endpoint)],
        unclear=[each.described for each in looked if unclear(each, endpoint)],
        listener=heard,
    )


def _unit(options: Options, hanging: Program | None) -> Unit | None:
    """The unit of this Redis, and of no other on this host; none if that is not certain."""
    if options.unit:
        return next(iter(read_units([options.unit])), None)
    if hanging:
        return unit_of(hanging.pid)
    units = read_units(UNITS)
    serves = {unit.name: _serves(unit, options) for unit in units}
    for wanted in (True, None):
        likely = [unit for unit in units if serves[unit.name] is wanted]
        if wanted is None:
            likely = [unit for unit in likely if not elsewhere(unit.pid, options.endpoint)]
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
    given = re.search(r"--port (\d+)", unit.command)
    if given:
        settings["port"] = given[1]
    if options.endpoint.path and "unixsocket" not in settings:
        return None
    return _names(settings, options.endpoint) if settings else None


def _names(settings: Mapping[str, str], endpoint: Endpoint) -> bool:
    """Whether a configuration names the address."""
    if endpoint.path:
        path = settings.get("unixsocket", "")
        return bool(path) and same_socket(path, endpoint.path)
    ports = (_port(settings.get("port")), _port(settings.get("tls-port", "0")))
    return endpoint.port in ports


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
