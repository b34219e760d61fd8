"""A process that has imported once what many runs need, and forks a process for each of them."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from select import select
from typing import IO, Any

ROOT = Path(__file__).resolve().parent.parent.parent
LARGEST_REQUEST = 1 << 17
STARTUP = ("PYTHON", "LC_", "LANG")
"""Variables that begin so are read when Python starts, and no longer in a forked process."""


def startup_state(environment: Mapping[str, str]) -> tuple[object, ...]:
    """What a process has for its whole life: variables, and the mounts it sees."""
    variables = {name: value for name, value in environment.items() if name.startswith(STARTUP)}
    variables.pop("PYTHONPATH", None)
    return tuple(sorted(variables.items())), os.readlink("/proc/thread-self/ns/mnt")


class ForkServer:
    """This end of it: the process ends with this one."""

    def __init__(self, program: str, environment: Mapping[str, str], cwd: Path) -> None:
        self._lock = threading.Lock()
        self._socket, other = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with other:
            self._process = subprocess.Popen(
                [sys.executable, "-m", program, str(other.fileno())],
                cwd=cwd,
                env=dict(environment),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                pass_fds=[other.fileno()],
            )

    def run(self, request: dict[str, Any], streams: Sequence[IO[str]], timeout: float) -> str:
        """Fork a process with these standard streams, and wait for its end; returns its last word,
        which is empty if it has none or was killed.
        """
        ended, alive = os.pipe()  # the process alone holds 'alive', until its end
        try:
            files = [*(stream.fileno() for stream in streams), alive]
            with self._lock:  # the answer belongs to the request
                socket.send_fds(self._socket, [json.dumps(request).encode()], files)
                os.close(alive)
                alive = -1
                pid = int(self._socket.recv(20))
            if not select([ended], [], [], timeout)[0]:
                os.kill(pid, signal.SIGKILL)
                # Not its environment, which may have secrets of whoever runs the tests.
                what = request.get("command") or request["name"]
                raise subprocess.TimeoutExpired(what, timeout)
            return os.read(ended, 100).decode()
        finally:
            os.close(ended)
            if alive >= 0:
                os.close(alive)

    def close(self) -> None:
        self._socket.close()
        self._process.wait()


# --- in the server, and in the processes that it forks --------------------------------------------


def next_request(
    requests: socket.socket, prepare: Callable[[dict[str, Any]], None]
) -> tuple[dict[str, Any], int] | None:
    """In the server: none, at the end. In each process that it forks: its request, and where its
    last word goes.
    """
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # no zombies
    while True:
        message, files, _, _ = socket.recv_fds(requests, LARGEST_REQUEST, 4)
        if not message:
            return None
        request = json.loads(message)
        prepare(request)
        pid = os.fork()
        if pid == 0:
            requests.close()
            _become(request, files)
            return request, files[3]
        requests.send(str(pid).encode())
        for file in files:
            os.close(file)


def _become(request: dict[str, Any], files: list[int]) -> None:
    """Take over the environment and the streams of a request."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    del sys.argv[1:]  # else it would take them for its arguments
    os.environ.clear()
    os.environ.update(request["environment"])
    os.chdir(request["cwd"])
    for stream, file in enumerate(files[:3]):
        os.dup2(file, stream)
        os.close(file)
    os.set_inheritable(files[3], False)
