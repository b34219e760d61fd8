# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs logrotate: it alone decides whether a configuration is right, and what is due."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass

from ..core.errors import NotCollected, RunbookError
from ..core.text import redact, shorten

_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
#: Exit code, and the text, of a run that another one keeps from working.
_LOCKED = 3
#: It was rotated in this very second.
_TAKEN = "already exists, skipping rotation"
_POLL = 0.2
#: Seconds for a run that changes nothing.
_DEBUG_LIMIT = 60.0
_CONSIDERED = re.compile(r"^considering log (.+)$")


class Failed(RunbookError):
    """logrotate reports an error; the text quotes it."""


@dataclass(frozen=True)
class Logrotate:
    """The program, and the file in which it keeps when each log was rotated."""

    program: str
    state_file: str = ""
    """Empty for its own."""

    def errors(self, *configs: str) -> list[str]:
        """What it objects to in configurations; changes nothing."""
        code, text = self._run(["--debug", *configs], _DEBUG_LIMIT)
        found = _errors(text.splitlines())
        return found or ([f"exit code {code}"] if code else [])

    def reads(self, main_config: str, config: str) -> tuple[bool, list[str]]:
        """Whether its daily run reads a configuration, and what it objects to; changes nothing.

        It ignores one that others may write to, for example. Of a file in a folder that is included
        it prints only the name.
        """
        _code, text = self._run(["--debug", main_config], _DEBUG_LIMIT)
        lines = text.splitlines()
        names = (config, os.path.basename(config))
        return any(f"reading config file {name}" in lines for name in names), _errors(lines)

    def due(self, config: str, force: bool) -> list[str]:
        """The logs that it would rotate; changes nothing."""
        forced = ["--force"] if force else []
        _code, text = self._run(["--debug", *forced, config], _DEBUG_LIMIT)
        found, log = [], ""
        for line in text.splitlines():
            considered = _CONSIDERED.match(line)
            if considered:
                log = considered[1]
            elif log and line.strip() == "log needs rotating":
                found.append(log)
        return found

    def rotate(self, config: str, force: bool, wait: float, time_limit: float) -> None:
        """Rotate what is due, or everything; waits while another logrotate is running.

        Raises `Failed`.
        """
        forced = ["--force"] if force else []
        end = time.monotonic() + wait
        while True:
            code, text = self._run([*forced, config], time_limit)
            if _TAKEN in text and time.monotonic() < end:
                time.sleep(1.0)  # the next second has another name
                continue
            if code != _LOCKED or "locked" not in text:
                break
            if time.monotonic() > end:
                raise Failed(
                    f"another logrotate has been running for {wait:g} s",
                    "Wait until it has ended: 'pgrep -a logrotate' shows it.",
                )
            time.sleep(_POLL)
        if code:
            lines = [line for line in text.splitlines() if not line.startswith("warning:")]
            said = shorten(redact(" ".join(lines)), 400)
            raise Failed(f"logrotate failed (exit code {code}): {said}")

    def _run(self, arguments: Sequence[str], limit: float) -> tuple[int, str]:
        """Its exit code, and everything that it prints.

        It outlives this process, as it must not be ended half-way, and so prints to a file. In the
        time zone of the host, as cron starts it.
        """
        state = ["--state", self.state_file] if self.state_file else []
        environment = {"PATH": _PATH, "LC_ALL": "C"}
        with tempfile.TemporaryFile() as printed:
            try:
                done = subprocess.run(  # noqa: S603 - no shell
                    [self.program, *state, *arguments],
                    stdin=subprocess.DEVNULL,
                    stdout=printed,
                    stderr=printed,
                    env=environment,
                    cwd="/",
                    timeout=limit,
                    check=False,
                )
            except subprocess.TimeoutExpired:
                raise Failed(f"logrotate did not end within {limit:g} s and was killed") from None
            except OSError as error:
                raise NotCollected.of(error) from None
            printed.seek(0)
            return done.returncode, printed.read().decode(errors="replace")


def _errors(lines: Sequence[str]) -> list[str]:
    return [shorten(redact(line), 300) for line in lines if line.startswith("error:")]


def find_program(given: str) -> str:
    """The program; empty if it is not installed."""
    return shutil.which(given or "logrotate", path=f"{os.environ.get('PATH', '')}:{_PATH}") or ""


def runs_script(script: str, limit: float) -> str:
    """Run commands of a configuration as logrotate does; returns what went wrong, or nothing."""
    with tempfile.TemporaryFile() as printed:
        try:
            done = subprocess.run(  # noqa: S603 - the operator's own command
                ["/bin/sh", "-c", script],
                stdin=subprocess.DEVNULL,
                stdout=printed,
                stderr=printed,
                env={"PATH": _PATH, "LC_ALL": "C"},
                cwd="/",
                timeout=limit,
                check=False,
            )
        except subprocess.TimeoutExpired:
            return f"did not end within {limit:g} s"
        printed.seek(0)
        text = shorten(redact(printed.read().decode(errors="replace")), 300)
    return f"exit code {done.returncode}: {text}" if done.returncode else ""
