# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs vercel_deployment: lists, verifies, rolls back or promotes, one run at a time."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import partial
from typing import Any

from ..core.check import CRITICAL, DONE, FAILED, SKIPPED, UNKNOWN, Action, Check
from ..core.deadline import Deadline, DeadlineExceeded
from ..core.errors import NotCollected, Refused, RunbookError, Unreachable
from ..core.lock import Locked, exclusive_lock
from ..core.operation import Outcome
from ..core.progress import ProgressCallback, progress, running_item
from ..core.thresholds import Thresholds
from ..core.units import format_duration
from ..net.monitor import ServiceMonitor
from ..net.url import Url
from .build import build_check
from .choose import is_rolled_back, named
from .client import Client
from .collect import changed_variables, collect, failed_domains, read_domains, read_project
from .endpoint import RATE, ask
from .memory import Memory
from .options import DIAGNOSED, LISTED, VERIFIED, Options
from .plan import SWITCH, Busy, Plan, plan, require_confirmed
from .snapshot import ROLLBACK, Deployment, Job, Snapshot
from .switch import Stopped, Switch, succeeded
from .verify import (
    auto_assign_check,
    environment_check,
    job_check,
    live_check,
    outage_check,
    watch,
)

_LATER = "state=verified shows whether it was done since; run this again to wait for it."
#: Seconds for which the state in the end may be asked for, when the time limit has passed.
_LAST_LOOK = 15.0


class Operation:
    """One run of vercel_deployment."""

    def __init__(
        self,
        options: Options,
        thresholds: Thresholds,
        report: ProgressCallback = lambda newest: None,
    ) -> None:
        self._options = options
        self._thresholds = thresholds
        self._callback = report
        self._began = time.monotonic()
        self._client = Client(options, Deadline(options.time_limit))
        self._memory = Memory(options)

    def preview(self) -> Outcome:
        """The plan, and whether anything forbids it; changes nothing."""
        return self._explained(self._preview)

    def run(self) -> Outcome:
        """Carry it out."""
        if self._options.state in (DIAGNOSED, LISTED, VERIFIED):
            return self.preview()
        return self._explained(self._run)

    # --- what both do -----------------------------------------------------------------------------

    def _explained(self, work: Callable[[], Outcome]) -> Outcome:
        """The outcome of some work that has changed nothing if it raises."""
        name, problem = "vercel.live", RunbookError("")
        try:
            return work()
        except _NoTarget as error:
            name, problem = "vercel.target", error.cause
        except Busy as error:
            name, problem = "vercel.job", error
        except (NotCollected, Refused, Unreachable, Locked) as error:
            problem = error
        except DeadlineExceeded:
            problem = _late(self._options)
        except OSError as error:
            problem = NotCollected.of(error, "Set record_dir.")
        text = str(problem)
        check = self._thresholds.verdict(
            name, CRITICAL, text, subject=self._options.project, remedy=problem.remedy
        )
        message = f"Nothing was changed: {text}. {check.remedy}"
        return Outcome([check], [], message, {"proven": False})

    def _snapshot(self) -> Snapshot:
        snapshot = collect(self._options, self._client)
        require_confirmed(self._options, snapshot)
        return snapshot

    def _plan(self, snapshot: Snapshot) -> Plan:
        try:
            return plan(self._options, snapshot, self._memory.left())
        except NotCollected as error:
            raise _NoTarget(error) from None

    def _report(self, phase: str) -> None:
        seconds = time.monotonic() - self._began
        self._callback(progress(0, 1, [running_item(self._options.project, seconds, phase)]))

    # --- check mode, and states that change nothing -----------------------------------------------

    def _preview(self) -> Outcome:
        snapshot = self._snapshot()
        live = live_check(snapshot, self._thresholds)
        if self._options.state == LISTED:
            live = replace(live, evidence=tuple(_rows(snapshot)))
            checks = [live, job_check(snapshot, self._thresholds)]
            return Outcome(checks, [], results=_results(snapshot, listed=True))
        if self._options.state == VERIFIED:
            return self._verified(snapshot)
        if self._options.state == DIAGNOSED:
            return self._diagnosed(snapshot)
        planned = self._plan(snapshot)
        results = _results(snapshot, planned.target)
        checks = [live, self._environment(snapshot, planned.target)]
        return Outcome(checks, planned.actions or [_skipped(planned, snapshot)], results=results)

    def _verified(self, snapshot: Snapshot) -> Outcome:
        checks = [
            live_check(snapshot, self._thresholds),
            job_check(snapshot, self._thresholds),
            auto_assign_check(snapshot, self._thresholds),
        ]
        if snapshot.live:
            checks += watch(snapshot.live, self._options, self._thresholds, self._report)
        problem = _problem(checks)
        return Outcome(checks, [], problem, {**_results(snapshot), "proven": not problem})

    def _diagnosed(self, snapshot: Snapshot) -> Outcome:
        """A failed build is a finding, not a failure of this module."""
        wanted = self._options.wanted
        try:
            if not wanted and not snapshot.deployments:
                raise NotCollected("the project has no production deployment")
            deployment = named(wanted, snapshot) if wanted else snapshot.deployments[0]
        except NotCollected as error:
            raise _NoTarget(error) from None
        checks = [
            build_check(self._client, deployment, self._thresholds),
            live_check(snapshot, self._thresholds),
            job_check(snapshot, self._thresholds),
            auto_assign_check(snapshot, self._thresholds),
        ]
        return Outcome(checks, [], results=_results(snapshot, deployment))

    # --- for real ---------------------------------------------------------------------------------

    def _run(self) -> Outcome:
        what = f"the project {self._options.project} on Vercel"
        self._memory.prepare()
        with exclusive_lock(self._memory.lock, what, self._options.owner):
            snapshot = self._snapshot()
            planned = self._plan(snapshot)
            if planned.actions:
                return self._switch(snapshot, planned)
            if snapshot.project.job and is_rolled_back(
                snapshot
            ):  # perhaps by a run that was killed
                self._memory.leave(snapshot.project.job.source)
            checks = [
                live_check(snapshot, self._thresholds),
                *self._proof(snapshot, planned.target),
            ]
            problem = _problem(checks)
            results = {**_results(snapshot, planned.target), "proven": not problem}
            return Outcome(checks, [_skipped(planned, snapshot)], problem, results)

    def _switch(self, snapshot: Snapshot, planned: Plan) -> Outcome:
        """Move the domains, and prove what is live then; says what is known, whatever happens."""
        options, target, (action,) = self._options, planned.target, planned.actions
        switch = Switch(self._client, options, snapshot, target, self._report)
        began, problem = time.monotonic(), RunbookError("")
        endpoint = Url.parse("health_urls", options.health_urls[0]) if options.health_urls else None
        monitor = None
        if endpoint:
            monitor = ServiceMonitor(partial(ask, endpoint), RATE, threads=1).start()
        try:
            job = switch.wait(planned.job or switch.request())
            if switch.is_needless(job):
                switch.notes.append("Vercel skipped it, as the domains led there already")
            elif not succeeded(job):
                raise Stopped(_ended(job, snapshot))
            switch.arrive(job)
            self._remember(job)
        except (Refused, Unreachable, NotCollected) as error:
            problem = switch.explained(error, _LATER)
        except DeadlineExceeded:
            limit = format_duration(options.time_limit)
            problem = Stopped(f"{switch.pending} after {limit}", _LATER)
        except OSError as error:
            switch.notes.append(f"the record could not be written: {error.strerror}")
        outage = monitor.stop() if monitor else None
        seconds = round(time.monotonic() - began, 3)
        action = _finished(action, seconds, str(problem), switch)
        extra = []
        if outage and endpoint:
            extra.append(outage_check(outage, endpoint.shown, self._thresholds))
        outcome = self._in_the_end(snapshot, planned, action, problem, extra)
        if outage and outage.requests:
            outcome.results["seconds_without_service"] = outage.seconds
        return outcome

    def _remember(self, job: Job) -> None:
        """What the next run without a named deployment must not choose; raises OSError."""
        self._memory.forgive(job.target)
        if job.type == ROLLBACK and job.source != job.target:
            self._memory.leave(job.source)

    def _in_the_end(
        self,
        before: Snapshot,
        planned: Plan,
        action: Action,
        problem: RunbookError,
        extra: Sequence[Check],
    ) -> Outcome:
        """What is live now, and whether it works."""
        self._client = Client(self._options, Deadline(_LAST_LOOK))
        try:
            after = self._again(before)
        except (RunbookError, DeadlineExceeded) as reason:
            text = f"what is live cannot be seen: {reason or 'Vercel did not answer in time'}"
            unseen = self._thresholds.verdict(
                "vercel.live", UNKNOWN, text, subject=self._options.project
            )
            message = f"{problem or text}. {problem.remedy}".strip()
            return Outcome([unseen, *extra], [action], message, {"proven": False})
        live = live_check(after, self._thresholds)
        results = _results(after, planned.target)
        if str(problem):
            evidence = self._failed_domains(after)
            job = replace(
                job_check(after, self._thresholds, evidence),
                status=CRITICAL,
                summary=f"{problem}. Live now: {after.name_of(after.live_id)}",
                remedy=problem.remedy or "Check the project on Vercel, then run this again.",
                not_judged="",
            )
            text = f"{_sentence(problem)} Live now: {after.name_of(after.live_id)}."
            return Outcome([live, job, *extra], [action], text, results)
        checks = [live, *self._proof(after, planned.target), *extra]
        text = _problem(checks)
        if not text:
            results["proven"] = True
        elif before.live:
            text += f" {planned.target.url} stays live; before it was {before.live.url}."
        return Outcome(checks, [action], text, results)

    def _again(self, before: Snapshot) -> Snapshot:
        """The project and its domains as they are now."""
        project = read_project(self._options, self._client)
        domains, uncertain = read_domains(self._client, project)
        return replace(before, project=project, domains=domains, uncertain=uncertain)

    def _proof(self, snapshot: Snapshot, target: Deployment) -> list[Check]:
        return [
            job_check(snapshot, self._thresholds),
            auto_assign_check(snapshot, self._thresholds),
            self._environment(snapshot, target),
            *watch(target, self._options, self._thresholds, self._report),
        ]

    def _environment(self, snapshot: Snapshot, target: Deployment) -> Check:
        changed, problem = None, ""
        try:
            changed = changed_variables(self._client, snapshot.project, target.created)
        except (Refused, Unreachable) as error:
            problem = str(error)
        except DeadlineExceeded:
            problem = "Vercel did not answer in time"
        return environment_check(target, changed, problem, self._thresholds)

    def _failed_domains(self, snapshot: Snapshot) -> tuple[dict[str, str], ...]:
        job = snapshot.project.job
        if job is None or job.status != "failed":
            return ()
        with suppress(RunbookError, DeadlineExceeded):
            return tuple(failed_domains(self._client, snapshot.project, job.type))
        return ()


class _NoTarget(RunbookError):
    """There is nothing to switch to."""

    def __init__(self, cause: NotCollected) -> None:
        super().__init__(str(cause), cause.remedy)
        self.cause = cause


def _late(options: Options) -> NotCollected:
    limit = format_duration(options.time_limit)
    return NotCollected(f"Vercel did not answer in time, within {limit}", "Raise time_limit.")


def _ended(job: Job, snapshot: Snapshot) -> str:
    text = f"Vercel reports the {job.type} to {snapshot.name_of(job.target)} as {job.status}"
    if job.status == "skipped":
        return f"{text}: it moved no domain"
    return text


def _finished(action: Action, seconds: float, problem: str, switch: Switch) -> Action:
    reason = "; ".join([action.reason, *switch.notes])
    if problem:
        return replace(action, status=FAILED, reason=problem, seconds=seconds)
    return replace(action, status=DONE, reason=reason, seconds=seconds)


def _sentence(problem: RunbookError) -> str:
    text = f"{problem}. {problem.remedy}".strip()
    return text[:1].upper() + text[1:]


def _problem(checks: Sequence[Check]) -> str:
    """What is wrong, as the message of a failed task; empty if nothing is."""
    bad = [check for check in checks if check.status == CRITICAL]
    if not bad:
        return ""
    return "; ".join(f"{check.name} {check.subject}: {check.summary}" for check in bad) + "."


def _skipped(planned: Plan, snapshot: Snapshot) -> Action:
    """Nothing to do, in words that the operator sees: an ok check is only counted."""
    return Action(SWITCH, SKIPPED, planned.note, snapshot.project.name)


def _rows(snapshot: Snapshot) -> list[dict[str, Any]]:
    """The deployments for the report, the newest first."""
    return [
        {
            "deployment": each.url,
            "commit": each.commit[:12],
            "state": each.state,
            "live": "yes" if each.id == snapshot.live_id else "",
            "roll back to": "yes" if each.candidate else "",
            "built": time.strftime("%Y-%m-%dT%H:%MZ", time.gmtime(each.created)),
        }
        for each in snapshot.deployments
    ]


def _results(
    snapshot: Snapshot, target: Deployment | None = None, *, listed: bool = False
) -> dict[str, Any]:
    results: dict[str, Any] = {
        "live": snapshot.live_id,
        "target_release": target.id if target else "",
        "seconds_without_service": None,
        "proven": False,
    }
    if listed:
        results["deployments"] = [
            {
                "id": each.id,
                "url": each.url,
                "commit": each.commit,
                "state": each.state,
                "created": each.created,
                "rollback_candidate": bool(each.candidate),
            }
            for each in snapshot.deployments
        ]
    return results
