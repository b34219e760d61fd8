# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Running programs of a name, and the ports on which they listen."""

from __future__ import annotations

import os
import re
import socket
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace

from .proc import read_text, stat_fields

#: State of a listening socket in /proc/net/tcp.
_LISTEN = "0A"
_UNASSIGNED = re.compile(
    r"(?:socket |address \")([0-9A-Fa-f.:]+?)(?::\d+: bind|\").*Cannot assign requested address"
)
#: What is said of the process behind a port without permission to see it.
UNSEEN = "a process that this user cannot see"
STATES = {
    "T": "stopped",
    "t": "stopped by a debugger",
    "D": "waiting for a disk",
    "R": "running",
    "S": "sleeping",
    "Z": "dead, and not yet collected by its parent",
}


@dataclass(frozen=True)
class Program:
    """A running process."""

    pid: int
    name: str
    state: str
    """One letter, see `STATES`."""
    title: str
    """Its command line, which servers rewrite to say what they do."""
    parent: int = 0

    @property
    def described(self) -> str:
        return f"process {self.pid} ({self.name}), {STATES.get(self.state, self.state)}"


def running(names: Iterable[str]) -> list[Program]:
    """The processes whose name is one of these, those of containers included."""
    wanted = set(names)
    found = []
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            with suppress(OSError):
                name = read_text(f"/proc/{entry}/comm").strip()
                if name in wanted:
                    found.append(_program(int(entry), name))
    return [program for program in found if program.state not in ("", "Z")]


def settled(program: Program, samples: int = 7, pause: float = 0.05) -> Program:
    """The process with the state that it is in most of the time; a state lasts but a moment."""
    states = [program.state]
    for _sample in range(samples):
        time.sleep(pause)
        states += stat_fields(program.pid)[:1]
    return replace(program, state=max(set(states), key=states.count))


def listening_ports() -> dict[int, str]:
    """Inode of the socket, by TCP port on which anything of this host listens."""
    ports = {}
    for table in ("tcp", "tcp6"):
        with suppress(OSError):
            for line in read_text(f"/proc/net/{table}").splitlines()[1:]:
                fields = line.split()
                if len(fields) > 9 and fields[3] == _LISTEN:
                    ports[int(fields[1].rpartition(":")[2], 16)] = fields[9]
    return ports


def ports_of(pid: int) -> list[int]:
    """TCP ports on which a process listens; empty without permission to see."""
    inodes = set(_sockets(pid))
    return sorted(port for port, inode in listening_ports().items() if inode in inodes)


def listener(port: int) -> str:
    """Who listens on a port, as text; empty if no one does."""
    inode = listening_ports().get(port)
    if not inode:
        return ""
    for entry in os.listdir("/proc"):
        if entry.isdigit() and inode in _sockets(int(entry)):
            with suppress(OSError):
                return f"process {entry} ({read_text(f'/proc/{entry}/comm').strip()})"
    return UNSEEN


def absent_address(lines: Sequence[str]) -> str:
    """The address that a program could not listen on by its log, if this host still has none such.

    At boot, a program may start before the network.
    """
    for line in reversed(lines):
        named = _UNASSIGNED.search(line)
        if named:
            return "" if is_this_host(named[1]) else named[1]
    return ""


def is_this_host(host: str) -> bool:
    """Whether an address, or a name, is one of this host's own."""
    try:
        found = socket.getaddrinfo(host, 0, type=socket.SOCK_STREAM)
    except OSError:
        return False
    for family, kind, _protocol, _name, address in found:
        with suppress(OSError), socket.socket(family, kind) as probe:
            probe.bind(address)
            return True
    return False


def _program(pid: int, name: str) -> Program:
    fields = stat_fields(pid)
    title = read_text(f"/proc/{pid}/cmdline").replace("\0", " ").strip()
    state, parent = (fields[0], int(fields[1])) if fields else ("", 0)
    return Program(pid, name, state, title, parent)


def _sockets(pid: int) -> Iterator[str]:
    folder = f"/proc/{pid}/fd"
    with suppress(OSError):
        for entry in os.listdir(folder):
            with suppress(OSError):
                found = re.fullmatch(r"socket:\[(\d+)\]", os.readlink(f"{folder}/{entry}"))
                if found:
                    yield found[1]
