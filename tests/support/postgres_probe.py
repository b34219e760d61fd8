"""Answers of pg_health: what a healthy server and one that cannot be asked have to look like."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from tests.conftest import SERVER_CHECKS

Ask = Callable[..., dict[str, Any]]


def unreachable(answer: dict[str, Any]) -> dict[str, Any]:
    """The one check of a server that cannot be asked."""
    assert [check["name"] for check in answer["checks"]] == ["postgres.reachable"], answer["checks"]
    check: dict[str, Any] = answer["checks"][0]
    assert check["status"] == "critical"
    assert check["remedy"]
    return check


def assert_well(answer: dict[str, Any]) -> None:
    assert {check["name"] for check in answer["checks"]} == SERVER_CHECKS
    assert [check for check in answer["checks"] if check["status"] not in ("ok", "unknown")] == []


@contextmanager
def listening(answer: Callable[[socket.socket], object]) -> Iterator[int]:
    """Something that is no PostgreSQL."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(20)

        def serve() -> None:
            try:
                while True:
                    peer, _ = listener.accept()
                    peer.recv(100)
                    answer(peer)
            except OSError:
                return

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield listener.getsockname()[1]
        listener.shutdown(socket.SHUT_RDWR)
        thread.join(5)
