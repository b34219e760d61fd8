"""A WebSocket client against servers that do what the protocol allows, and what it does not."""

from __future__ import annotations

import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from ansible_collections.gpt_agent.runbook.plugins.module_utils.core.deadline import (
    Deadline,
    DeadlineExceeded,
)
from ansible_collections.gpt_agent.runbook.plugins.module_utils.core.errors import Unreachable
from ansible_collections.gpt_agent.runbook.plugins.module_utils.net.websocket import (
    WebSocket,
    accept_key,
    frame,
    masked,
)

Talk = Callable[[socket.socket], None]


def served(kind: int, payload: bytes, *, final: bool = True) -> bytes:
    """A frame of a server, which masks nothing."""
    length = len(payload)
    head = bytes([(0x80 if final else 0) | kind])
    if length < 126:
        return head + bytes([length]) + payload
    if length < 1 << 16:
        return head + bytes([126]) + struct.pack(">H", length) + payload
    return head + bytes([127]) + struct.pack(">Q", length) + payload


def shake_hands(stream: socket.socket, answer: str = "") -> None:
    head = b""
    while b"\r\n\r\n" not in head:
        head += stream.recv(4096)
    key = head.decode().partition("Sec-WebSocket-Key: ")[2].partition("\r\n")[0]
    stream.sendall(
        (
            answer
            or "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            f"Sec-WebSocket-Accept: {accept_key(key)}\r\n\r\n"
        ).encode()
    )


@contextmanager
def server(talk: Talk, answer: str = "") -> Iterator[int]:
    """One that shakes hands with its first client, then does as it is told."""
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def run() -> None:
            stream, _peer = listening.accept()
            with stream:
                shake_hands(stream, answer)
                talk(stream)

        thread = threading.Thread(target=run, daemon=True)
        thread.start()
        yield listening.getsockname()[1]
        thread.join(10)


def client(port: int, **options: int) -> WebSocket:
    return WebSocket("127.0.0.1", port, "/x", Deadline(10), **options)


def test_the_key_of_the_standard() -> None:
    assert accept_key("dGhlIHNhbXBsZSBub25jZQ==") == "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="


@pytest.mark.parametrize("size", [0, 1, 125, 126, 65535, 65536])
def test_a_message_of_any_length_is_masked(size: int) -> None:
    payload = bytes(index % 251 for index in range(size))
    sent = frame(1, payload)
    head = len(sent) - size - 4
    assert sent[1] & 0x80
    assert masked(sent[head + 4 :], sent[head : head + 4]) == payload


def test_fragments_with_a_ping_between_them() -> None:
    received = []

    def talk(stream: socket.socket) -> None:
        stream.sendall(served(1, "grü".encode()[:3], final=False))
        stream.sendall(served(9, b"there?"))
        stream.sendall(served(0, "grü".encode()[3:] + b"x" * 70_000, final=False))
        stream.sendall(served(0, b"!"))
        received.append(stream.recv(100))

    with server(talk) as port:
        socket_ = client(port)
        assert socket_.receive() == "grü" + "x" * 70_000 + "!"
        socket_.close()
    assert received[0][0] == 0x8A, "the ping was answered"


def test_nothing_is_lost_by_waiting_in_vain() -> None:
    go_on = threading.Event()

    def talk(stream: socket.socket) -> None:
        go_on.wait(10)
        stream.sendall(served(1, b"late"))
        stream.recv(100)

    with server(talk) as port:
        socket_ = client(port)
        with pytest.raises(DeadlineExceeded):
            socket_.receive(time.monotonic() + 0.05)
        go_on.set()
        assert socket_.receive() == "late"
        socket_.close()


@pytest.mark.parametrize(
    ("sent", "reason"),
    [
        (served(8, b"\x03\xe8"), "closed the connection"),
        (b"", "closed the connection"),
        (served(0, b"x"), "out of order"),
        (served(1, b"x", final=False) + served(1, b"x"), "out of order"),
        (served(2, b"x"), "unexpected kind"),
        (served(1, b"x" * 2000), "announced a message of 2,000 bytes"),
        (served(1, b"x" * 900, final=False) + served(0, b"x" * 900), "more than 1,000 bytes"),
        (served(9, b"x" * 200), "control frame"),
        (bytes([0xC1, 1]) + b"x", "no server may send"),
        (frame(1, b"x"), "no server may send"),
    ],
    ids=range(10),
)
def test_what_a_server_may_not_send(sent: bytes, reason: str) -> None:
    with server(lambda stream: stream.sendall(sent)) as port:
        socket_ = client(port, largest=1000)
        with pytest.raises(Unreachable, match=reason):
            socket_.receive()
        socket_.close()


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        ("HTTP/1.1 400 Bad Request\r\n\r\n", "accepts no WebSocket: HTTP/1.1 400"),
        ("HTTP/1.1 101 X\r\nSec-WebSocket-Accept: wrong\r\n\r\n", "handshake wrongly"),
        ("x" * 40_000, "does not speak HTTP"),
    ],
)
def test_a_server_that_is_something_else(answer: str, reason: str) -> None:
    with server(lambda stream: None, answer) as port, pytest.raises(Unreachable, match=reason):
        client(port)


def test_nothing_listens() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
    with pytest.raises(Unreachable, match="refused"):
        client(port)
