"""Processes that a test holds at a point of their work, so that it need not race them."""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Iterator
from pathlib import Path

from demo.processes import wait_until


@contextlib.contextmanager
def held(pid: int) -> Iterator[None]:
    """Stop a process until the block ends; what it has started goes on."""
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


class Gate:
    """A point at which a shell command waits for the test: a pipe that it reads to its end."""

    def __init__(self, path: Path) -> None:
        self._path = path
        os.mkfifo(path)
        self.command = f"cat {path}"

    @contextlib.contextmanager
    def reached(self, seconds: float = 60) -> Iterator[None]:
        """Begins when the command has come to the gate; it goes on when the block ends."""
        opened: list[int] = []

        def is_there() -> bool:
            with contextlib.suppress(OSError):  # no one reads yet
                opened.append(os.open(self._path, os.O_WRONLY | os.O_NONBLOCK))
            return bool(opened)

        assert wait_until(is_there, seconds), "no one came to the gate"
        try:
            yield
        finally:
            os.close(opened[0])


def gated_programs(programs: Path, folder: Path, program: str, gate: Gate, when: str) -> Path:
    """A folder with the same programs, one of which waits at a gate if its arguments fit ``when``.

    ``when`` is a pattern of the shell.
    """
    folder.mkdir()
    for path in programs.iterdir():
        if path.name != program:
            (folder / path.name).symlink_to(path.resolve())
    real = (programs / program).resolve()
    script = f'case "$*" in {when}) {gate.command} ;; esac\nexec {real} "$@"\n'
    (folder / program).write_text(f"#!/bin/sh\n{script}")
    (folder / program).chmod(0o755)
    return folder
