"""PM2's protocol: what is sent, what is understood, and what never gets through."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import struct
import tempfile
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.gpt_agent.runbook.plugins.module_utils.core.deadline import (
    Deadline,
    DeadlineExceeded,
)
from ansible_collections.gpt_agent.runbook.plugins.module_utils.core.errors import Unreachable
from ansible_collections.gpt_agent.runbook.plugins.module_utils.pm2.client import (
    AccessDenied,
    Client,
    encode,
)
from tests.support.pm2_snapshots import SECRET, row

Answer = Callable[[bytes], bytes]


@pytest.fixture
def home() -> Iterator[str]:
    """A short path: the name of a socket may have 107 characters."""
    with tempfile.TemporaryDirectory(prefix="pm2-") as folder:
        yield folder


@pytest.fixture
def daemon(home: str) -> Iterator[Callable[[Answer], None]]:
    """A socket that sends one connection the given answers."""
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(f"{home}/rpc.sock")
    listener.listen(1)
    threads = []

    def serve(answer: Answer) -> None:
        def run() -> None:
            connection = listener.accept()[0]
            with connection, contextlib.suppress(ConnectionError):
                while request := connection.recv(65536):
                    said = answer(request)
                    if not said:
                        return
                    connection.sendall(said)

        threads.append(threading.Thread(target=run, daemon=True))
        threads[-1].start()

    yield serve
    listener.close()
    for thread in threads:
        thread.join(5)


def parts_of(message: bytes) -> list[bytes]:
    """An AMP message taken apart, by another way than the client's own."""
    assert message[0] >> 4 == 1
    parts, at = [], 1
    for _ in range(message[0] & 15):
        (length,) = struct.unpack_from(">I", message, at)
        parts.append(message[at + 4 : at + 4 + length])
        at += 4 + length
    assert at == len(message)
    return parts


def replying(body: Any) -> Answer:
    return lambda request: encode([b"j:" + json.dumps(body).encode(), parts_of(request)[1]])


@given(st.lists(st.binary(max_size=2000), max_size=15))
def test_a_message_is_what_was_put_into_it(arguments: list[bytes]) -> None:
    assert parts_of(encode(arguments)) == arguments


def test_a_call_asks_for_a_method_and_takes_the_answer_to_it(
    home: str, daemon: Callable[[Answer], None]
) -> None:
    asked: list[bytes] = []

    def answer(request: bytes) -> bytes:
        asked.append(request)
        return replying({"args": [[row()]]})(request)

    daemon(answer)
    with Client(home, Deadline(5)) as client:
        assert client.daemon_pid == os.getpid()
        assert [found.name for found in client.instances()] == ["gpt-agent"]
        assert [found.pid for found in client.instances()] == [42], (
            "a connection serves for several looks"
        )
    assert json.loads(parts_of(asked[0])[0][2:]) == {
        "type": "call",
        "method": "getMonitorData",
        "args": [{}],
    }
    assert parts_of(asked[0])[1] != parts_of(asked[1])[1]


def test_an_answer_may_come_in_any_pieces(home: str, daemon: Callable[[Answer], None]) -> None:
    daemon(replying({"args": [[row(big="x" * 3_000_000)]]}))
    with Client(home, Deadline(5)) as client:
        assert len(client.instances()) == 1


@pytest.mark.parametrize(
    ("answer", "sentence"),
    [
        (lambda request: b"HTTP/1.1 400 Bad Request\r\n\r\n", "does not speak PM2's protocol"),
        (lambda request: b"", "closed the connection without an answer"),
        (
            lambda request: encode([b"j:" + b"{", parts_of(request)[1]]),
            "is not PM2",
        ),
        (
            lambda request: encode([b'j:{"args":[]}', b"s:someone else's"]),
            "is not PM2",
        ),
        (
            lambda request: bytes([0x12]) + b"\xff\xff\xff\xff",
            "announced an answer of 4294967295 bytes",
        ),
        (
            replying({"error": f"cannot do it with {SECRET}", "stack": SECRET}),
            "refused getMonitorData; the reason is in pm2.log",
        ),
        (replying({"args": [{"no": "list"}]}), "sent no list of processes"),
        (replying({"args": []}), "sent no list of processes"),
    ],
)
def test_an_answer_that_is_not_pm2s_is_reported_in_a_sentence(
    home: str, daemon: Callable[[Answer], None], answer: Answer, sentence: str
) -> None:
    daemon(answer)
    with Client(home, Deadline(5)) as client, pytest.raises(Unreachable, match=sentence) as failure:
        client.instances()
    assert home in str(failure.value)
    assert SECRET not in repr(failure.value)
    assert failure.value.__cause__ is None


def test_an_answer_that_does_not_come_ends_with_the_time(home: str) -> None:
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(f"{home}/rpc.sock")
        listener.listen(1)
        with Client(home, Deadline(0.2)) as client, pytest.raises(DeadlineExceeded):
            client.instances()


def test_a_daemon_that_is_not_there(home: str) -> None:
    with pytest.raises(Unreachable, match="there is no folder"):
        Client(f"{home}/none", Deadline(1))
    with pytest.raises(Unreachable, match=r"there is no socket .*rpc\.sock"):
        Client(home, Deadline(1))
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(f"{home}/rpc.sock")
    with pytest.raises(Unreachable, match=r"nothing listens on .* a dead daemon left it behind"):
        Client(home, Deadline(1))
    Path(f"{home}/rpc.sock").unlink()
    Path(f"{home}/rpc.sock").write_text("")
    with pytest.raises(Unreachable):
        Client(home, Deadline(1))
    assert os.listdir(home) == ["rpc.sock"], "looking leaves nothing behind"


def test_a_path_too_long_for_a_socket(home: str) -> None:
    with pytest.raises(Unreachable, match="too long"):
        Client(f"{home}/{'x' * 200}", Deadline(1))


def test_a_full_queue_is_a_daemon_that_hangs(home: str) -> None:
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(f"{home}/rpc.sock")
        listener.listen(0)
        waiting = []
        try:
            with pytest.raises((Unreachable, DeadlineExceeded)) as failure:
                waiting.extend(Client(home, Deadline(0.5)) for _ in range(20))
            assert failure.type is DeadlineExceeded or "accepts no more connections" in str(
                failure.value
            )
        finally:
            for client in waiting:
                client.__exit__()


@pytest.mark.skipif(os.geteuid() == 0, reason="root may connect to every socket")
def test_a_socket_without_permission(home: str) -> None:
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(f"{home}/rpc.sock")
        listener.listen(1)
        os.chmod(f"{home}/rpc.sock", 0)
        with pytest.raises(AccessDenied, match="lacks permission to connect to"):
            Client(home, Deadline(1))
