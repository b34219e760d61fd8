# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A copy of all data as an RDB file, which the server sends as it does to a replica.

Nothing is read from the server's disk, so it works from any host.
"""

from __future__ import annotations

import os
import tempfile
import time
from typing import IO, Any

from ...core.deadline import Deadline
from ...core.errors import Refused, Unreachable
from ...core.files import PARTIAL, free_bytes, sync_folder
from ...core.units import format_value
from ..connection import Endpoint, connect, redis
from ..server import Server

_BLOCK = 1 << 16
_MARK = 40
#: What an RDB file ends with: the code for its end, and eight bytes of a checksum.
_END, _CHECKSUM = 0xFF, 8


def room_for_dump(folder: str, needed: int) -> str:
    """Why a dump does not fit into a folder; empty if it does."""
    try:
        free = free_bytes(folder)
    except OSError as error:
        return f"dump_dir: {folder}: {error.strerror}"
    if free < needed:
        return (
            f"dump_dir: {folder} has {format_value(free, 'bytes')} free, a dump may need up to "
            f"{format_value(needed, 'bytes')}"
        )
    return ""


def write_dump(server: Server, folder: str, deadline: Deadline) -> str:
    """Write the dump, mode 0600, and return its path; raises `Refused`, `Unreachable`, OSError.

    A failure leaves nothing behind, a killed run a file whose name starts with `PARTIAL`.
    """
    os.makedirs(folder, mode=0o700, exist_ok=True)
    address = server.endpoint.address.strip("/").replace("/", "_").replace(":", "_")
    stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
    path = os.path.join(folder, f"redis-{address}-{stamp}.rdb")
    handle, partial = tempfile.mkstemp(dir=folder, prefix=PARTIAL)
    try:
        with os.fdopen(handle, "w+b") as stream:
            _receive(server.endpoint, server.timeout, stream, deadline)
            _check(stream)
            os.fsync(stream.fileno())
        os.replace(partial, path)
        sync_folder(folder)
    except BaseException:
        if os.path.exists(partial):
            os.unlink(partial)
        raise
    return path


def _receive(endpoint: Endpoint, timeout: float, stream: IO[bytes], deadline: Deadline) -> None:
    pool = connect(endpoint, timeout, decode=False).connection_pool
    connection: Any = pool.make_connection()
    where = endpoint.address
    try:
        connection.connect()
        # Else a server that could send it directly writes its own file first.
        connection.send_command("REPLCONF", "capa", "eof")
        connection.read_response()
        connection.send_command("SYNC")
        source = _Source(connection._sock, deadline)
        _copy(source, source.header(where), stream)
    except redis.ResponseError as error:
        raise Refused(
            f"{where} refuses to send a dump: {error}",
            f"'ACL SETUSER {endpoint.user} +sync +replconf' allows it.",
        ) from None
    except (redis.RedisError, OSError, EOFError) as error:
        raise Unreachable(
            f"{where} did not send a complete dump: {error or type(error).__name__}",
            "Its log says why: often no memory to fork, or no space on its disk.",
        ) from None
    finally:
        connection.disconnect()


class _Source:
    """What the server sends after SYNC."""

    def __init__(self, sock: Any, deadline: Deadline) -> None:
        self._sock, self._deadline, self._rest = sock, deadline, b""

    def read(self, size: int) -> bytes:
        """The next bytes, at least one; raises EOFError at the end."""
        if not self._rest:
            self._sock.settimeout(self._deadline.remaining())
            self._rest = self._sock.recv(_BLOCK)
            if not self._rest:
                raise EOFError("it closed the connection")
        found, self._rest = self._rest[:size], self._rest[size:]
        return bytes(found)

    def header(self, where: str) -> bytes:
        """The line that says how long the dump is; empty lines mean that it is being prepared."""
        line = b""
        while not line.endswith(b"\r\n"):
            line = (line + self.read(1)).lstrip(b"\n")
        if not line.startswith(b"$"):
            text = line.decode(errors="replace").strip().lstrip("-")
            raise Refused(
                f"{where} refuses to send a dump: {text}",
                "It needs permission for SYNC and REPLCONF: '+sync +replconf'.",
            )
        return line[1:-2]


def _copy(source: _Source, header: bytes, stream: IO[bytes]) -> None:
    if not header.startswith(b"EOF:"):
        left = int(header)
        while left:
            block = source.read(left)
            stream.write(block)
            left -= len(block)
        return
    mark, held = header[4:], b""
    while not held.endswith(mark):
        held += source.read(_BLOCK)
        stream.write(held[:-_MARK])
        held = held[-_MARK:]


def _check(stream: IO[bytes]) -> None:
    """Raise EOFError unless the file begins and ends as a dump does."""
    stream.flush()
    stream.seek(0)
    beginning = stream.read(5)
    size = stream.seek(0, os.SEEK_END)
    stream.seek(max(0, size - _CHECKSUM - 1))
    if beginning not in (b"REDIS", b"VALKE") or stream.read(1) != bytes([_END]):
        raise Unreachable("what the server sent is not a complete dump", "Try again.")
