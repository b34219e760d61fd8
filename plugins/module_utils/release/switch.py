# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The switch from one release to another: proven, or taken back once."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import partial

from ..core.check import CRITICAL, DONE, FAILED, OK, UNKNOWN, WARNING, Action, Check
from ..net.http import Target, ask
from ..net.monitor import Outage, ServiceMonitor
from ..net.url import Url
from .backend import Backend, Report
from .options import DEPLOYED, Options
from .plan import REVERT
from .record import BAD, GOOD, Release, Switch
from .store import Pending, Store
from .verify import outage_check, verify

DEPLOY, ROLLBACK, REVERTED = "deploy", "rollback", "revert"
#: Seconds to wait for the answer before the switch.
_PATIENCE = 3.0


@dataclass
class Result:
    """What came of a switch."""

    live: Release
    """The release that the app was left in."""
    checks: list[Check] = field(default_factory=list)
    problem: str = ""
    """Why the target is not live; empty if it is."""
    outage: Outage | None = None
    reverted: Action | None = None


class _Watched:
    """Measures the service until the block ends."""

    def __init__(self, options: Options) -> None:
        url = options.health_urls[0] if options.health_urls else ""
        self._target = Target(Url.parse("health_urls", url)) if url else None
        self._monitor = ServiceMonitor(partial(ask, self._target)) if self._target else None
        self.outage: Outage | None = None
        self.failed_before = False
        """Whether the app was failing already, before anything was changed."""

    def __enter__(self) -> _Watched:
        if self._target and self._monitor:
            self.failed_before = not ask(self._target, _PATIENCE).healthy
            self._monitor.start()
        return self

    def __exit__(self, *exc: object) -> None:
        if self._monitor:
            self.outage = self._monitor.stop()


class Switcher:
    """Switches the app of one run."""

    def __init__(
        self,
        options: Options,
        store: Store,
        backend: Backend,
        report: Report,
    ) -> None:
        self._options = options
        self._store = store
        self._backend = backend
        self._report = report

    def switch(self, before: Release, after: Release) -> Result:
        """Let the app run in another release; back to the one before if it does not prove itself.

        A kill at any moment leaves a record of what was being done.
        """
        kind = DEPLOY if self._options.state == DEPLOYED else ROLLBACK
        pending = Pending(kind, before.id, after.id, round(time.time(), 3), self._options.owner)
        self._store.write(before)
        self._store.write(after)
        self._store.begin(pending)
        return self.complete(pending, before, after)

    def complete(
        self,
        pending: Pending,
        before: Release,
        after: Release,
        only_others: bool = False,
    ) -> Result:
        """Finish a switch that is written down."""
        with _Watched(self._options) as watched:
            since = None if only_others else time.time()
            checks, problem = self._move(after, since, only_others)
            if problem:
                self._report("going back")
                self._store.begin(replace(pending, phase="revert"))
                result = self.revert(pending, before, after, problem)
            else:
                result = Result(after, checks)
        result.outage = watched.outage
        result.checks += self._service(watched.outage)
        if watched.failed_before and not only_others:
            result.checks = list(map(_by_the_release_before, result.checks))
        if not result.problem:
            self.commit(pending, before, after, watched.outage)
        return result

    def revert(self, pending: Pending, before: Release, after: Release, problem: str) -> Result:
        """Go back to the release before, once, and record why."""
        began = time.monotonic()
        checks, trouble = self._move(before, None, only_others=True)
        seconds = round(time.monotonic() - began, 1)
        reason = f"{after.id} did not prove itself: {problem}"
        action = Action(REVERT, DONE, reason, self._options.name, after.id, before.id, seconds)
        if trouble:
            # Both fail: the cause may be neither of them, so none is marked as bad.
            reason = f"{reason}; then {before.id} did not come back either: {trouble}"
            action = replace(action, status=FAILED, reason=reason)
            return Result(before, checks, f"{reason}. Repair the app by hand", reverted=action)
        self._store.write(replace(after, status=BAD, reason=f"{pending.kind} failed: {problem}"))
        self._record(pending, REVERTED, after.id, before.id, problem, None)
        return Result(before, checks, f"{reason}. {before.id} is live again", reverted=action)

    def commit(
        self, pending: Pending, before: Release, after: Release, outage: Outage | None
    ) -> None:
        """Record that the switch is proven."""
        now = round(time.time(), 3)
        self._store.write(replace(after, status=GOOD, verified=now, reason=""))
        if pending.kind == ROLLBACK and before.id != after.id:
            why = f": {self._options.reason}" if self._options.reason else ""
            by = f" by {pending.owner}" if pending.owner else ""
            self._store.write(replace(before, status=BAD, reason=f"rolled back{by}{why}"))
        seconds = outage.seconds if outage and outage.requests else None
        reason = self._options.reason
        self._record(pending, pending.kind, before.id, after.id, reason, seconds)

    def _record(
        self,
        pending: Pending,
        kind: str,
        before: str,
        after: str,
        reason: str,
        seconds: float | None,
    ) -> None:
        """Add the switch to the history, unless a killed run has, and forget that it is pending."""
        history = self._store.history()
        if not history or history[-1].at < pending.started or history[-1].after != after:
            now = round(time.time(), 3)
            self._store.append(Switch(now, kind, before, after, pending.owner, reason, seconds))
        self._store.finish()

    def _move(
        self, release: Release, since: float | None, only_others: bool
    ) -> tuple[list[Check], str]:
        """Let the app run in a release; what is wrong then, or nothing."""
        self._report(f"switching to {release.id}")
        switched = self._backend.activate(release, self._store, self._report, only_others)
        if switched.problem:
            return list(switched.checks), switched.problem
        watch = self._backend.watch(since)
        checks = [*switched.checks, *verify(release, self._options, watch, self._report)]
        return checks, problem_of(checks)

    def _service(self, outage: Outage | None) -> list[Check]:
        if outage is None or not outage.requests:
            return []
        return [outage_check(outage, self._options.name)]


def _by_the_release_before(check: Check) -> Check:
    """What is not the fault of the switch, if the app was failing before it: a warning at most."""
    if check.status == OK or check.name not in ("release.outage", "release.errors"):
        return check
    return replace(
        check,
        status=WARNING,
        summary=f"{check.summary}; the app was failing before the switch",
        remedy="Check that this ended with the switch.",
    )


def problem_of(checks: Sequence[Check]) -> str:
    """What is wrong with a release by its checks; empty if it has proven itself.

    Logs that cannot be read are no reason to take a release back.
    """
    return "; ".join(
        check.summary
        for check in checks
        if check.status == CRITICAL or (check.status == UNKNOWN and check.name != "release.errors")
    )
