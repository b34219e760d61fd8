# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the daemon wrote to its own log: which instances crashed when, or were stopped by hand."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import tzinfo

from ..logs.timestamps import TimestampParser

#: Bytes at the end of pm2.log that are read.
_TAIL = 1 << 20
#: What PM2 writes of an app that ended by itself, and of one that was interrupted.
_NO_SIGNAL = "SIGINT"
_EVENT = re.compile(
    r"(?:PM2 log: )?(?:"
    r"App \[(?P<app>.+):(?P<id>\d+)\] (?:(?P<start>starting in)|"
    r"exited with code \[(?P<code>\d+)\] via signal \[(?P<signal>\w*)\])"
    r"|Stopping app:(?P<stopped>.+) id:(?P<stopped_id>\d+)$)"
)


@dataclass(frozen=True)
class Exit:
    """An instance ended without having been told to, and PM2 started it again."""

    time: float
    """Seconds since the epoch."""
    clean: bool
    """Whether it ended with exit code 0 and not by a signal."""
    signal: str = ""
    """The signal that ended it; empty if it ended by itself."""


@dataclass
class History:
    """The events of one daemon, as far back as its log was read."""

    since: float | None = None
    """The first time that was read, in seconds since the epoch; none if nothing was."""
    exits: dict[int, list[Exit]] = field(default_factory=dict)
    """By PM2's id of the instance."""
    stopped_by_hand: set[int] = field(default_factory=set)
    """The instances whose last event began with an order to stop."""
    killed_by: dict[int, str] = field(default_factory=dict)
    """By PM2's id, the signal that ended an instance unasked, after which it was not started."""

    def exits_of(self, pm_id: int, after: float) -> list[Exit]:
        return [event for event in self.exits.get(pm_id, ()) if event.time >= after]


def read_history(home: str, now: float, zone: tzinfo | None) -> History:
    """The history from the end of pm2.log; an empty one if that cannot be read."""
    try:
        descriptor = os.open(os.path.join(home, "pm2.log"), os.O_RDONLY | os.O_NONBLOCK)
        with open(descriptor, "rb") as stream:
            size = os.fstat(stream.fileno()).st_size
            stream.seek(max(0, size - _TAIL))
            text = stream.read(_TAIL).decode(errors="replace")
    except OSError:
        return History()
    return parse_history(text.split("\n"), TimestampParser("", now, zone))


def parse_history(lines: Iterable[str], timestamps: TimestampParser) -> History:
    """The history that the lines of pm2.log tell; those of other kinds are left out."""
    history = History()
    pending: dict[int, Exit] = {}
    told_to_stop: set[int] = set()
    for line in lines:
        moment, text = timestamps.split(line)
        if moment is None:
            continue
        history.since = moment if history.since is None else history.since
        event = _EVENT.match(text)
        if not event:
            continue
        pm_id = int(event["id"] or event["stopped_id"])
        if event["stopped"]:
            told_to_stop.add(pm_id)
        elif event["start"]:
            if pm_id in pending and pm_id not in told_to_stop:
                history.exits.setdefault(pm_id, []).append(pending[pm_id])
            pending.pop(pm_id, None)
            told_to_stop.discard(pm_id)
        else:
            signal = event["signal"] if event["signal"] != _NO_SIGNAL else ""
            pending[pm_id] = Exit(moment, event["code"] == "0" and not signal, signal)
    history.stopped_by_hand = told_to_stop
    history.killed_by = {
        pm_id: last.signal
        for pm_id, last in pending.items()
        if last.signal and pm_id not in told_to_stop
    }
    return history
