"""Runs modules in processes of their own, without starting Python anew for each.

`run()` forks a process from one that has already imported what the module imports. The module runs
as `__main__` with its arguments on standard input, as Ansible would run it.
"""

from __future__ import annotations

import importlib
import json
import os
import runpy
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from select import select
from typing import IO, Any

ROOT = Path(__file__).resolve().parent.parent.parent
PACKAGE = "ansible_collections.gpt_agent.runbook.plugins.modules"
COLLECTIONS = str(ROOT / "collections")
LARGEST_REQUEST = 1 << 17
STARTUP = ("PYTHON", "LC_", "LANG")
"""Variables that begin so are read when Python starts, and no longer in a forked process."""


class ModuleServer:
    """A process that forks one process for each module run; it ends with this one."""

    def __init__(self) -> None:
        self._started_in = _startup_state(os.environ)
        self._socket, other = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with other:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "tests.support.module_server", str(other.fileno())],
                cwd=ROOT,
                env={**os.environ, "PYTHONPATH": f"{COLLECTIONS}:{ROOT}"},
                stdin=subprocess.DEVNULL,
                pass_fds=[other.fileno()],
            )

    def can_run_in(self, environment: Mapping[str, str]) -> bool:
        """Whether a forked process would see what one started here and now would see."""
        return self._started_in == _startup_state(environment)

    def run(
        self, name: str, args: dict[str, Any], environment: Mapping[str, str], timeout: float
    ) -> tuple[str, str]:
        """Run a module to its end; returns its standard output and its standard error."""
        request = {"name": name, "environment": dict(environment), "cwd": os.getcwd()}
        with (
            tempfile.TemporaryFile("w+") as given,
            tempfile.TemporaryFile("w+") as output,
            tempfile.TemporaryFile("w+") as errors,
        ):
            json.dump({"ANSIBLE_MODULE_ARGS": args}, given)
            given.seek(0)
            self._fork(request, [given, output, errors], timeout)
            output.seek(0)
            errors.seek(0)
            return output.read(), errors.read()

    def _fork(self, request: dict[str, Any], streams: list[IO[str]], timeout: float) -> None:
        ended, alive = os.pipe()  # the module's process alone holds 'alive', until its end
        try:
            files = [*(stream.fileno() for stream in streams), alive]
            socket.send_fds(self._socket, [json.dumps(request).encode()], files)
        finally:
            os.close(alive)
        pid = int(self._socket.recv(20))
        try:
            if not select([ended], [], [], timeout)[0]:
                os.kill(pid, signal.SIGKILL)
                raise subprocess.TimeoutExpired(request["name"], timeout)
        finally:
            os.close(ended)

    def close(self) -> None:
        self._socket.close()
        self._process.wait()


def _startup_state(environment: Mapping[str, str]) -> tuple[object, ...]:
    """What a process has for its whole life: variables, and the mounts it sees."""
    variables = {name: value for name, value in environment.items() if name.startswith(STARTUP)}
    variables.pop("PYTHONPATH", None)
    return sorted(variables.items()), os.readlink("/proc/thread-self/ns/mnt")


def _next_module(requests: socket.socket) -> str | None:
    """In the server: none, at the end. In each process that it forks: the module to run."""
    while True:
        message, files, _, _ = socket.recv_fds(requests, LARGEST_REQUEST, 4)
        if not message:
            return None
        request = json.loads(message)
        module = f"{PACKAGE}.{request['name']}"
        importlib.import_module(module)
        pid = os.fork()
        if pid == 0:
            requests.close()
            del sys.modules[module]  # what it imported stays
            _become(request, files)
            return module
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


if __name__ == "__main__":
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # no zombies
    if wanted := _next_module(socket.socket(fileno=int(sys.argv[1]))):
        runpy.run_module(wanted, run_name="__main__")
