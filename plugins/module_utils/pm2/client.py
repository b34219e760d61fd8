# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Client for the RPC socket of PM2's daemon. Needs no Node.js, and never starts a daemon.

PM2 speaks axon's request and reply over AMP: a message is one byte (version and number of
arguments), then each argument preceded by its length; arguments are tagged ``j:`` (JSON) or ``s:``
(string). The daemon sends the whole environment of every process, secrets included, so only the
fields of `Instance` are taken from its answer; `Settings` alone keeps more, to start an app again.
"""

from __future__ import annotations

import json
import os
import socket
import struct
from collections.abc import Iterable
from typing import Any

from ..core.deadline import Deadline, DeadlineExceeded
from ..core.errors import Unreachable
from ..linux.proc import current_user, owner_name
from .daemon import start_time
from .instance import Instance, instance_from

_VERSION = 1
_MAX_ANSWER = 64 << 20
_PEER = struct.Struct("3i")


class AccessDenied(Unreachable):
    """This user lacks permission to connect to the daemon, which may well be running."""


class Client:
    """A connection to the daemon of one PM2_HOME. Raises `Unreachable` if no daemon is running."""

    def __init__(self, home: str, deadline: Deadline) -> None:
        self.home = home
        self.socket_path = os.path.join(home, "rpc.sock")
        self.daemon_pid = 0
        self._deadline = deadline
        self._calls = 0
        self._stream = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            self._connect(home)
        except BaseException:
            self._stream.close()
            raise

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *exc: object) -> None:
        self._stream.close()

    @property
    def daemon_id(self) -> str:
        """Identifies this run of the daemon: another one starts counting restarts at zero."""
        return f"{self.daemon_pid}:{start_time(self.daemon_pid)}"

    def instances(self) -> list[Instance]:
        """All processes under PM2, its own modules included."""
        return [instance_from(row) for row in self.rows()]

    def rows(self) -> list[dict[str, Any]]:
        """PM2's own rows, the whole environment with its secrets included.

        Only for what starts an app again with the same settings.
        """
        answer = self.call("getMonitorData", {})
        rows = answer[0] if answer and isinstance(answer[0], list) else None
        if rows is None:
            raise Unreachable(f"PM2's daemon at {self.socket_path} sent no list of processes")
        return [
            row for row in rows if isinstance(row, dict) and isinstance(row.get("pm2_env"), dict)
        ]

    def call(self, method: str, *args: Any) -> list[Any]:
        """Call a method of the daemon; raises `Unreachable` if it gives no proper answer."""
        self._calls += 1
        identity = f"s:{os.getpid()}:{self._calls}".encode()
        request = json.dumps({"type": "call", "method": method, "args": args}).encode()
        try:
            self._stream.settimeout(self._deadline.remaining())
            self._stream.sendall(encode([b"j:" + request, identity]))
            parts = self._receive()
        except socket.timeout:
            raise DeadlineExceeded from None
        except OSError as error:
            raise Unreachable(
                f"PM2's daemon at {self.socket_path} closed the connection: {error.strerror}"
            ) from None
        body = _json(parts[0]) if len(parts) == 2 and parts[1] == identity else None
        if not isinstance(body, dict):
            raise Unreachable(f"the process listening on {self.socket_path} is not PM2")
        result = body.get("args")
        if not isinstance(result, list):
            # The error's text could quote an environment, so it is left to PM2's own log.
            raise Unreachable(
                f"PM2's daemon at {self.socket_path} refused {method}; "
                "the reason is in pm2.log in the same folder"
            )
        return result

    def _connect(self, home: str) -> None:
        try:
            self._stream.settimeout(self._deadline.remaining())
            self._stream.connect(self.socket_path)
        except socket.timeout:
            raise DeadlineExceeded from None
        except OSError as error:
            raise _connection_error(error, self.socket_path, home) from None
        peer = self._stream.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _PEER.size)
        self.daemon_pid = _PEER.unpack(peer)[0]

    def _receive(self) -> list[bytes]:
        """The arguments of one message."""
        head = self._read(1)[0]
        if head >> 4 != _VERSION:
            raise Unreachable(
                f"the process listening on {self.socket_path} does not speak PM2's protocol"
            )
        return [self._read(struct.unpack(">I", self._read(4))[0]) for dummy in range(head & 0xF)]

    def _read(self, length: int) -> bytes:
        """Exactly so many bytes."""
        if length > _MAX_ANSWER:
            raise Unreachable(
                f"PM2's daemon at {self.socket_path} announced an answer of {length} bytes, "
                "too long for a list of processes"
            )
        chunks: list[bytes] = []
        while length:
            self._stream.settimeout(self._deadline.remaining())
            chunk = self._stream.recv(min(length, 1 << 18))
            if not chunk:
                raise Unreachable(
                    f"PM2's daemon at {self.socket_path} closed the connection without an answer"
                )
            chunks.append(chunk)
            length -= len(chunk)
        return b"".join(chunks)


def encode(arguments: Iterable[bytes]) -> bytes:
    """An AMP message of these arguments."""
    parts = list(arguments)
    return bytes([_VERSION << 4 | len(parts)]) + b"".join(
        struct.pack(">I", len(part)) + part for part in parts
    )


def _connection_error(error: OSError, socket_path: str, home: str) -> Unreachable:
    """Why no connection could be opened."""
    if isinstance(error, PermissionError):
        owner = owner_name(socket_path)
        owned = f", which belongs to user {owner}" if owner else ""
        return AccessDenied(
            f"user {current_user()} lacks permission to connect to {socket_path}{owned}"
        )
    if isinstance(error, FileNotFoundError):
        if os.path.isdir(home):
            return Unreachable(f"there is no socket {socket_path}")
        return Unreachable(f"there is no folder {home}")
    if isinstance(error, ConnectionRefusedError):
        return Unreachable(f"nothing listens on {socket_path}, a dead daemon left it behind")
    if isinstance(error, BlockingIOError):
        return Unreachable(
            f"the daemon at {socket_path} accepts no more connections, it seems to hang"
        )
    return Unreachable(f"{socket_path}: {error.strerror or error}")


def _json(part: bytes) -> Any:
    try:
        return json.loads(part[2:]) if part.startswith(b"j:") else None
    except ValueError:
        return None
