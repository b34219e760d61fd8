# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs npm_update: updates the packages in a copy of the app, tries it, and offers the change."""

from __future__ import annotations

import os
import tempfile
import time
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from ...core.check import CRITICAL, DONE, FAILED, OK, PLANNED, WARNING, Action, Check
from ...core.deadline import DeadlineExceeded
from ...core.errors import NotCollected, RunbookError, UsageError
from ...core.lock import exclusive_lock
from ...core.operation import Outcome
from ...core.progress import ProgressCallback, progress, running_item
from ...core.text import redact, shorten
from ...core.thresholds import Thresholds
from ...core.units import format_duration
from . import packages
from .offer import branch_of, is_pushed, keep_newest, name_of, patch
from .options import BRANCH, Options
from .packages import Change, Files
from .place import LOCK, Copy, keep, make_copy, prepare, remove_copy, require_app, require_own
from .scan import ask_snyk, parts
from .trial import Failure, Trial
from .words import failed, offered, proven, remedy_of

UPDATE, OFFER, REMOVE = "npm.update", "npm.offer", "npm.remove_copy"
#: By how much the commands yield to the live app.
_NICE = 10


@dataclass(frozen=True)
class Found:
    """An update, not yet tried."""

    copy: Copy
    trial: Trial
    after: Files
    changes: tuple[Change, ...]
    name: str
    """Of the offer."""


class Update:
    """One run of npm_update."""

    def __init__(
        self,
        options: Options,
        thresholds: Thresholds,
        report: ProgressCallback = lambda newest: None,
        *,
        check_mode: bool = False,
    ) -> None:
        self._options = options
        self._thresholds = thresholds
        self._callback = report
        self._check_mode = check_mode
        self._began = time.monotonic()
        results = {"updates": 0, "patch": "", "version": "", "sbom": "", "ready": False}
        self._outcome = Outcome(results=results)

    def run(self) -> Outcome:
        """Never raises because of the app, npm or the registry; raises `UsageError`."""
        if not self._options.path:
            text, reason = "No app to update", "no path is set (app_update_path)"
            self._outcome.checks.append(self._thresholds.not_judged(UPDATE, text, reason))
            return self._outcome
        problem: RunbookError | None = None
        try:
            self._run()
        except UsageError:
            raise
        except RunbookError as error:
            problem = error
        except DeadlineExceeded:
            seconds = format_duration(self._options.timeout)
            text = f"npm was not done within {seconds}"
            problem = NotCollected(text, "Check that the registry answers: 'npm ping'.")
        except OSError as error:
            problem = NotCollected.of(error)
        if problem:
            self._fail(f"Nothing was offered: {self._clean(str(problem))}", problem.remedy)
        return self._outcome

    def _run(self) -> None:
        place = self._options.place
        require_own(place, self._options.path)
        require_app(self._options)
        if self._check_mode:
            with tempfile.TemporaryDirectory() as temporary:
                self._plan(self._find(temporary))
            return
        prepare(place)
        what = f"the packages of {self._options.path}"
        with exclusive_lock(os.path.join(place, LOCK), what, self._options.owner):
            if remove_copy(place):
                reason = "a run that was killed had left it"
                self._outcome.actions.append(Action(REMOVE, DONE, reason, place))
            os.nice(_NICE)
            try:
                self._try(self._find(place), place)
            finally:
                with suppress(OSError):  # the next run removes it
                    remove_copy(place)

    def _find(self, place: str) -> Found:
        self._report("copying the app")
        copy = make_copy(self._options, place)
        trial = Trial(self._options, copy, self._report)
        packages.lock_of(trial.before)
        self._report("asking the registry")
        after = trial.update()
        changes = packages.changes(trial.before, after)
        self._outcome.results["updates"] = len(changes)
        name = name_of(copy, packages.digest(after, [*self._options.commands, copy.state]))
        return Found(copy, trial, after, changes, name)

    def _plan(self, found: Found) -> None:
        if not found.changes:
            self._nothing()
            return
        text = f"Would update {packages.summary(found.changes)}, and offer that if it works"
        self._verdict(OK, text, found)
        steps = ", ".join(f"'{command}'" for command in self._options.commands)
        reason = f"{packages.summary(found.changes)}; then {steps}"
        self._outcome.actions = [self._action(found, PLANNED, self._clean(reason))]

    def _try(self, found: Found, place: str) -> None:
        if self._options.snyk_token:
            self._report("asking Snyk")
            check = ask_snyk(self._options, found.copy.path, self._thresholds)
            self._outcome.checks.append(check)
        if not found.changes:
            self._nothing()
            return
        if self._is_offered(found, place):
            self._offered(found, place, again=True)
            return
        began = time.monotonic()
        failure = found.trial.run()
        if failure:
            self._failed(found, found.trial.explain(failure, found.after), began)
            return
        found.copy.put(found.after)  # a command may have touched them
        action = self._action(found, DONE, proven(tested=self._is_tested(found)), began)
        self._report("offering the update")
        self._offer(found, place, action)

    def _offer(self, found: Found, place: str, action: Action) -> None:
        document = parts(found.trial.npm())
        if document:
            keep(place, f"{found.name}.cdx.json", document)
        keep(place, f"{found.name}.patch", patch(found.trial.before, found.after))
        keep_newest(place)
        if self._options.offer == BRANCH and found.copy.git:
            git, title = found.copy.git, f"Update {packages.summary(found.changes)}"
            try:
                git.push(git.commit(found.copy.commit, found.after, title), branch_of(found.name))
            except RunbookError as error:
                self._outcome.actions.append(action)
                self._not_pushed(found, place, error)
                return
        self._outcome.actions.append(action)
        self._offered(found, place)

    def _is_offered(self, found: Found, place: str) -> bool:
        """Whether an earlier run has proven and offered just this."""
        if self._options.offer == BRANCH:
            return is_pushed(found.copy, found.name)
        return os.path.exists(os.path.join(place, f"{found.name}.patch"))

    def _offered(self, found: Found, place: str, *, again: bool = False) -> None:
        tested = self._is_tested(found)
        branch = branch_of(found.name) if self._options.offer == BRANCH else ""
        results = self._outcome.results
        for key, ending in (("patch", ".patch"), ("sbom", ".cdx.json")):
            path = os.path.join(place, f"{found.name}{ending}")
            results[key] = path if os.path.exists(path) else ""
        results.update(version=branch, ready=bool(branch) and tested)
        where = f"the branch {branch}" if branch else results["patch"]
        if not again:
            after = {"patch": results["patch"], "parts": results["sbom"]}
            done = Action(OFFER, DONE, packages.summary(found.changes), where, after=after)
            self._outcome.actions.append(done)
        text = offered(found.changes, where, tested=tested, again=again)
        remedy = remedy_of(tested=tested)
        self._verdict(OK if tested else WARNING, text, found, remedy=remedy)

    def _is_tested(self, found: Found) -> bool:
        """Whether anything tested the app: the default commands skip scripts that it lacks."""
        if self._options.commands != Options.commands:
            return True
        return packages.has_script(found.after, "test")

    def _nothing(self) -> None:
        which = " with known vulnerabilities" if self._options.vulnerable else ""
        text = f"No package{which} can be updated within the ranges of package.json"
        self._verdict(OK, text)

    def _failed(self, found: Found, failure: Failure, began: float) -> None:
        text, remedy = map(self._clean, failed(failure, found.changes))
        self._outcome.problem = text
        reason = shorten(failure.reason, 400)
        action = self._action(found, FAILED, f"{text}. {reason}", began)
        self._outcome.actions.append(action)
        lines = [line.rstrip() for line in failure.output.splitlines() if line.strip()]
        evidence = tuple({"output": shorten(line, 200)} for line in lines[-12:])
        check = self._thresholds.verdict(
            UPDATE, CRITICAL, text, subject=self._options.path, remedy=remedy, evidence=evidence
        )
        self._outcome.checks.append(check)

    def _not_pushed(self, found: Found, place: str, error: RunbookError) -> None:
        path = os.path.join(place, f"{found.name}.patch")
        self._outcome.results["patch"] = path
        text = f"The update works, but its branch cannot be pushed: {self._clean(str(error))}"
        action = Action(OFFER, FAILED, text, branch_of(found.name))
        self._outcome.actions.append(action)
        self._outcome.problem = f"{text}; the patch is {path}"
        remedy = "Let the user who runs this push to the repository, or apply the patch."
        self._verdict(CRITICAL, self._outcome.problem, found, remedy=remedy)

    def _fail(self, text: str, remedy: str) -> None:
        self._outcome.problem = f"{text}. {remedy}".strip()
        action = Action(UPDATE, FAILED, text, self._options.path)
        self._outcome.actions = [*self._outcome.actions, action]
        self._verdict(CRITICAL, text, remedy=remedy)

    def _action(self, found: Found, status: str, reason: str, began: float | None = None) -> Action:
        return Action(
            UPDATE,
            status,
            reason,
            self._options.path,
            before=packages.state(found.changes, "before"),
            after=packages.state(found.changes, "after"),
            seconds=None if began is None else round(time.monotonic() - began, 1),
        )

    def _verdict(self, status: str, text: str, found: Found | None = None, **more: Any) -> None:
        note = f"; {found.copy.note}" if found and found.copy.note else ""
        check: Check = self._thresholds.verdict(
            UPDATE,
            status,
            text + note,
            subject=self._options.path,
            evidence=packages.rows(found.changes) if found else (),
            **more,
        )
        self._outcome.checks.append(check)

    def _clean(self, text: str) -> str:
        return redact(text, self._options.secrets)

    def _report(self, phase: str) -> None:
        seconds = time.monotonic() - self._began
        item = running_item("update", seconds, shorten(self._clean(phase), 80))
        self._callback(progress(0, 1, [item]))
