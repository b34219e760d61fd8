# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the flow of a release needs from whatever runs the app."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Callable, Protocol

from ..core.check import Check
from .record import Release

#: Called with what is being done, as often as there is anything new.
Report = Callable[[str], None]


@dataclass(frozen=True)
class Live:
    """What serves now."""

    cwd: str
    """The working directory that the app's manager starts the app in, as it is spelled there."""
    folders: tuple[str, ...] = ()
    """The folders that its processes are in, without links, each once; empty if none runs."""
    running: int = 0
    """Processes that run."""
    node_version: str = ""
    """The Node.js that they run with."""
    environment: Mapping[str, str] = field(default_factory=dict, repr=False)
    """The app's environment; its values are secrets."""

    def runs(self, path: str) -> bool:
        """Whether every process is in this release, and there is one."""
        inside = (folder == path or folder.startswith(f"{path}/") for folder in self.folders)
        return bool(self.folders) and all(inside)


@dataclass(frozen=True)
class Switched:
    """How a switch to a release ended."""

    problem: str = ""
    """Why the app does not run in the release; empty if it does."""
    checks: tuple[Check, ...] = ()
    """What was found about the app afterwards."""


class Backend(Protocol):
    """Runs the app from folders on this host."""

    def live(self) -> Live:
        """What serves now; raises `NotCollected` or `Unreachable`."""

    def activate(
        self, release: Release, link: str, report: Report, only_others: bool = False
    ) -> Switched:
        """Let the app run in a release, to which the link leads by now.

        ``only_others`` leaves processes alone that run there already.
        """
