# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs deployment_watch: watches the live release for a time, without a lock or a change."""

from __future__ import annotations

import time
from dataclasses import replace

from ...core.check import OK, UNKNOWN, WARNING
from ...core.deadline import DeadlineExceeded
from ...core.errors import NotCollected, RunbookError, Unreachable
from ...core.operation import Outcome
from ...core.progress import ProgressCallback, progress, running_item
from ...core.thresholds import Thresholds
from ..backend import Backend
from ..collect import Snapshot
from ..gate.record import response_times
from ..record import Switch
from .assess import Watched, assess, is_recent, may_roll_back
from .collect import Asker, read_messages
from .options import Options
from .rounds import Seen

_OTHERWISE = (
    "deploy.yml watches a release itself after its switch; for longer with app_release_bake, or"
    " vercel_bake."
)
#: Shortest time between two rounds, in seconds.
_PAUSE = 0.2


class Watch:
    """One run of deployment_watch."""

    def __init__(
        self,
        options: Options,
        backend: Backend,
        thresholds: Thresholds,
        report: ProgressCallback = lambda newest: None,
    ) -> None:
        self._options = options
        self._backend = backend
        self._thresholds = thresholds
        self._callback = report

    def run(self) -> Outcome:
        """What was seen; what cannot be seen at all is unknown, and never rolled back."""
        problem = RunbookError("")
        try:
            return self._run()
        except (NotCollected, Unreachable) as error:
            problem = error
        except DeadlineExceeded:
            problem = NotCollected("PM2 did not answer in time")
        except OSError as error:
            problem = NotCollected.of(error)
        check = self._thresholds.verdict(
            "release.watch",
            UNKNOWN,
            f"not watched: {problem}",
            subject=self._options.release.name,
            remedy=problem.remedy,
        )
        return Outcome([check], results={"healthy": False, "roll_back": False, "release": ""})

    def _run(self) -> Outcome:
        options = self._options
        options.release.require_pm2(_OTHERWISE)
        snapshot = self._backend.snapshot()
        release = snapshot.serving
        asker = Asker.of(options.release, release)
        watched = self._watch(snapshot, asker)
        switch = watched.deployed
        if switch and watched.seen.answered and is_recent(watched, options):
            starts = [row.started for row in watched.seen.last.instances if row.started]
            since = _since(switch, snapshot, starts)
            messages = read_messages(asker, watched.seen.last, since)
            watched = replace(watched, messages=messages, since=since)
        checks = assess(watched, options, self._thresholds)
        works = checks[0].status in (OK, WARNING) and not watched.replaced_by
        results = {
            "healthy": works,
            "roll_back": may_roll_back(watched, options),
            "release": release.id,
        }
        return Outcome(checks, results=results)

    def _watch(self, snapshot: Snapshot, asker: Asker) -> Watched:
        """Round after round, until the time is over, the release has failed or was replaced."""
        options, release, store = self._options, snapshot.serving, snapshot.layout.store
        seen = Seen(release, options.failures)
        began = time.monotonic()
        last = _last_switch(snapshot)
        while True:
            seen.add(asker.round())
            passed = time.monotonic() - began
            self._report(release.id, passed, seen)
            replaced = _replaced(snapshot, last)
            unclear = bool(seen.in_a_row) and seen.rounds < options.failures
            if replaced or seen.failed or (passed >= options.watch_for and not unclear):
                break
            time.sleep(min(options.interval, max(_PAUSE, options.watch_for - passed)))
        return Watched(
            seen,
            asker.endpoints,
            time.monotonic() - began,
            time.time(),
            last if last and last.after == release.id else None,
            replaced,
            before=response_times(store, release.id),
        )

    def _report(self, release: str, passed: float, seen: Seen) -> None:
        share = min(1.0, passed / self._options.watch_for) if self._options.watch_for else 1.0
        trouble = ", ".join(seen.in_a_row) or "healthy"
        item = running_item(release, passed, f"watched, {trouble}", share)
        self._callback(progress(0, 1, [item]))


def _last_switch(snapshot: Snapshot) -> Switch | None:
    return snapshot.history[-1] if snapshot.history else None


def _replaced(snapshot: Snapshot, last: Switch | None) -> str:
    """What has become live meanwhile, by the record; empty if nothing has."""
    history = snapshot.layout.store.history()
    if history and history[-1] != last and history[-1].after != snapshot.current.id:
        return history[-1].after
    return ""


def _since(switch: Switch, snapshot: Snapshot, starts: list[float]) -> float:
    """When the switch began: the first of its processes started then; the record has its end."""
    earlier = [one.at for one in snapshot.history if one.at < switch.at]
    known = [start for start in starts if start > max(earlier, default=0.0)]
    return min([switch.at, *known])
