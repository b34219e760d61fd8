# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The failed units of systemd."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass

from ..core.deadline import Deadline
from ..core.text import redact, shorten

#: Seconds to wait for systemctl, at most a third of the probe's time limit.
_TIMEOUT = 3.0
_COMMAND = [
    "systemctl",
    "list-units",
    "--state=failed",
    "--all",
    "--plain",
    "--full",
    "--no-legend",
    "--no-pager",
]
#: What some versions print before the name of a failed unit.
_MARKS = "●*×↻ "


@dataclass(frozen=True)
class FailedUnits:
    """The units in the state failed."""

    names: Sequence[str]
    problem: str = ""
    """Why the names could not be read; empty if they could."""


class FailedUnitsQuery:
    """A systemctl that runs while the probe reads other things."""

    def __init__(self, child: subprocess.Popen[str]) -> None:
        self._child = child

    @classmethod
    def start(cls) -> FailedUnitsQuery | None:
        """None if systemd is not the first process."""
        if not os.path.isdir("/run/systemd/system"):
            return None
        try:
            child = subprocess.Popen(  # noqa: S603
                _COMMAND,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
                env={**os.environ, "LC_ALL": "C", "SYSTEMD_COLORS": "0"},
            )
        except FileNotFoundError:
            return None
        return cls(child)

    def result(self, deadline: Deadline) -> FailedUnits:
        """Wait for the answer, for a limited time; raises `DeadlineExceeded`."""
        timeout = deadline.remaining(min(_TIMEOUT, deadline.seconds / 3))
        try:
            output, errors = self._child.communicate(timeout=timeout)
        except subprocess.TimeoutExpired:
            self._child.kill()
            return FailedUnits((), f"systemctl gave no answer within {timeout:.1f} s")
        if self._child.returncode:
            exit_code = f"systemctl failed with exit code {self._child.returncode}"
            return FailedUnits((), shorten(redact(errors), 200) or exit_code)
        return FailedUnits(parse_units(output))


def parse_units(output: str) -> list[str]:
    """The units' names: the first word of each line, after a mark."""
    lines = (line.lstrip(_MARKS) for line in output.splitlines())
    return [line.split()[0] for line in lines if line]
