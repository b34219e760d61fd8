# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A deployment and a rollback: one flow in two directions."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import replace

from ..core.check import DONE, FAILED, OK, SKIPPED, Action, Check
from ..core.errors import NotCollected, Unreachable
from ..core.operation import Outcome
from .backend import Backend, Report
from .collect import Snapshot
from .guards import obstacles
from .migrations import migrate
from .options import DEPLOYED, Options
from .plan import ADOPT, BUILD, MIGRATE, REMOVE, SWITCH, TRIAL
from .record import BAD, GOOD, UNKNOWN, Release
from .switch import Result, Switcher, problem_of
from .target import Target
from .verify import verify

#: How a step that was not reached is explained.
_NOT_REACHED = "not reached"


class Flow:
    """Carries out a plan, step by step, until one fails."""

    def __init__(
        self,
        options: Options,
        snapshot: Snapshot,
        target: Target,
        backend: Backend,
        switcher: Switcher,
        report: Report,
    ) -> None:
        self._options = options
        self._snapshot = snapshot
        self._target = target
        self._release = target.release
        self._backend = backend
        self._switcher = switcher
        self._report = report
        self._store = snapshot.layout.store
        self.checks: list[Check] = []
        self.actions: list[Action] = []
        self.result: Result | None = None
        self._migrated = False

    def carry_out(self, planned: Sequence[Action]) -> str:
        """Why the target is not live; empty if it is."""
        steps: dict[str, Callable[[Action], str]] = {
            ADOPT: self._adopt,
            BUILD: self._build,
            MIGRATE: self._migrate,
            TRIAL: self._try,
            SWITCH: self._switch,
            REMOVE: self._remove,
        }
        problem = ""
        for action in planned:
            if problem:
                self.actions.append(replace(action, status=SKIPPED, reason=_NOT_REACHED))
                continue
            began = time.monotonic()
            try:
                problem = steps[action.name](action)
            except (NotCollected, Unreachable) as error:
                problem = str(error)
            seconds = round(time.monotonic() - began, 1)
            status, reason = (FAILED, problem) if problem else (DONE, action.reason)
            self.actions.append(replace(action, status=status, reason=reason, seconds=seconds))
        if self.result and self.result.reverted:
            self.actions.append(self.result.reverted)
        if problem and self._migrated:
            current = self._snapshot.current.id
            problem += f". The database may have migrations now that {current} does not know"
        return problem

    def _adopt(self, action: Action) -> str:
        """The checkout becomes a release; the app that runs in it stays as it is."""
        self._store.write(self._snapshot.current)
        self._backend.adopt(self._snapshot)
        return ""

    def _build(self, action: Action) -> str:
        try:
            self._release = self._backend.build(self._snapshot, self._target, self._report)
        except NotCollected as error:
            return f"Nothing was changed, as {self._release.id} was not built: {error}"
        return ""

    def _migrate(self, action: Action) -> str:
        self._report("applying the migrations")
        self._migrated = True
        seconds = self._options.build_timeout

        def run(command: str) -> str:
            return self._backend.output(self._release, self._snapshot, command, seconds)

        try:
            migrate(self._options, self._target, run)
        except NotCollected as error:
            return f"{self._so_far}: {error}"
        return ""

    def _try(self, action: Action) -> str:
        checks = self._backend.trial(self._release, self._report)
        self.checks += checks
        problem = problem_of(checks)
        if problem and self._release.status != GOOD:
            self._store.write(replace(self._release, status=BAD, reason=problem))
        return f"{self._so_far}: {problem}" if problem else ""

    @property
    def _so_far(self) -> str:
        return "Nothing was switched" if self._migrated else "Nothing was changed"

    def _switch(self, action: Action) -> str:
        before = self._judged(self._snapshot.current)
        result = self._switcher.switch(before, self._release)
        self.checks += result.checks
        self.result = result
        return result.problem

    def _remove(self, action: Action) -> str:
        old = self._snapshot.releases[action.subject]
        try:
            self._backend.remove(self._store, old)
        except OSError as error:
            raise NotCollected(f"{old.path} cannot be removed: {error.strerror}") from None
        self._store.forget(old)
        return ""

    def _judged(self, current: Release) -> Release:
        """The live release; one that was not judged yet is good if it is healthy now.

        Otherwise there would be nothing to return to after the first deployment.
        """
        if current.status != UNKNOWN or self._options.state != DEPLOYED:
            return current
        watch = self._backend.watch(None)
        checks = verify(current, replace(self._options, bake=0.0), watch, self._report)
        if any(check.status != OK for check in checks):
            return current
        return replace(current, status=GOOD, verified=round(time.time(), 3))


def refused(checks: Sequence[Check], planned: Sequence[Action]) -> Outcome:
    """The outcome if a guard forbids the switch."""
    reasons = "; ".join(f"{check.summary}" for check in obstacles(checks))
    skipped = [replace(action, status=SKIPPED, reason=f"refused: {reasons}") for action in planned]
    remedies = " ".join(dict.fromkeys(check.remedy for check in obstacles(checks)))
    return Outcome(list(checks), skipped, f"Nothing was changed: {reasons}. {remedies}")
