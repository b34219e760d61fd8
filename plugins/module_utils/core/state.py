# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Counters compared with those of the last run, which are kept in a small file on the host."""

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

#: Minimum seconds between two samples. A run before that is compared with the same earlier sample.
SPACING = 300.0


@dataclass(frozen=True)
class Sample:
    """Counters at a moment."""

    time: float
    """Unix time."""
    epoch: str
    """Identifies the start of the counters, such as the server's start; a change is a reset."""
    counters: Mapping[str, float]


@dataclass(frozen=True)
class Delta:
    """How much the counters rose in a window."""

    counters: Mapping[str, float]
    window: str
    """As text or as an ISO 8601 interval, for a check's ``window``."""
    seconds: float
    """Length of the window; 0 if it is not known."""
    since_last_run: bool
    """Whether there was a usable earlier sample; otherwise the window starts at the epoch."""


def default_dir() -> str:
    """Default folder of the state: in /var/lib for root, in the XDG state folder for others."""
    if os.geteuid() == 0:
        return "/var/lib/gpt-agent-runbook"
    base = os.environ.get("XDG_STATE_HOME") or os.path.expanduser("~/.local/state")
    return os.path.join(base, "gpt-agent-runbook")


class StateFile:
    """The earlier samples of one probe of one service; at most two are kept.

    ``directory`` defaults to `default_dir`. ``service`` says which one, such as host and port; the
    file's name contains only its hash.
    """

    def __init__(self, directory: str | None, probe: str, service: str) -> None:
        digest = hashlib.sha256(service.encode()).hexdigest()[:16]
        self.path = os.path.join(directory or default_dir(), f"{probe}-{digest}.json")

    def delta(self, now: Sample, epoch_seconds: float | None, epoch_name: str) -> Delta:
        """The rise since the last run, or since the epoch if there is no usable earlier sample.

        ``epoch_seconds`` is how long ago the counters started, none if unknown; ``epoch_name`` is
        what to call that moment in the window, such as ``server start``.
        """
        for earlier in self.earlier(now):
            if not any(now.counters.get(key, 0) < value for key, value in earlier.counters.items()):
                counted = {
                    key: value - earlier.counters.get(key, 0) for key, value in now.counters.items()
                }
                return Delta(counted, interval(earlier, now), now.time - earlier.time, True)
        return self.total(now, epoch_seconds, epoch_name)

    def total(self, now: Sample, epoch_seconds: float | None, epoch_name: str) -> Delta:
        """The rise since the epoch."""
        age = "" if epoch_seconds is None else f" {format_duration(epoch_seconds)} ago"
        return Delta(dict(now.counters), f"since {epoch_name}{age}", epoch_seconds or 0.0, False)

    def earlier(self, now: Sample) -> list[Sample]:
        """The stored samples that ``now`` can be compared with, newest first."""
        return [
            sample
            for sample in reversed(self._load())
            if now.time - sample.time >= SPACING and sample.epoch == now.epoch
        ]

    def of_epoch(self, epoch: str) -> list[Sample]:
        """The stored samples since the counters started, oldest first, however recent."""
        return [sample for sample in self._load() if sample.epoch == epoch]

    def store(self, now: Sample) -> None:
        """Keep a sample for the next run; raises OSError if the file cannot be written."""
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
        """The stored samples, oldest first; none if the file is missing or damaged."""
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
    """A sample with the current time."""
    return Sample(time.time(), epoch, counters)


def interval(earlier: Sample, now: Sample) -> str:
    """The span between two samples as an ISO 8601 interval."""
    start = datetime.fromtimestamp(earlier.time, timezone.utc)
    return f"{start:%Y-%m-%dT%H:%MZ}/{iso_duration(now.time - earlier.time)}"


def store_sample(module: Any, state: StateFile, sample: Sample) -> None:
    """Store a sample, except in check mode; the module only warns if the file cannot be written."""
    if module.check_mode:
        return
    try:
        state.store(sample)
    except OSError as error:
        module.warn(
            f"The counters of this run could not be kept in {state.path}: {error.strerror}. "
            "The next run cannot compare with them; set state_dir."
        )
