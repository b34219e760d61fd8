"""What the tests of the demo stack ask it, and how they start it from the command line."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

from demo.packages import node_and_npm
from demo.services import fetch
from demo.stack import Stack
from tests.conftest import ROOT

SERVICES = ["postgres", "redis", "nginx", "pm2", "app"]


def command(directory: Path, *arguments: str) -> list[str]:
    return [sys.executable, "-m", "demo.stack", "--dir", str(directory), *arguments]


def invoke(directory: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command(directory, *arguments),
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
    )


def ask(stack: Stack, path: str) -> tuple[int, Any]:
    """Through nginx, with its certificate verified."""
    status, text = fetch(stack.url + path, stack.settings["certificates"]["ca"], timeout=10)
    return status, json.loads(text) if text.startswith("{") else text


def assert_healthy(stack: Stack) -> None:
    assert {name: state["running"] for name, state in stack.status().items()} == dict.fromkeys(
        SERVICES, True
    )
    for path in ("/api/health", "/api/health/db", "/api/health/redis"):
        status, answer = ask(stack, path)
        assert (status, answer["status"]) == (200, "ok"), answer
    assert len(stack.status()["app"]["pids"]) == 2


def traces(directory: Path) -> list[str]:
    """Every process that names the directory or works in it, however it is called."""
    found, mark = [], os.fsencode(directory)
    for entry in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if (
                mark in (entry / "cmdline").read_bytes()
                or mark in os.readlink(os.fsencode(entry / "cwd"))
                or mark in (entry / "environ").read_bytes()
            ):
                found.append(f"{entry.name}: {(entry / 'cmdline').read_bytes()!r}")
    return [each for each in found if not each.startswith(f"{os.getpid()}:")]


def states(stack: Stack) -> dict[str, Any]:
    return {name: (state["pid"], state.get("pids")) for name, state in stack.status().items()}


def npm_program(folder: Path) -> Path:
    """A program npm that runs the demo's."""
    node, script = node_and_npm()
    program = folder / "npm"
    program.write_text(f'#!/bin/sh\nPATH="{node.parent}:$PATH" exec "{node}" "{script}" "$@"\n')
    program.chmod(0o755)
    return program
