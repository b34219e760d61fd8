# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The messages of some logs within a time window, counted by fingerprint, and what is missing."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from .fingerprint import fingerprint

#: Kinds of `LogProblem`.
UNTIMED = "untimed"
FORBIDDEN = "forbidden"
MISSING = "missing"
UNREADABLE = "unreadable"
MIXED = "mixed"
LOST = "lost"
DISABLED = "disabled"

#: Maximum number of fingerprints that are counted separately.
MAX_GROUPS = 1000
OTHER_MESSAGES = "(other messages)"

_NUMBERS = re.compile(r"[a-f]*\d[0-9a-f]*")


@dataclass
class MessageGroup:
    """Messages with the same fingerprint within the window; times in seconds since the epoch."""

    fingerprint: str
    count: int
    first: float
    last: float


@dataclass(frozen=True)
class LogProblem:
    """Why the messages of a log could not be counted, or not all of them."""

    path: str
    kind: str
    """`UNTIMED`, `FORBIDDEN`, `MISSING`, `UNREADABLE`, `MIXED` (ordinary output is in the same
    file), `LOST` (what is written does not arrive) or `DISABLED`."""
    detail: str = ""
    count: int = 0
    """Messages affected."""
    at_least: bool = False
    """Whether the count is only a lower bound, as the log was not read completely."""


@dataclass
class LogSummary:
    """The messages of some logs within the window that starts at ``since`` (epoch seconds)."""

    since: float
    groups: list[MessageGroup] = field(default_factory=list)
    possible: int = 0
    """Messages without a time that may be in the window: their neighbours are on both sides of
    its start."""
    undated: dict[str, int] = field(default_factory=dict)
    """All messages without a time that may be in the window, counted by fingerprint."""
    informational: int = 0
    """Lines in the window that are marked as information, and not counted."""
    warnings: int = 0
    """Lines of ordinary output in the window that are marked as warnings, and not counted."""
    problems: list[LogProblem] = field(default_factory=list)
    complete: bool = True
    """False if the window holds more than could be read; the latest messages are read first."""
    oldest: float | None = None
    """The earliest time that was read, in seconds since the epoch."""

    unread: int = 0
    """Errors to expect in the part of the ordinary output that was not read."""
    output_since: float | None = None
    """Since when the ordinary output was read, if not since the start of the window."""

    @property
    def count(self) -> int:
        return sum(group.count for group in self.groups)


def with_output(errors: LogSummary, output: LogSummary, now: float) -> LogSummary:
    """The summary of an app's error logs together with that of its ordinary output.

    Output that is not there is no problem, and output that is too long to be read completely is
    taken to go on as the part that was read.
    """
    counter = MessageCounter(errors.since)
    for group in (*errors.groups, *output.groups):
        counter.add(group.fingerprint, group.first, group.last, group.count)
    counter.add_undated(errors.undated)
    counter.add_undated(output.undated)
    found = counter.finish()
    found.possible = errors.possible + output.possible
    found.informational, found.warnings = errors.informational, output.warnings
    found.problems = errors.problems + [
        problem for problem in output.problems if problem.kind not in (MISSING, DISABLED)
    ]
    found.complete, found.oldest = errors.complete, errors.oldest
    if not output.complete:
        found.output_since = now if output.oldest is None else max(output.oldest, errors.since)
        covered = (now - found.output_since) / (now - errors.since)
        found.unread = int(output.count / max(covered, 0.001)) - output.count
    return found


class MessageCounter:
    """Builds a `LogSummary`, message by message."""

    def __init__(self, since: float) -> None:
        self.summary = LogSummary(since)
        self._groups: dict[str, MessageGroup] = {}
        self._fingerprints: dict[str, str] = {}

    def finish(self) -> LogSummary:
        """The summary, its groups sorted by count and then by time, largest and newest first."""
        groups = self._groups.values()
        self.summary.groups = sorted(groups, key=lambda group: (-group.count, -group.last))
        return self.summary

    def add(self, text: str, first: float, last: float, count: int = 1) -> None:
        """Count messages that are in the window; ``text`` is their fingerprint."""
        group = self._groups.get(text)
        if group is None:
            if len(self._groups) >= MAX_GROUPS:
                text = OTHER_MESSAGES
            group = self._groups.setdefault(text, MessageGroup(text, 0, first, last))
        group.count += count
        group.first, group.last = min(group.first, first), max(group.last, last)

    def fingerprint(self, text: str) -> str:
        """The fingerprint of a message. Cached, as most messages differ only in their numbers."""
        key = _NUMBERS.sub("0", text)
        found = self._fingerprints.get(key)
        if found is None:
            if len(self._fingerprints) > 20 * MAX_GROUPS:
                self._fingerprints.clear()
            found = self._fingerprints[key] = fingerprint(text)
        return found

    def date_by_neighbours(
        self, pending: dict[str, int], before: float | None, after: float
    ) -> None:
        """Count messages without a time by the times of the messages before and after them.

        Clears ``pending``, their number by fingerprint.
        """
        since = self.summary.since
        if before is not None and before >= since and after >= since:
            for text, count in pending.items():
                self.add(text, before, after, count)
        elif after >= since:
            self.summary.possible += sum(pending.values())
            self.add_undated(pending)
        pending.clear()

    def add_undated(self, counts: Mapping[str, int]) -> None:
        """Count messages that may or may not be in the window, by fingerprint."""
        for text, count in counts.items():
            self.summary.undated[text] = self.summary.undated.get(text, 0) + count

    def add_problem(
        self, path: str, kind: str, detail: str = "", count: int = 0, *, at_least: bool = False
    ) -> None:
        self.summary.problems.append(LogProblem(path, kind, detail, count, at_least))

    def note_oldest(self, moment: float) -> None:
        """Remember the earliest time of a file that was read."""
        if self.summary.oldest is None or moment < self.summary.oldest:
            self.summary.oldest = moment
