# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs deployment_gate: records answers for a release, and says whether they allow to deploy it."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from ...core.check import CRITICAL, DONE, PLANNED, Action
from ...core.deadline import DeadlineExceeded
from ...core.errors import NotCollected, RunbookError, Unreachable
from ...core.lock import Locked, exclusive_lock, held_by
from ...core.operation import Outcome
from ...core.text import redact
from ...core.thresholds import Thresholds
from ..backend import Backend
from ..collect import Snapshot
from ..commands import inherited, shell
from ..recover import describe
from ..response import medians
from ..target import Target
from .assess import Facts, assess, is_go
from .options import Options
from .questions import BEFORE, YES
from .record import Answer, Record, read, write

#: Names of the actions.
ANSWER, MEASURE = "release.record_answer", "release.measure"
#: Requests to each endpoint, to know how fast it was before the deployment.
_REQUESTS = 20


class Gate:
    """One run of deployment_gate."""

    def __init__(
        self, options: Options, backend: Backend, thresholds: Thresholds, *, check_mode: bool
    ) -> None:
        self._options = options
        self._backend = backend
        self._thresholds = thresholds
        self._check_mode = check_mode
        self._actions: list[Action] = []
        self._failed: dict[str, str] = {}

    def run(self) -> Outcome:
        """The verdict; what cannot be seen is a check that says so."""
        problem = RunbookError("")
        try:
            return self._run()
        except (NotCollected, Unreachable, Locked) as error:
            problem = error
        except DeadlineExceeded:
            problem = NotCollected(f"{self._backend.manager} did not answer in time")
        except OSError as error:
            problem = NotCollected.of(error)
        subject = self._options.release.version or self._options.release.name
        check = self._thresholds.verdict(
            "release.gate", CRITICAL, f"no go: {problem}", subject=subject, remedy=problem.remedy
        )
        return Outcome([check], self._actions, results={"go": False, "release": ""})

    def _run(self) -> Outcome:
        options, snapshot = self._options, self._backend.snapshot()
        store = snapshot.layout.store
        target: Target | None = None
        if options.moment == BEFORE and options.release.version:
            # A run that deploys uses the same copy of the repository.
            fetch = not self._check_mode and not held_by(store.lock)
            if fetch:
                store.prepare()
            target = self._backend.target(snapshot, fetch=fetch)
        release = target.release if target else snapshot.current
        if options.moment == BEFORE and target is None:
            record = Record()
        elif self._check_mode:
            record = self._answered(read(store, release.id), snapshot, release.commit)
        else:
            store.prepare()
            with exclusive_lock(f"{store.lock}-gate", "the answers", options.release.owner):
                before = read(store, release.id)
                record = self._answered(before, snapshot, release.commit)
                if record != before:
                    write(store, release.id, replace(record, version=release.version))
        facts = self._facts(snapshot, target, record)
        checks = assess(facts, options, self._thresholds)
        results: Mapping[str, Any] = {"go": is_go(checks), "release": release.id}
        return Outcome(checks, self._actions, results=dict(results))

    def _facts(self, snapshot: Snapshot, target: Target | None, record: Record) -> Facts:
        store = snapshot.layout.store
        pending = store.pending()
        return Facts(
            snapshot,
            target,
            record,
            time.time(),
            held_by(store.lock),
            describe(pending).reason if pending else "",
            self._failed,
        )

    def _answered(self, record: Record, snapshot: Snapshot, commit: str) -> Record:
        """The record with what is answered by this run."""
        answers, now = dict(record.answers), round(time.time(), 3)
        for name, text in self._options.answers.items():
            self._add(answers, name, Answer(text, self._options.release.owner, now))
        for name, command in self._options.commands.items():
            if name in self._options.questions and not self._check_mode:
                self._run_command(answers, name, command, snapshot, commit)
        record = replace(record, commit=commit, answers=answers)
        if self._options.moment == BEFORE:
            record = self._measured(record, now)
        return record

    def _run_command(
        self, answers: dict[str, Answer], name: str, command: str, snapshot: Snapshot, commit: str
    ) -> None:
        own = {"RELEASE_VERSION": self._options.release.version, "RELEASE_COMMIT": commit}
        folder, app = snapshot.layout.current, snapshot.live.environment
        if snapshot.layout.image:  # its folder is in a container, and so are the values
            folder, app = snapshot.live.cwd, {}
        environment = {**inherited(app), **own}
        seconds = self._options.command_timeout
        try:
            shell(command, folder, environment, seconds)
        except NotCollected as error:
            self._failed[name] = redact(str(error))
            answers.pop(name, None)
            return
        self._add(
            answers,
            name,
            Answer(f"{YES}, by its command", self._options.release.owner, round(time.time(), 3)),
        )

    def _add(self, answers: dict[str, Answer], name: str, answer: Answer) -> None:
        """Unless the same person has said the same, and it still counts."""
        old = answers.get(name)
        is_same = old and (old.text, old.by) == (answer.text, answer.by)
        if old and is_same and answer.at - old.at < self._options.valid_for * 3600:
            return
        answers[name] = answer
        self._act(ANSWER, name, f"by {answer.by or 'unnamed'}", old and old.text, answer.text)

    def _measured(self, record: Record, now: float) -> Record:
        """With the response times of now, for the comparison after the deployment."""
        urls = self._options.release.health_urls
        if not urls or now - record.measured < self._options.valid_for * 3600:
            return record
        reason = f"{_REQUESTS} requests to each health endpoint, to compare with afterwards"
        if self._check_mode:
            self._act(MEASURE, self._options.release.name, reason)
            return record
        found = medians(urls, _REQUESTS, self._options.release.timeout)
        self._act(MEASURE, self._options.release.name, reason)
        return replace(record, response_times=found, measured=now)

    def _act(
        self, name: str, subject: str, reason: str, before: Any = None, after: Any = None
    ) -> None:
        status = PLANNED if self._check_mode else DONE
        self._actions.append(Action(name, status, reason, subject, before or None, after))
