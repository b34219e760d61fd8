"""Runs modules in processes of their own, without starting Python anew for each.

`run()` forks a process from one that has already imported what the module imports. The module runs
as `__main__` with its arguments on standard input, as Ansible would run it.
"""

from __future__ import annotations

import importlib
import json
import os
import runpy
import socket
import sys
import tempfile
from collections.abc import Mapping
from typing import Any

from tests.support.fork_server import ROOT, ForkServer, next_request, startup_state

PACKAGE = "ansible_collections.gpt_agent.runbook.plugins.modules"
COLLECTIONS = str(ROOT / "collections")


class ModuleServer:
    """A process that forks one process for each module run; it ends with this one."""

    def __init__(self) -> None:
        self._started_in = startup_state(os.environ)
        environment = {**os.environ, "PYTHONPATH": f"{COLLECTIONS}:{ROOT}"}
        self._server = ForkServer("tests.support.module_server", environment, ROOT)

    def can_run_in(self, environment: Mapping[str, str]) -> bool:
        """Whether a forked process would see what one started here and now would see."""
        return self._started_in == startup_state(environment)

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
            self._server.run(request, [given, output, errors], timeout)
            output.seek(0)
            errors.seek(0)
            return output.read(), errors.read()

    def close(self) -> None:
        self._server.close()


def module_of(request: dict[str, Any]) -> str:
    return f"{PACKAGE}.{request['name']}"


if __name__ == "__main__":
    wanted = next_request(
        socket.socket(fileno=int(sys.argv[1])),
        lambda request: importlib.import_module(module_of(request)) and None,
    )
    if wanted:
        del sys.modules[module_of(wanted[0])]  # what it imported stays
        runpy.run_module(module_of(wanted[0]), run_name="__main__")
