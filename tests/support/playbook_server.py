"""Runs ansible-playbook to its end, without starting Python and Ansible anew for each run.

A run is a process that was forked from one that has imported Ansible, and goes on as the command
would: same arguments, environment and folder. Such runs share the modules that Ansible has packed,
and what Python has compiled of them. One with another configuration comes from another process.
What Ansible says of its configuration when it is imported is not in a run's output. `fresh=True`
runs the command itself.
"""

from __future__ import annotations

import atexit
import functools
import importlib
import os
import socket
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.support.fork_server import ROOT, ForkServer, next_request, startup_state

PROGRAM = str(Path(sys.executable).parent / "ansible-playbook")
CONFIGURATION = ("ANSIBLE_", "HOME", "NO_COLOR", "TMPDIR", "XDG_")
"""Variables that begin so are read when Ansible is imported."""
COMPILED = "RUNBOOK_TESTS_COMPILED"
"""The environment variable with the folder for what was compiled."""
FOR_ALL_RUNS = (
    "ansible.cli.playbook",
    "ansible.executor.playbook_executor",
    "ansible.executor.process.worker",
    "ansible.plugins.connection.local",
    "ansible.plugins.shell.sh",
    "ansible.plugins.strategy.linear",
    "ansible.plugins.vars.host_group_vars",
)


def run_playbook_command(
    arguments: Sequence[str],
    *,
    cwd: Path,
    env: Mapping[str, str],
    timeout: float,
    fresh: bool = False,
) -> subprocess.CompletedProcess[str]:
    """Run ``ansible-playbook`` with these arguments; its output is captured."""
    command = [PROGRAM, *arguments]
    own_path = env.get("PYTHONPATH") != os.environ.get("PYTHONPATH")
    if fresh or own_path or startup_state(env) != startup_state(os.environ):
        return subprocess.run(
            command, cwd=cwd, env=env, capture_output=True, text=True, timeout=timeout, check=False
        )
    read = {name: value for name, value in env.items() if name.startswith(CONFIGURATION)}
    configured = cwd if (cwd / "ansible.cfg").exists() else ROOT / "tests"
    server = _server(tuple(sorted(read.items())), configured, startup_state(env))
    request = {"command": command, "environment": dict(env), "cwd": str(cwd)}
    with tempfile.TemporaryFile("w+") as output, tempfile.TemporaryFile("w+") as errors:
        with open(os.devnull) as nothing:
            code = server.run(request, [nothing, output, errors], timeout)
        output.seek(0)
        errors.seek(0)
        return subprocess.CompletedProcess(command, int(code or -9), output.read(), errors.read())


@functools.cache
def _server(
    read: tuple[tuple[str, str], ...], configured: Path, startup: tuple[object, ...]
) -> ForkServer:
    """The process for a configuration; it ends with this one."""
    others = {name: value for name, value in os.environ.items() if not name.startswith("ANSIBLE_")}
    environment = {**others, **dict(read), "PYTHONPATH": str(ROOT)}
    compiled = Path(tempfile.gettempdir(), "compiled")
    compiled.mkdir(exist_ok=True)
    environment[COMPILED] = str(compiled)
    server = ForkServer("tests.support.playbook_server", environment, configured)
    atexit.register(server.close)
    return server


def _keep_compiled(folder: str) -> None:
    """Let modules, each a process of its own, find what others have compiled."""
    path = [str(Path(__file__).resolve().parent / "compiled"), os.environ.get("PYTHONPATH", "")]
    os.environ |= {COMPILED: folder, "PYTHONPATH": os.pathsep.join(filter(None, path))}


def _play(command: list[str], own: set[str]) -> int:
    """As the command does it, in a process that was forked; without the folders that are on the
    path for the server alone.
    """
    main = sys.modules["ansible.cli.playbook"].main
    # What the server removes at its end stays for the next run.
    atexit._clear()
    sys.path[:] = [folder for folder in sys.path if folder not in own]
    sys.argv = command
    try:
        main()
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else int(bool(end.code))
    return 0


if __name__ == "__main__":
    for module in FOR_ALL_RUNS:
        importlib.import_module(module)
    own, compiled = {"", str(ROOT), os.getcwd()}, os.environ[COMPILED]
    wanted = next_request(socket.socket(fileno=int(sys.argv[1])), lambda request: None)
    if wanted:
        _keep_compiled(compiled)
        code = _play(wanted[0]["command"], own)
        sys.stdout.flush()
        sys.stderr.flush()
        os.write(wanted[1], str(code).encode())
        sys.exit(code)
