# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What was seen of an app while it was watched."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from ...linux.sockets import Connection
from ...linux.usage import Usage, busy_share
from ..instance import App, Instance
from .reported import Reported
from .signs import Signs

#: The remedy where this user lacks permission.
AS_OWNER = "Run this module as the user who owns PM2: set app_user in the inventory."


@dataclass(frozen=True)
class Look:
    """One instance at one moment."""

    moment: float
    """By the monotonic clock."""
    usage: Usage
    database: tuple[Connection, ...] = ()
    """Its established connections to the database."""
    figures: Mapping[str, float] = field(default_factory=dict)
    """What the app reported to PM2 last, see `Reported.figures`."""


@dataclass(frozen=True)
class Trend:
    """One instance over the window; there are at least two looks."""

    instance: Instance
    looks: Sequence[Look]
    before: Reported = field(default_factory=Reported)
    after: Reported = field(default_factory=Reported)
    peers: tuple[tuple[str, int], ...] = ()
    """Its established connections at the end, by peer: ``127.0.0.1:5432`` and how many."""
    limit: int | None = None
    """Bytes of memory at which it is ended, by PM2 or by the kernel."""

    @property
    def first(self) -> Usage:
        return self.looks[0].usage

    @property
    def last(self) -> Usage:
        return self.looks[-1].usage

    @property
    def seconds(self) -> float:
        return max(0.001, self.looks[-1].moment - self.looks[0].moment)

    @property
    def cpu(self) -> float:
        """Percent of one processor, of all threads."""
        return 100 * (self.last.cpu - self.first.cpu) / self.seconds

    @property
    def system_share(self) -> float:
        """Percent of its processor time that the kernel used for it."""
        used = self.last.cpu - self.first.cpu
        return 100 * (self.last.system - self.first.system) / used if used else 0.0

    @property
    def main_cpu(self) -> float:
        """Percent of one processor, of the thread that runs JavaScript."""
        first, last = self.first.main_thread, self.last.main_thread
        return 100 * (last.cpu - first.cpu) / self.seconds if first and last else 0.0

    @property
    def main_busy(self) -> float:
        """Percent of the window in which that thread computed, or waited for a processor."""
        return busy_share(self.first, self.last, self.seconds)

    @property
    def helpers_cpu(self) -> float:
        """Percent of one processor, of all other threads: garbage collection, compiler, pool."""
        return max(0.0, self.cpu - self.main_cpu)

    @property
    def reads(self) -> int | None:
        if self.first.reads is None or self.last.reads is None:
            return None
        return self.last.reads - self.first.reads

    @property
    def has_reported(self) -> bool:
        """Whether the app has sent figures to PM2 in the window, so its event loop turned."""
        return bool(self.after.raw) and self.after.raw != self.before.raw

    def busiest_thread(self) -> str:
        """Name and share of the thread that used most of the processor."""
        before = {thread.tid: thread.cpu for thread in self.first.threads}
        used = [(thread.cpu - before.get(thread.tid, 0.0), thread) for thread in self.last.threads]
        if not used:
            return ""
        seconds, thread = max(used, key=lambda each: each[0])
        kind = "main thread" if thread.tid == self.last.pid else f"{thread.name} {thread.tid}"
        return f"{kind}, {100 * seconds / self.seconds:.0f} %"


@dataclass(frozen=True)
class Snapshot:
    """One app, watched."""

    app: App
    trends: tuple[Trend, ...]
    """Of the instances that ran for the whole window."""
    replaced: tuple[int, ...] = ()
    """PM2's ids of the instances that were restarted or ended meanwhile."""
    hidden: bool = False
    """Whether /proc shows other processes than PM2 means, such as those of another container."""
    seconds: float = 0.0
    processors: int = 1
    signs: Signs = field(default_factory=Signs)
    taken: float = 0.0
    """Seconds since the epoch, at the end of the window."""
