# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs app_release: lists, verifies, deploys or rolls back, one run at a time."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from ..core.check import CRITICAL, DONE, OK, WARNING, Action, Check
from ..core.check import UNKNOWN as NOT_KNOWN
from ..core.deadline import DeadlineExceeded
from ..core.errors import NotCollected, RunbookError, Unreachable
from ..core.files import is_inside
from ..core.lock import Locked, exclusive_lock
from ..core.operation import Outcome
from ..core.progress import ProgressCallback, progress, running_item
from ..core.thresholds import Thresholds
from .backend import Backend
from .choose import first_live_order
from .collect import Snapshot
from .flow import Flow, refused
from .guards import obstacles
from .migrations import lacking, with_migrations
from .options import LISTED, ROLLED_BACK, VERIFIED, Options
from .plan import REMOVE, plan
from .record import BAD, GOOD, UNKNOWN, as_json
from .recover import describe, recover
from .store import Pending
from .switch import ROLLBACK, Result, Switcher, problem_of
from .target import Target
from .verify import verify


class Operation:
    """One run of app_release."""

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
        self._began = time.monotonic()
        self._begun = False
        """Whether anything may have been changed."""

    def preview(self) -> Outcome:
        """The plan, and whether the guards allow it; changes nothing."""
        return self._explained(self._preview)

    def run(self) -> Outcome:
        """Carry it out."""
        if self._options.state == LISTED:
            return self.preview()
        return self._explained(self._run)

    # --- what both do -----------------------------------------------------------------------------

    def _explained(self, work: Callable[[], Outcome]) -> Outcome:
        """The outcome of some work; that of an error is a check that says what is wrong."""
        name, problem = "release.live", RunbookError("")
        try:
            return work()
        except _NoTarget as error:
            name, problem = "release.target", error.cause
        except (NotCollected, Unreachable, Locked) as error:
            problem = error
        except DeadlineExceeded:
            problem = NotCollected(self._silent)
        except OSError as error:
            problem = NotCollected.of(error)
        text = str(problem)
        check = self._thresholds.verdict(
            name, CRITICAL, text, subject=self._options.name, remedy=problem.remedy
        )
        so_far = "The run ended early" if self._begun else "Nothing was changed"
        return Outcome([check], [], f"{so_far}: {text}. {check.remedy}", {"proven": False})

    @property
    def _silent(self) -> str:
        return f"{self._backend.manager} did not answer in time"

    def _target(self, snapshot: Snapshot, *, fetch: bool) -> Target:
        only_from = self._options.only_from
        if only_from not in ("", snapshot.current.id):
            raise NotCollected(
                f"{snapshot.current.id} is live, not {only_from}",
                f"Another run has replaced {only_from}; decide again with what is live now.",
            )
        try:
            return self._backend.target(snapshot, fetch=fetch)
        except NotCollected as error:
            raise _NoTarget(error) from None

    def _guarded(
        self, snapshot: Snapshot, target: Target, planned: Sequence[Action]
    ) -> tuple[list[Check], list[Action]]:
        """The guards, and the plan with the migrations that the database lacks."""
        facts = self._backend.facts(snapshot, target)
        missing = lacking(self._options, target, facts.migrations)
        planned = with_migrations(planned, self._options, target, missing)
        return self._backend.guards(facts, self._thresholds), planned

    def _report(self, phase: str) -> None:
        seconds = time.monotonic() - self._began
        self._callback(progress(0, 1, [running_item(self._options.name, seconds, phase)]))

    # --- check mode -------------------------------------------------------------------------------

    def _preview(self) -> Outcome:
        snapshot = self._backend.snapshot()
        live = live_check(snapshot, self._thresholds)
        if self._options.state == LISTED:
            live = replace(live, evidence=tuple(_rows(snapshot)))
            return Outcome([live], [], results=_results(snapshot, listed=True))
        if self._options.state == VERIFIED:
            checks = self._judge(snapshot)
            return Outcome([live, *checks], [], results=_results(snapshot))
        pending = snapshot.layout.store.pending()
        if pending:
            return Outcome([live], [describe(pending)], results=_results(snapshot))
        target = self._target(snapshot, fetch=False)
        planned = plan(self._options, snapshot, target)
        results = _results(snapshot, target)
        if not planned:
            return Outcome([live], [], results=results)
        checks, planned = self._guarded(snapshot, target, planned)
        if obstacles(checks):
            outcome = refused(checks, planned)
            return replace(outcome, checks=[live, *checks], results=results)
        return Outcome([live, *checks], planned, results=results)

    # --- for real ---------------------------------------------------------------------------------

    def _run(self) -> Outcome:
        options = self._options
        self._backend.prepare()
        store = self._backend.snapshot().layout.store
        store.prepare()
        with exclusive_lock(store.lock, f"the releases of {options.name}", options.owner):
            snapshot = self._backend.snapshot()  # what the run before has left
            store = snapshot.layout.store
            removed = [
                Action(REMOVE, DONE, "a killed run has left it unfinished", name)
                for name in self._backend.clean(store)
            ]
            if options.state == VERIFIED:
                return self._verify(snapshot)
            switcher = Switcher(options, store, self._backend, self._report)
            pending = store.pending()
            if pending:
                self._begun = True
                result, action = recover(pending, snapshot, store, switcher)
                problem = result.problem if result else ""
                back = result is not None and self._is_back(pending, result)
                if back:
                    action, problem = replace(action, reason=problem), ""
                if result and (problem or back or self._is_done(pending, result)):
                    return self._outcome(result.checks, [*removed, action], problem, result)
                removed.append(action)
                snapshot = self._backend.snapshot()
            return self._carry_out(snapshot, switcher, removed)

    def _is_back(self, pending: Pending, result: Result) -> bool:
        """Whether a killed run's switch was taken back, and that is what this run is asked for."""
        if not result.reverted or result.reverted.status != DONE:
            return False
        if self._options.wanted:
            return self._options.wanted in (result.live.id, result.live.version)
        return self._options.state == ROLLED_BACK and pending.kind != ROLLBACK

    def _is_done(self, pending: Pending, result: Result) -> bool:
        """Whether a switch that was only finished is the one that this run was asked for."""
        is_rollback = self._options.state == ROLLED_BACK
        if is_rollback != (pending.kind == ROLLBACK):
            return False
        wanted = self._options.wanted
        return wanted in (("",) if is_rollback else ()) + (result.live.id, result.live.version)

    def _carry_out(
        self, snapshot: Snapshot, switcher: Switcher, before: Sequence[Action]
    ) -> Outcome:
        self._report("choosing the release")
        target = self._target(snapshot, fetch=True)
        planned = plan(self._options, snapshot, target)
        if not planned:
            return self._outcome([], before, "", None, target)
        checks, planned = self._guarded(snapshot, target, planned)
        if obstacles(checks):
            outcome = refused(checks, planned)
            outcome.actions = [*before, *outcome.actions]
            outcome.checks = [live_check(snapshot, self._thresholds), *checks]
            outcome.results = _results(snapshot, target)
            return outcome
        self._begun = True
        flow = Flow(self._options, snapshot, target, self._backend, switcher, self._report)
        problem = flow.carry_out(planned)
        checks = [*checks, *flow.checks]
        return self._outcome(checks, [*before, *flow.actions], problem, flow.result, target)

    def _verify(self, snapshot: Snapshot) -> Outcome:
        """Whether the live release works now; a good one is recorded as such."""
        checks = self._judge(snapshot)
        problem = problem_of(checks)
        if not problem and not snapshot.layout.checkout:
            now = round(time.time(), 3)
            good = replace(snapshot.current, status=GOOD, verified=now, reason="")
            snapshot.layout.store.write(good)
        return self._outcome(checks, [], problem)

    def _judge(self, snapshot: Snapshot) -> list[Check]:
        """Whether the live release works, without a switch."""
        return verify(snapshot.serving, self._options, self._backend.watch(None), self._report)

    def _outcome(
        self,
        checks: Sequence[Check],
        actions: Sequence[Action],
        problem: str,
        result: Result | None = None,
        target: Target | None = None,
    ) -> Outcome:
        """With the release that is live in the end."""
        try:
            snapshot = self._backend.snapshot()
        except (NotCollected, Unreachable, DeadlineExceeded) as reason:
            text = f"which release is live cannot be seen: {reason or self._silent}"
            unseen = self._thresholds.verdict(
                "release.live", NOT_KNOWN, text, subject=self._options.name
            )
            return Outcome([unseen, *checks], list(actions), problem or text, {"proven": False})
        results = _results(snapshot, target)
        results["proven"] = not problem
        if result and result.outage and result.outage.requests:
            results["seconds_without_service"] = result.outage.seconds
        live = live_check(snapshot, self._thresholds)
        return Outcome([live, *checks], list(actions), problem, results)


class _NoTarget(RunbookError):
    """There is nothing to switch to."""

    def __init__(self, cause: NotCollected) -> None:
        super().__init__(str(cause), cause.remedy)
        self.cause = cause


def live_check(snapshot: Snapshot, thresholds: Thresholds) -> Check:
    """Which release is live, and what is known of it."""
    release, live = snapshot.current, snapshot.live
    name, subject = "release.live", snapshot.layout.store.link
    if not live.running:
        return thresholds.verdict(name, CRITICAL, "no process of the app runs", subject=subject)
    path = snapshot.layout.current
    elsewhere = [folder for folder in live.folders if not is_inside(folder, path)]
    if elsewhere:
        summary = f"{release.id} should be live, but processes are in {', '.join(elsewhere)}"
        return thresholds.verdict(name, CRITICAL, summary, subject=subject)
    if release.status == UNKNOWN:
        reason = "nothing is recorded of it yet"
        return thresholds.not_judged(name, f"{release.id} is live", reason, subject=subject)
    if release.status == BAD:
        summary = f"{release.id} is live, and marked as bad: {release.reason}"
        return thresholds.verdict(name, WARNING, summary, subject=subject)
    return thresholds.verdict(name, OK, f"{release.id} is live, and good", subject=subject)


def _rows(snapshot: Snapshot) -> list[dict[str, Any]]:
    """The releases for the report, the newest first."""
    order = first_live_order(snapshot.history)
    newest = sorted(
        snapshot.releases.values(), key=lambda each: order.get(each.id, -1), reverse=True
    )
    return [
        {
            "release": each.id,
            "commit": each.commit[:12],
            "status": each.status,
            "live": "yes" if each.id == snapshot.current.id else "",
            "reason": each.reason,
        }
        for each in newest
    ]


def _results(
    snapshot: Snapshot, target: Target | None = None, *, listed: bool = False
) -> dict[str, Any]:
    results: dict[str, Any] = {
        "live": snapshot.current.id,
        "target_release": target.release.id if target else "",
        "seconds_without_service": None,
        "proven": False,
    }
    if listed:
        newest = sorted(snapshot.releases.values(), key=lambda each: each.built or 0.0)
        results["releases"] = [as_json(release) for release in newest]
        results["history"] = [as_json(switch) for switch in snapshot.history[-20:]]
    return results
