# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The TCP connections of a process, and for how long each has been silent or waited for an answer.

From /proc, and from the kernel's socket diagnostics (``sock_diag(7)``), which need no privileges.
"""

from __future__ import annotations

import os
import socket
import struct
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass

from .proc import read_text

ESTABLISHED = 1
LISTEN = 10

_SOCK_DIAG = 4  # NETLINK_SOCK_DIAG
_BY_FAMILY = 20  # SOCK_DIAG_BY_FAMILY
_DUMP = 0x301  # NLM_F_REQUEST | NLM_F_DUMP
_ERROR, _DONE = 2, 3
_INFO = 2  # INET_DIAG_INFO
_HEADER = struct.Struct("=IHHII")
_REQUEST = struct.Struct("=BBBBI48s")
_ATTRIBUTE = struct.Struct("=HH")
_MESSAGE_SIZE = 72
_INODE_AT = 68
#: In ``struct tcp_info``: milliseconds since data was last sent, and last received.
_LAST_SENT_AT, _LAST_RECEIVED_AT = 44, 52
_BUFFER = 1 << 16
#: Seconds to wait for the kernel.
_PATIENCE = 1.0


@dataclass(frozen=True)
class Connection:
    """One TCP socket of a process."""

    inode: int
    local: tuple[str, int]
    peer: tuple[str, int]
    state: int
    sent: float | None = None
    """Seconds since data was last sent; none if the kernel does not tell."""
    received: float | None = None
    """Seconds since data was last received."""

    @property
    def waiting(self) -> float:
        """Seconds for which the other side has owed an answer; 0 if it owes none."""
        if self.sent is None or self.received is None or self.sent >= self.received:
            return 0.0
        return self.sent

    @property
    def silent(self) -> float | None:
        """Seconds since anything was sent or received."""
        if self.sent is None or self.received is None:
            return None
        return min(self.sent, self.received)


def connections(pid: int, inodes: set[int]) -> list[Connection]:
    """The TCP sockets among the open files of a process; raises OSError if /proc is not readable.

    ``inodes`` are those of `socket_inodes`.
    """
    times = _times() if same_network(pid) else {}
    found = []
    for name in ("tcp", "tcp6"):
        with suppress(FileNotFoundError):  # a kernel without IPv6
            for row in read_text(f"/proc/{pid}/net/{name}").split("\n")[1:]:
                each = _parse(row, times, inodes)
                if each:
                    found.append(each)
    return found


def socket_inodes(targets: Mapping[int, str]) -> set[int]:
    """The sockets among the open files of a process, by what their links in /proc say."""
    return {
        int(target[8:-1])
        for target in targets.values()
        if target.startswith("socket:[") and target[8:-1].isdigit()
    }


def same_network(pid: int) -> bool:
    """Whether a process is in this process' network, and not in that of a container."""
    with suppress(OSError):
        return os.readlink(f"/proc/{pid}/ns/net") == os.readlink("/proc/self/ns/net")
    return False


def _parse(
    row: str, times: Mapping[int, tuple[float, float]], inodes: set[int]
) -> Connection | None:
    """One line of /proc/net/tcp, if it is about one of these sockets."""
    fields = row.split()
    if len(fields) < 10 or not fields[9].isdigit() or int(fields[9]) not in inodes:
        return None
    inode = int(fields[9])
    sent, received = times.get(inode, (None, None))
    local, peer = parse_address(fields[1]), parse_address(fields[2])
    return Connection(inode, local, peer, int(fields[3], 16), sent, received)


def parse_address(text: str) -> tuple[str, int]:
    """``0100007F:1538``: each group of four bytes is in the order of this machine."""
    raw, _colon, port = text.partition(":")
    data = bytes.fromhex(raw)
    words = struct.pack(f">{len(data) // 4}I", *struct.unpack(f"={len(data) // 4}I", data))
    if words[:12] == bytes(10) + b"\xff\xff":  # IPv4 in an IPv6 socket
        words = words[12:]
    family = socket.AF_INET if len(words) == 4 else socket.AF_INET6
    return socket.inet_ntop(family, words), int(port, 16)


def _times() -> dict[int, tuple[float, float]]:
    """Seconds since data was last sent and received, by the inode of the socket.

    Empty if the kernel does not answer.
    """
    found: dict[int, tuple[float, float]] = {}
    with (
        suppress(OSError),
        socket.socket(
            socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, _SOCK_DIAG
        ) as stream,
    ):
        stream.settimeout(_PATIENCE)
        for family in (socket.AF_INET, socket.AF_INET6):
            body = _REQUEST.pack(
                family, socket.IPPROTO_TCP, 1 << (_INFO - 1), 0, 1 << ESTABLISHED, bytes(48)
            )
            head = _HEADER.pack(_HEADER.size + len(body), _BY_FAMILY, _DUMP, 1, 0)
            stream.send(head + body)
            found.update(_answers(stream))
    return found


def _answers(stream: socket.socket) -> Iterator[tuple[int, tuple[float, float]]]:
    while True:
        data = stream.recv(_BUFFER)
        while len(data) >= _HEADER.size:
            length, kind = _HEADER.unpack_from(data)[:2]
            if kind in (_ERROR, _DONE) or length < _HEADER.size:
                return
            message = data[_HEADER.size : length]
            times = _tcp_info(message[_MESSAGE_SIZE:])
            if times and len(message) >= _MESSAGE_SIZE:
                yield struct.unpack_from("=I", message, _INODE_AT)[0], times
            data = data[(length + 3) & ~3 :]


def _tcp_info(attributes: bytes) -> tuple[float, float] | None:
    while len(attributes) >= _ATTRIBUTE.size:
        length, kind = _ATTRIBUTE.unpack_from(attributes)
        if length < _ATTRIBUTE.size:
            break
        value = attributes[_ATTRIBUTE.size : length]
        if kind == _INFO and len(value) >= _LAST_RECEIVED_AT + 4:
            sent = struct.unpack_from("=I", value, _LAST_SENT_AT)[0]
            received = struct.unpack_from("=I", value, _LAST_RECEIVED_AT)[0]
            return sent / 1000, received / 1000
        attributes = attributes[(length + 3) & ~3 :]
    return None
