# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A WebSocket client (RFC 6455) for a service on this host; the standard library is enough.

Text messages only, without extensions. A message may come in fragments, with control frames
between them.
"""

from __future__ import annotations

import base64
import hashlib
import os
import socket
import struct
import time

from ..core.deadline import Deadline, DeadlineExceeded
from ..core.errors import Unreachable

_MAGIC = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
_CONTINUATION, _TEXT, _BINARY, _CLOSE, _PING, _PONG = 0, 1, 2, 8, 9, 10
_LARGEST_HEAD = 16 << 10
_LARGEST_CONTROL = 125


class WebSocket:
    """One connection. Raises `Unreachable`, and `DeadlineExceeded` if the time limit passes."""

    def __init__(
        self, host: str, port: int, path: str, deadline: Deadline, largest: int = 64 << 20
    ) -> None:
        self._deadline = deadline
        self._largest = largest
        self._buffer = bytearray()
        self._address = f"{host}:{port}"
        try:
            self._stream = socket.create_connection((host, port), timeout=deadline.remaining())
        except socket.timeout:
            raise DeadlineExceeded from None
        except OSError as error:
            raise Unreachable(f"{self._address}: {error.strerror or error}") from None
        try:
            self._shake_hands(path)
        except BaseException:
            self._stream.close()
            raise

    def close(self) -> None:
        """Say goodbye, if the other side still listens, and close."""
        try:
            self._stream.settimeout(1.0)
            self._stream.sendall(frame(_CLOSE, struct.pack(">H", 1000)))
        except OSError:
            pass
        finally:
            self._stream.close()

    def send(self, text: str) -> None:
        self._send(frame(_TEXT, text.encode()))

    def receive(self, until: float | None = None) -> str:
        """The next message.

        ``until`` is a moment of the monotonic clock by which it must have begun; nothing is lost if
        it has not.
        """
        parts: list[bytes] = []
        size = 0
        while True:
            if not parts and not self._buffer:
                self._fill(until)
            final, kind, payload = self._frame()
            if kind == _PING:
                self._send(frame(_PONG, payload))
            elif kind == _CLOSE:
                raise Unreachable(f"{self._address} closed the connection")
            elif kind in (_TEXT, _CONTINUATION):
                if (kind == _CONTINUATION) != bool(parts):
                    raise Unreachable(f"{self._address} sent fragments out of order")
                size += len(payload)
                if size > self._largest:
                    raise Unreachable(
                        f"{self._address} sent a message of more than {self._largest:,} bytes"
                    )
                parts.append(payload)
                if final:
                    return b"".join(parts).decode(errors="replace")
            elif kind != _PONG:
                raise Unreachable(f"{self._address} sent a frame of an unexpected kind ({kind})")

    def _shake_hands(self, path: str) -> None:
        key = base64.b64encode(os.urandom(16)).decode()
        self._send(
            f"GET {path} HTTP/1.1\r\nHost: {self._address}\r\nUpgrade: websocket\r\n"
            f"Connection: Upgrade\r\nSec-WebSocket-Key: {key}\r\n"
            "Sec-WebSocket-Version: 13\r\n\r\n".encode()
        )
        while b"\r\n\r\n" not in self._buffer:
            if len(self._buffer) > _LARGEST_HEAD:
                raise Unreachable(f"{self._address} does not speak HTTP")
            self._fill(None)
        head, _end, self._buffer = self._buffer.partition(b"\r\n\r\n")
        status, *lines = bytes(head).decode("latin-1").split("\r\n")
        fields = {
            name.strip().lower(): value.strip()
            for name, _colon, value in (line.partition(":") for line in lines)
        }
        if status.split(" ")[1:2] != ["101"]:
            raise Unreachable(f"{self._address} accepts no WebSocket: {status[:80]}")
        if fields.get("sec-websocket-accept") != accept_key(key):
            raise Unreachable(f"{self._address} answered the WebSocket handshake wrongly")

    def _frame(self) -> tuple[bool, int, bytes]:
        """Whether it is the last of a message, its kind, and its content."""
        first, second = self._take(2)
        length = second & 0x7F
        kind = first & 0x0F
        if first & 0x70 or second & 0x80:
            raise Unreachable(f"{self._address} sent a frame that no server may send")
        if kind >= _CLOSE and (length > _LARGEST_CONTROL or not first & 0x80):
            raise Unreachable(f"{self._address} sent a control frame that is too long")
        if length == 126:
            length = struct.unpack(">H", self._take(2))[0]
        elif length == 127:
            length = struct.unpack(">Q", self._take(8))[0]
        if length > self._largest:
            raise Unreachable(f"{self._address} announced a message of {length:,} bytes")
        return bool(first & 0x80), kind, self._take(length)

    def _take(self, length: int) -> bytes:
        while len(self._buffer) < length:
            self._fill(None)
        taken = bytes(self._buffer[:length])
        del self._buffer[:length]
        return taken

    def _fill(self, until: float | None) -> None:
        left = self._deadline.remaining()
        if until is not None:
            left = min(left, until - time.monotonic())
            if left <= 0:
                raise DeadlineExceeded
        self._stream.settimeout(left)
        try:
            chunk = self._stream.recv(1 << 18)
        except socket.timeout:
            raise DeadlineExceeded from None
        except OSError as error:
            raise Unreachable(f"{self._address}: {error.strerror or error}") from None
        if not chunk:
            raise Unreachable(f"{self._address} closed the connection")
        self._buffer += chunk

    def _send(self, data: bytes) -> None:
        self._stream.settimeout(self._deadline.remaining())
        try:
            self._stream.sendall(data)
        except socket.timeout:
            raise DeadlineExceeded from None
        except OSError as error:
            raise Unreachable(f"{self._address}: {error.strerror or error}") from None


def accept_key(key: str) -> str:
    """What a server must answer to a client's key."""
    digest = hashlib.sha1((key + _MAGIC).encode(), usedforsecurity=False).digest()
    return base64.b64encode(digest).decode()


def frame(kind: int, payload: bytes) -> bytes:
    """A whole message of a client in one frame, masked as the protocol demands."""
    head = bytes([0x80 | kind])
    if len(payload) < 126:
        head += bytes([0x80 | len(payload)])
    elif len(payload) < 1 << 16:
        head += bytes([0x80 | 126]) + struct.pack(">H", len(payload))
    else:
        head += bytes([0x80 | 127]) + struct.pack(">Q", len(payload))
    mask = os.urandom(4)
    return head + mask + masked(payload, mask)


def masked(payload: bytes, mask: bytes) -> bytes:
    """The payload under a mask of four bytes; applied twice, it is the payload again."""
    whole = (mask * (len(payload) // 4 + 1))[: len(payload)]
    number = int.from_bytes(payload, "big") ^ int.from_bytes(whole, "big")
    return number.to_bytes(len(payload), "big")
