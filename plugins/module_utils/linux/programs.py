# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Running programs of a name, and where they listen."""

from __future__ import annotations

import os
import re
import socket
import time
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import NamedTuple

from .proc import read_text, stat_fields
from .sockets import parse_address

#: State of a listening socket in /proc/net/tcp.
_LISTEN = "0A"
#: Flag of one in /proc/net/unix.
_ACCEPTS = 0x10000
#: The addresses of a socket that listens on all of this host.
_EVERY = ("0.0.0.0", "::")  # noqa: S104 - reads them, binds nothing
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


class Place(NamedTuple):
    """Where a process accepts connections."""

    host: str = ""
    port: int = 0
    """0 for a Unix socket."""
    path: str = ""
    """Path of a Unix socket."""

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return self.path or f"{host}:{self.port}"

    def serves(self, port: int, hosts: Collection[str]) -> bool:
        """Whether connections to a port of one of these IP addresses arrive here."""
        return bool(port) and self.port == port and (self.host in _EVERY or self.host in hosts)


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


def listening(process: int | str = "self") -> dict[str, Place]:
    """Where anything accepts connections in the network of a process, by inode of the socket."""
    found = {}
    for table in ("tcp", "tcp6"):
        for fields in _table(process, table):
            if len(fields) > 9 and fields[3] == _LISTEN:
                found[fields[9]] = Place(*parse_address(fields[1]))
    for fields in _table(process, "unix"):
        if len(fields) > 7 and int(fields[3], 16) & _ACCEPTS:
            found[fields[6]] = Place(path=" ".join(fields[7:]))
    return found


def places_of(pid: int) -> list[Place]:
    """Where a process accepts connections; empty without permission to see."""
    inodes = set(_sockets(pid))
    found = [place for inode, place in listening(pid).items() if inode in inodes]
    return sorted(found, key=lambda place: (place.path, place.host, place.port))


def listener(port: int, hosts: Collection[str] = ()) -> str:
    """Who listens on a port, as text; empty if no one does. With ``hosts``, at one of these."""
    inodes = {
        inode
        for inode, place in listening().items()
        if (place.serves(port, hosts) if hosts else place.port == port)
    }
    if not inodes:
        return ""
    for entry in os.listdir("/proc"):
        if entry.isdigit() and inodes.intersection(_sockets(int(entry))):
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


def _table(process: int | str, name: str) -> Iterator[list[str]]:
    """The rows of a table of sockets; none without permission to read it."""
    with suppress(OSError):
        for line in read_text(f"/proc/{process}/net/{name}").splitlines()[1:]:
            yield line.split()


def _sockets(pid: int) -> Iterator[str]:
    folder = f"/proc/{pid}/fd"
    with suppress(OSError):
        for entry in os.listdir(folder):
            with suppress(OSError):
                found = re.fullmatch(r"socket:\[(\d+)\]", os.readlink(f"{folder}/{entry}"))
                if found:
                    yield found[1]
