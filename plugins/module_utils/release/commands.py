# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Commands of a release, such as its build: each in a process group of its own, which is ended."""

from __future__ import annotations

import os
import signal
import subprocess
import tempfile
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import IO, Callable

from ..core.errors import NotCollected
from ..core.files import is_inside
from ..core.processes import POLL, die_with_parent
from ..core.text import redact, shorten
from ..core.units import format_duration
from ..linux.proc import working_directory

#: Characters of a command's output that an error quotes.
_QUOTED = 600
#: Characters of a failed command's output that are kept.
_KEPT = 16384
#: Bytes of a command's output that are read.
_READ = 4 << 20
#: Variables that PM2 sets for one of its processes, and that a command must not inherit.
_OF_A_PROCESS = ("NODE_APP_INSTANCE", "NODE_CHANNEL_FD", "NODE_UNIQUE_ID", "pm_id")


class CommandFailed(NotCollected):
    """A command ended with an error, or did not end in time."""

    def __init__(self, text: str, output: str) -> None:
        super().__init__(text)
        self.output = output
        """The end of what it wrote, with secrets masked."""


def run(
    argv: Sequence[str],
    folder: str,
    environment: Mapping[str, str],
    seconds: float,
    report: Callable[[], None] = lambda: None,
    secrets: Sequence[str] | None = None,
) -> str:
    """What a command writes to its standard output; raises `CommandFailed` if it fails.

    The error quotes the end of its output, with secrets masked: unless they are given, the values
    of its environment that may be some.
    """
    with tempfile.TemporaryFile() as output, tempfile.TemporaryFile() as errors:
        process = _start(argv, folder, environment, output, errors)
        try:
            code = _wait(process, seconds, report)
        finally:
            _end_group(process.pid)
            process.wait()
        said = _text(output)
        if code == 0:
            return said
        hidden = _may_be_secret(environment) if secrets is None else secrets
        complained, said = redact(_text(errors), hidden), redact(said, hidden)
        how = f"has not ended after {format_duration(seconds)}" if code is None else "failed"
        how += f" with exit code {code}" if code and code > 0 else ""
        reason = f"'{_name(argv)}' {how}{_quote(complained or said)}"
        raise CommandFailed(reason, f"{said}\n{complained}"[-_KEPT:])


def shell(
    command: str,
    folder: str,
    environment: Mapping[str, str],
    seconds: float,
    report: Callable[[], None] = lambda: None,
) -> str:
    """The output of a command line of the operator's; raises `NotCollected` as `run` does."""
    return run(["/bin/sh", "-c", command], folder, environment, seconds, report)


def inherited(app: Mapping[str, str]) -> dict[str, str]:
    """The environment for commands: this process' own, and above it the app's."""
    own = {**os.environ, **app}
    return {
        name: value
        for name, value in own.items()
        if name not in _OF_A_PROCESS and isinstance(value, str) and "\0" not in value
    }


def end_processes_in(folder: str) -> int:
    """Kill the processes that work in a folder, left behind by a killed run; how many."""
    killed = 0
    for entry in filter(str.isdecimal, os.listdir("/proc")):
        with suppress(OSError):
            cwd = working_directory(entry)
            if is_inside(cwd, folder):
                os.kill(int(entry), signal.SIGKILL)
                killed += 1
    return killed


def _start(
    argv: Sequence[str],
    folder: str,
    environment: Mapping[str, str],
    output: IO[bytes],
    errors: IO[bytes],
) -> subprocess.Popen[bytes]:
    try:
        return subprocess.Popen(  # noqa: S603 - what the operator named
            list(argv),
            cwd=folder,
            env=dict(environment),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=errors,
            start_new_session=True,
            preexec_fn=die_with_parent(os.getpid()),
        )
    except OSError as error:
        raise NotCollected(f"{argv[0]} cannot be started: {error.strerror}") from None


def _wait(
    process: subprocess.Popen[bytes], seconds: float, report: Callable[[], None]
) -> int | None:
    """Its exit code; none if it has not ended in time."""
    end = time.monotonic() + seconds
    while process.poll() is None:
        report()
        if time.monotonic() > end:
            return None
        with suppress(subprocess.TimeoutExpired):
            process.wait(POLL)
    return process.returncode


def _end_group(group: int) -> None:
    with suppress(OSError):
        os.killpg(group, signal.SIGKILL)


def _text(stream: IO[bytes]) -> str:
    size = stream.seek(0, os.SEEK_END)
    stream.seek(max(0, size - _READ))
    return stream.read().decode(errors="replace").strip()


def _may_be_secret(environment: Mapping[str, str]) -> list[str]:
    return [value for value in environment.values() if len(value) > 7 and "/" not in value[:1]]


def _quote(text: str) -> str:
    """The end of a command's output as a clause."""
    lines = [line for line in text.splitlines() if line.strip()]
    end = " / ".join(line.strip() for line in lines)[-_QUOTED:]
    return f": {shorten(end, _QUOTED)}" if end else ""


def _name(argv: Sequence[str]) -> str:
    return argv[-1] if argv[0] == "/bin/sh" else " ".join(argv[:2])
