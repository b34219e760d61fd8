# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The record of maintenance runs on a host: the current run, and how long parts take.

It is on the managed host, as the controller may be a container that is gone after the run. Each
host of the inventory has a file of its own, replaced as a whole. While the file is read and
replaced, a lock on a file beside it keeps others away.
"""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from ..core.check import CRITICAL, UNKNOWN
from ..core.files import PARTIAL, write_atomically
from ..core.lock import exclusive_lock
from ..core.state import default_dir

#: How a part ended, or that it is being done.
RUNNING, DONE, FAILED = "running", "done", "failed"
#: How a part ended that has not failed, by the worst of the checks that its steps made.
FOUND_CRITICAL, FOUND_UNKNOWN = CRITICAL, UNKNOWN
#: Not begun: there was no time left for it, or the platform was not fit for it.
LEFT_OUT, STOPPED = "left out", "stopped"

#: Why a part that was done has no verdict.
NOTHING_SET = "nothing is configured for it on this host"

#: Durations that are kept of each part.
KEPT = 3
#: Seconds to wait for a lock that is held for milliseconds only.
LOCK_WAIT = 10.0


@dataclass(frozen=True)
class Controller:
    """Who runs the maintenance, from where."""

    name: str = ""
    """Host name of the controller."""
    place: str = ""
    """The same for all processes that can see each other: boot and PID namespace."""
    pid: int = 0
    started: str = ""
    """When that process started, in the kernel's ticks."""
    owner: str = ""

    @property
    def text(self) -> str:
        owner = f"of '{self.owner}' " if self.owner else ""
        return f"{owner}from {self.name or 'an unknown controller'} (process {self.pid})"


@dataclass(frozen=True)
class PartResult:
    """How far a part is."""

    status: str
    began: float = 0.0
    seconds: float | None = None
    reason: str = ""
    changed: bool = False
    read_only: bool = False
    """Whether it only reported, and was to change nothing."""
    checks: tuple[str, ...] = ()
    """The critical checks that stopped it."""


@dataclass(frozen=True)
class Run:
    """One maintenance run."""

    id: str
    began: float
    controller: Controller
    order: tuple[str, ...]
    results: Mapping[str, PartResult] = field(default_factory=dict)
    health: tuple[tuple[str, str, str], ...] = ()
    """The health checks before it began; a resumed run keeps those of the run before."""
    alive: float = 0.0
    """The last sign of life."""
    lease: float = 0.0
    """Seconds after it for which the run counts as alive, if its process cannot be seen."""
    ended: float | None = None
    resumes: str = ""
    """What run this one goes on with; empty for a new one."""
    note: str = ""
    """How the run before was killed, if it was."""

    @property
    def running(self) -> str:
        """The part that is being done; empty between parts."""
        names = (name for name, each in self.results.items() if each.status == RUNNING)
        return next(names, "")

    def with_result(self, part: str, result: PartResult) -> Run:
        return replace(self, results={**self.results, part: result})


@dataclass(frozen=True)
class Record:
    """What is kept of earlier runs."""

    run: Run | None = None
    durations: Mapping[str, tuple[float, ...]] = field(default_factory=dict)
    """How many seconds the last runs of each part took."""
    left_out: tuple[str, ...] = ()
    """Parts for which the last run had no time; they are the first of the next one."""

    def with_duration(self, part: str, seconds: float) -> Record:
        kept = (*self.durations.get(part, ()), round(seconds, 1))[-KEPT:]
        return replace(self, durations={**self.durations, part: kept})


class Store:
    """The record's file."""

    def __init__(self, directory: str, host: str) -> None:
        digest = hashlib.sha256(host.encode()).hexdigest()[:16]
        self.folder = directory or default_dir()
        self.path = os.path.join(self.folder, f"maintenance-{digest}.json")

    def load(self) -> Record:
        """The record; an empty one if there is none, or it is damaged."""
        try:
            with open(self.path, encoding="utf-8") as stream:
                return _record(json.load(stream))
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            return Record()

    def save(self, record: Record) -> None:
        """Replace the record; raises OSError."""
        write_atomically(self.path, json.dumps(asdict(record)))

    @contextmanager
    def locked(self, owner: str) -> Iterator[None]:
        """Keep other runs away while the record is changed; raises OSError and `Locked`."""
        os.makedirs(self.folder, mode=0o700, exist_ok=True)
        what = "the record of the maintenance"
        with exclusive_lock(f"{self.path}.lock", what, owner, LOCK_WAIT):
            self._sweep()
            yield

    def _sweep(self) -> None:
        """Remove what a killed run left half-written; other probes write to this folder, too."""
        old = time.time() - 3600
        for name in os.listdir(self.folder):
            path = os.path.join(self.folder, name)
            with suppress(OSError):
                if name.startswith(PARTIAL) and os.stat(path).st_mtime < old:
                    os.unlink(path)


def _record(values: Mapping[str, Any]) -> Record:
    run = values["run"]
    return Record(
        None if run is None else _run(run),
        {str(part): tuple(map(float, each)) for part, each in values["durations"].items()},
        tuple(map(str, values["left_out"])),
    )


def _run(values: Mapping[str, Any]) -> Run:
    return Run(
        **{
            **values,
            "controller": Controller(**values["controller"]),
            "order": tuple(values["order"]),
            "results": {part: _result(each) for part, each in values["results"].items()},
            "health": tuple(tuple(each) for each in values["health"]),
        }
    )


def _result(values: Mapping[str, Any]) -> PartResult:
    return PartResult(**{**values, "checks": tuple(values["checks"])})
