# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Counters that only mean something over time: the sample of the last run, kept in a small file on the host."""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any

from .files import write_atomically
from .units import format_duration, iso_duration

#: Seconds that have to lie between two samples. Looking again a moment later is judged against the same earlier sample.
SPACING = 300.0


@dataclass(frozen=True)
class Sample:
    """Counters at one moment."""

    time: float
    """Seconds since the epoch."""
    epoch: str
    """What the counters count from, such as the server's start; another epoch means that they were reset."""
    counters: Mapping[str, float]


@dataclass(frozen=True)
class Delta:
    """What the counters counted in a window."""

    counters: Mapping[str, float]
    window: str
    """In words or as an ISO 8601 interval, for a check's ``window``."""
    seconds: float
    since_last_run: bool
    """False where no earlier run's sample could be used, so that the window reaches back to the epoch."""


def default_dir() -> str:
    """Where state is kept: root's in /var/lib, anyone else's in the XDG state folder."""
    if os.geteuid() == 0:
        return "/var/lib/gpt-agent-runbook"
    base = os.environ.get("XDG_STATE_HOME") or os.path.expanduser("~/.local/state")
    return os.path.join(base, "gpt-agent-runbook")


class StateFile:
    """The earlier samples of one probe of one service; at most two are kept.

    ``service`` says which one, such as host and port. It never enters the file's name in clear.
    """

    def __init__(self, directory: str | None, probe: str, service: str) -> None:
        digest = hashlib.sha256(service.encode()).hexdigest()[:16]
        self.path = os.path.join(directory or default_dir(), f"{probe}-{digest}.json")

    def delta(self, now: Sample, epoch_seconds: float | None, epoch_words: str) -> Delta:
        """What was counted since the last run, or since the epoch where there is no usable sample of one.

        ``epoch_seconds`` is how long ago the counters started, none where that is not known; ``epoch_words`` names that moment.
        """
        for earlier in self.earlier(now):
            if not any(now.counters.get(key, 0) < value for key, value in earlier.counters.items()):
                counted = {
                    key: value - earlier.counters.get(key, 0) for key, value in now.counters.items()
                }
                return Delta(counted, interval(earlier, now), now.time - earlier.time, True)
        return self.total(now, epoch_seconds, epoch_words)

    def total(self, now: Sample, epoch_seconds: float | None, epoch_words: str) -> Delta:
        """What was counted since the epoch."""
        age = "" if epoch_seconds is None else f" {format_duration(epoch_seconds)} ago"
        return Delta(dict(now.counters), f"since {epoch_words}{age}", epoch_seconds or 0.0, False)

    def earlier(self, now: Sample) -> list[Sample]:
        """The stored samples that ``now`` can be compared with, the latest first."""
        return [
            sample
            for sample in reversed(self._load())
            if now.time - sample.time >= SPACING and sample.epoch == now.epoch
        ]

    def store(self, now: Sample) -> None:
        """Keep a sample for the next run; raises OSError where the file cannot be written."""
        kept = [
            sample
            for sample in self._load()
            if sample.epoch == now.epoch and sample.time < now.time
        ][-2:]
        if kept and now.time - kept[-1].time < SPACING:
            return
        folder = os.path.dirname(self.path)
        os.makedirs(folder, mode=0o700, exist_ok=True)
        samples = [
            {"time": sample.time, "epoch": sample.epoch, "counters": dict(sample.counters)}
            for sample in [*kept[-1:], now]
        ]
        write_atomically(self.path, json.dumps({"samples": samples}))

    def _load(self) -> list[Sample]:
        """The stored samples, oldest first; a missing or damaged file holds none."""
        try:
            with open(self.path) as stream:
                return [
                    Sample(
                        float(s["time"]),
                        str(s["epoch"]),
                        {str(k): float(v) for k, v in s["counters"].items()},
                    )
                    for s in json.load(stream)["samples"]
                ]
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            return []


def now_sample(epoch: str, counters: Mapping[str, float]) -> Sample:
    return Sample(time.time(), epoch, counters)


def interval(earlier: Sample, now: Sample) -> str:
    """The span between two samples as an ISO 8601 interval."""
    return f"{datetime.fromtimestamp(earlier.time, timezone.utc):%Y-%m-%dT%H:%MZ}/{iso_duration(now.time - earlier.time)}"


def store_sample(module: Any, state: StateFile, sample: Sample) -> None:
    """Store a sample, except in check mode; a state folder that cannot be written is a warning, never the end of a probe."""
    if module.check_mode:
        return
    try:
        state.store(sample)
    except OSError as error:
        module.warn(
            f"The counters of this run could not be kept in {state.path}: {error.strerror}. The next run cannot compare with it; set state_dir."
        )
