# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Programs connected by pipes: the end of every one counts, and none outlives this process."""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import IO, Any

from .deadline import DeadlineExceeded

#: How often a running pipeline is checked, in seconds; in its first two seconds more often, so that
#: one that ends soon is seen to have ended soon.
POLL, FIRST_POLL = 0.1, 0.005
#: Seconds for a program to end by itself after SIGTERM.
GRACE = 2.0
#: Bytes of a program's error output that are kept: the first and the last half of them.
KEPT = 65536
_PR_SET_PDEATHSIG = 1


@dataclass(frozen=True)
class Command:
    """One program of a pipeline; secrets belong into ``environment``, never into ``argv``."""

    argv: Sequence[str]
    environment: Mapping[str, str] = field(default_factory=dict)
    """Added to this process' own."""

    @property
    def program(self) -> str:
        return os.path.basename(self.argv[0])


@dataclass(frozen=True)
class Ended:
    """How a program ended."""

    program: str
    code: int
    """Exit code; negative if a signal ended it, as `subprocess` has it."""
    errors: str
    """What it wrote to its error output, at most `KEPT` bytes of it."""

    @property
    def failed(self) -> bool:
        return self.code != 0

    @property
    def how(self) -> str:
        """``exit code 1``, ``killed by SIGKILL``."""
        if self.code >= 0:
            return f"exit code {self.code}"
        try:
            return f"killed by {signal.Signals(-self.code).name}"
        except ValueError:
            return f"killed by signal {-self.code}"


def run_pipeline(
    commands: Sequence[Command],
    source: IO[bytes] | int | None = None,
    sink: IO[bytes] | int | None = None,
    watch: Callable[[], None] = lambda: None,
    copies: Sequence[tuple[Command, IO[bytes] | int | None]] = (),
) -> list[Ended]:
    """Run programs, each reading what the one before it writes, until all have ended.

    The first reads ``source``, the last writes to ``sink`` (/dev/null unless given). ``watch`` is
    called every `POLL` seconds or more often; whatever it raises, such as `DeadlineExceeded`, ends
    the programs first. The kernel kills them if this process is killed. Call it from the main
    thread. Raises OSError if a program cannot be started.

    Each of the ``copies`` reads a copy of what the first program writes, made by `tee`, and writes
    to a sink of its own; one that stops reading disturbs no other. They are the last in the result.
    """
    running: list[_Running] = []
    readers: list[_Running] = []
    try:
        for command, own_sink in copies:
            readers.append(_Running(command, subprocess.PIPE, _or_nothing(own_sink)))
        handles = [one.process.stdin.fileno() for one in readers if one.process.stdin]
        commands = [commands[0], *_tee(handles), *commands[1:]]
        before = _or_nothing(source)
        for position, command in enumerate(commands):
            last = position == len(commands) - 1
            output = _or_nothing(sink) if last else subprocess.PIPE
            running.append(_Running(command, before, output, handles if position == 1 else ()))
            if position:
                before.close()  # else the program before never sees that this one has ended
            before = running[-1].process.stdout
        _close_inputs(readers)  # else they never see the end of their copy
        _wait([*running, *readers], watch)
        return [one.ended() for one in [*running, *readers]]
    finally:
        _close_inputs(readers)
        _end([*running, *readers])


def run_together(
    programs: Sequence[tuple[Command, IO[bytes] | int | None]],
    watch: Callable[[], None] = lambda: None,
) -> list[Ended]:
    """Run programs at the same time, each with a source of its own, until all have ended.

    What they write is dropped. ``watch`` and errors are as those of `run_pipeline`.
    """
    running: list[_Running] = []
    try:
        for command, source in programs:
            running.append(_Running(command, _or_nothing(source), subprocess.DEVNULL))
        _wait(running, watch)
        return [one.ended() for one in running]
    finally:
        _end(running)


def _wait(running: Sequence[_Running], watch: Callable[[], None]) -> None:
    """Until all have ended; a pause takes a twentieth of the time that has passed, or `POLL`."""
    started = time.monotonic()
    while any(one.process.poll() is None for one in running):
        watch()
        passed = time.monotonic() - started
        time.sleep(min(POLL, max(FIRST_POLL, passed / 20)))


def _tee(handles: Sequence[int]) -> list[Command]:
    if not handles:
        return []
    return [Command(["tee", "-p", *(f"/dev/fd/{handle}" for handle in handles)])]


def _or_nothing(stream: IO[bytes] | int | None) -> Any:
    return subprocess.DEVNULL if stream is None else stream


class _Running:
    """A program that has been started; its error output goes to a file, which never fills."""

    def __init__(
        self, command: Command, source: Any, output: Any, passed: Sequence[int] = ()
    ) -> None:
        self.command = command
        self.errors = tempfile.TemporaryFile()  # noqa: SIM115 - closed by _end
        environment = {**os.environ, "LC_ALL": "C", **command.environment}
        self.process = subprocess.Popen(  # noqa: S603 - no shell
            list(command.argv),
            stdin=source,
            stdout=output,
            stderr=self.errors,
            env=environment,
            pass_fds=passed,
            preexec_fn=die_with_parent(os.getpid()),
        )

    def ended(self) -> Ended:
        size = self.errors.seek(0, os.SEEK_END)
        self.errors.seek(0)
        text = self.errors.read(KEPT // 2)
        if size > KEPT // 2:
            self.errors.seek(max(KEPT // 2, size - KEPT // 2))
            text += self.errors.read()
        return Ended(
            self.command.program, self.process.returncode, text.decode(errors="replace").strip()
        )


def _close_inputs(running: Sequence[_Running]) -> None:
    for one in running:
        if one.process.stdin is not None:
            with suppress(BrokenPipeError):
                one.process.stdin.close()


def _end(running: Sequence[_Running]) -> None:
    """End what still runs, and release everything."""
    left = [one for one in running if one.process.poll() is None]
    for one in left:
        one.process.terminate()
    end = time.monotonic() + GRACE
    for one in left:
        try:
            one.process.wait(max(0.0, end - time.monotonic()))
        except subprocess.TimeoutExpired:  # noqa: PERF203 - each is ended by itself
            one.process.kill()
            one.process.wait()
    for one in running:
        one.errors.close()
        if one.process.stdout is not None:
            one.process.stdout.close()


def die_with_parent(parent: int, by: int = signal.SIGKILL) -> Callable[[], None]:
    """For the new process: get a signal when its parent dies."""
    libc = ctypes.CDLL(None)

    def prepare() -> None:
        libc.prctl(_PR_SET_PDEATHSIG, by)
        if os.getppid() != parent:  # it died meanwhile
            os._exit(1)

    return prepare


def time_limit(seconds: float) -> Callable[[], None]:
    """A ``watch`` that raises `DeadlineExceeded` after so many seconds."""
    end = time.monotonic() + seconds

    def watch() -> None:
        if time.monotonic() > end:
            raise DeadlineExceeded

    return watch
