# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the flow of a release needs from whatever runs the app."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Callable, Protocol

from ..core.check import Check
from ..core.files import is_inside
from ..core.thresholds import Thresholds
from .record import Release

if TYPE_CHECKING:
    from .collect import Snapshot
    from .guards import Facts
    from .store import Store
    from .target import Target

#: Called with what is being done, as often as there is anything new.
Report = Callable[[str], None]


@dataclass(frozen=True)
class Live:
    """What serves now."""

    cwd: str
    """The working directory that the app's manager starts the app in, as it is spelled there."""
    folders: tuple[str, ...] = ()
    """The folders that its processes are in, without links, each once; empty if none runs. Under
    Docker the ids of its containers' images."""
    running: int = 0
    """Processes that run, or containers."""
    node_version: str = ""
    """The Node.js that they run with; empty if each release has its own."""
    environment: Mapping[str, str] = field(default_factory=dict, repr=False)
    """The app's environment; its values are secrets."""

    def runs(self, path: str) -> bool:
        """Whether every process is in this release, and there is one."""
        return bool(self.folders) and all(is_inside(folder, path) for folder in self.folders)


@dataclass(frozen=True)
class Switched:
    """How a switch to a release ended."""

    problem: str = ""
    """Why the app does not run in the release; empty if it does."""
    checks: tuple[Check, ...] = ()
    """What was found about the app afterwards."""


class Watch(Protocol):
    """Checks the app's processes again and again, and judges what it saw."""

    @property
    def running(self) -> int:
        """Processes that there were at the last look."""

    def look(self) -> None:
        """Look once."""

    def problem(self, release: Release) -> str:
        """What is wrong with the processes, so far; empty if nothing is."""

    def check_process(self, release: Release, thresholds: Thresholds) -> Check:
        """release.process."""

    def check_errors(self, thresholds: Thresholds) -> Check:
        """release.errors."""


class Backend(Protocol):
    """What differs between one way to run an app and another; the flow is the same."""

    manager: str
    """Who runs the app, such as ``PM2``, for messages."""
    where: str
    """Which of them, for the report."""

    def prepare(self) -> None:
        """Repair what would keep a `snapshot` from being made after a killed run."""

    def snapshot(self) -> Snapshot:
        """What serves and which releases there are; raises `NotCollected` or `Unreachable`."""

    def clean(self, store: Store) -> list[str]:
        """Remove what killed runs have left unfinished; what it was."""

    def target(self, snapshot: Snapshot, *, fetch: bool) -> Target:
        """The release that is asked for; raises `NotCollected` or `UsageError`.

        Without ``fetch`` nothing is copied to this host.
        """

    def facts(self, snapshot: Snapshot, target: Target) -> Facts:
        """What the guards judge by."""

    def guards(self, facts: Facts, thresholds: Thresholds) -> list[Check]:
        """One check for each thing that may forbid the switch."""

    def adopt(self, snapshot: Snapshot) -> None:
        """Make a release of what runs now; raises `NotCollected`."""

    def build(self, snapshot: Snapshot, target: Target, report: Report) -> Release:
        """Make a release that is not there yet, and record it; raises `NotCollected`."""

    def output(self, release: Release, snapshot: Snapshot, command: str, seconds: float) -> str:
        """What a command line prints that runs in a release, beside the app.

        Raises `NotCollected` if it fails.
        """

    def trial(self, release: Release, report: Report) -> list[Check]:
        """Whether a release works, tried beside the live one."""

    def activate(
        self, release: Release, store: Store, report: Report, only_others: bool = False
    ) -> Switched:
        """Let the app run in a release.

        ``only_others`` leaves processes alone that run there already.
        """

    def watch(self, since: float | None) -> Watch:
        """Checks the app; ``since`` is when it was switched, none if it was not."""

    def remove(self, store: Store, release: Release) -> None:
        """Remove a release that this module has built; raises OSError or `NotCollected`."""
