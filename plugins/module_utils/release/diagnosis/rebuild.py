# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs deployment_rebuild: builds a release in a folder of its own, to see whether that works."""

from __future__ import annotations

import os
import shutil
import time
from contextlib import suppress
from dataclasses import replace
from typing import Any

from ...core.check import CRITICAL, DONE, FAILED, OK, PLANNED, SKIPPED, UNKNOWN, Action, Check
from ...core.deadline import DeadlineExceeded
from ...core.definition import Threshold
from ...core.errors import NotCollected, RunbookError, Unreachable
from ...core.files import free_bytes
from ...core.lock import Locked, exclusive_lock, held_by
from ...core.operation import Outcome
from ...core.progress import ProgressCallback, progress, running_item
from ...core.thresholds import Thresholds
from ...core.units import format_duration, format_value
from ..backend import Backend
from ..build import build, remove
from ..collect import Snapshot, git_for
from ..git import Git
from ..options import DEPLOYED, Options
from ..record import Release
from ..store import Store
from ..target import choose_target
from .causes import cause_of, last_lines
from .failed import failed_release

#: Name of the action.
REBUILD = "release.rebuild_aside"
_OTHERWISE = (
    "Build the image where it is made; on Vercel, vercel_deployment with state=diagnosed says why a"
    " build failed."
)
#: By how much a build yields to the live app.
_NICE = 10


class Rebuild:
    """One run of deployment_rebuild."""

    def __init__(
        self,
        options: Options,
        backend: Backend,
        thresholds: Thresholds,
        report: ProgressCallback = lambda newest: None,
        *,
        keep: bool = False,
        check_mode: bool = False,
    ) -> None:
        self._options = options
        self._backend = backend
        self._thresholds = thresholds
        self._callback = report
        self._keep = keep
        self._check_mode = check_mode
        self._began = time.monotonic()

    def run(self) -> Outcome:
        """A build that fails is a finding; the run itself has not failed."""
        problem = RunbookError("")
        try:
            return self._run()
        except (NotCollected, Unreachable, Locked) as error:
            problem = error
        except DeadlineExceeded:
            problem = NotCollected("PM2 did not answer in time")
        except OSError as error:
            problem = NotCollected.of(error)
        text = f"nothing was built: {problem}"
        return self._outcome(
            [self._check(UNKNOWN, text, self._options.version, remedy=problem.remedy)], []
        )

    def _run(self) -> Outcome:
        self._options.require_pm2(_OTHERWISE)
        snapshot = self._backend.snapshot()
        store = snapshot.layout.store
        aside = Store(os.path.join(store.records, "aside"))
        if self._check_mode:
            release, _git = self._release(snapshot, fetch=False)
            reason = "in a fresh folder, with the same commands as a deployment"
            action = Action(REBUILD, PLANNED, reason, release.id, after=aside.root)
            return self._outcome([], [action])
        store.prepare()
        with exclusive_lock(f"{aside.root}.lock", "a rebuild", self._options.owner):
            clear(aside)  # what a killed run has left
            busy = held_by(store.lock)  # it uses the same copy of the repository
            if busy:
                raise NotCollected(f"{busy} is working on the releases", "Wait until it has ended.")
            self._report("fetching the repository")
            release, git = self._release(snapshot, fetch=True)
            aside.prepare()
            try:
                return self._build(snapshot, aside, release, git)
            finally:
                if not self._keep:
                    clear(aside)

    def _release(self, snapshot: Snapshot, *, fetch: bool) -> tuple[Release, Git]:
        """The named version; else the last that failed to build, or later; else the live one."""
        git = git_for(self._options, snapshot)
        if git is None:
            raise NotCollected(
                "no repository is known", "Set repository to the app's git repository."
            )
        if self._options.version:
            wanted = replace(self._options, state=DEPLOYED)
            return choose_target(wanted, snapshot, fetch=fetch).release, git
        if fetch:
            git.fetch()
        failed = snapshot.layout.store.failed_build()
        if failed:
            return Release(failed.release, failed.version, "", commit=failed.commit), git
        bad = failed_release(snapshot.releases.values(), snapshot.history)
        release = bad if bad and bad.commit else snapshot.current
        if not release.commit:
            raise NotCollected(f"the commit of {release.id} is not known", "Name a version.")
        return release, git

    def _build(self, snapshot: Snapshot, aside: Store, release: Release, git: Git) -> Outcome:
        store, options = snapshot.layout.store, self._options
        path = os.path.join(os.path.realpath(aside.releases_folder), release.id)
        copy = Release(release.id, release.version, path, commit=release.commit)
        reason = "a fresh folder, the same commands as a deployment"
        action = Action(REBUILD, DONE, reason, release.id)
        space = self._space(aside)
        if space.status == CRITICAL:
            skipped = replace(action, status=SKIPPED, reason=space.summary)
            return self._outcome([space], [skipped])
        os.symlink(os.path.join(os.path.realpath(store.root), "shared"), f"{aside.root}/shared")
        os.nice(_NICE)
        began = time.monotonic()
        try:
            build(options, aside, git, copy, snapshot.live.environment, self._report)
        except NotCollected as error:
            seconds = round(time.monotonic() - began, 1)
            failed = replace(action, status=FAILED, reason=str(error), seconds=seconds)
            return self._outcome([space, self._failure(aside, release, error)], [failed])
        seconds = round(time.monotonic() - began, 1)
        text = f"{release.id} builds in {format_duration(seconds)}"
        text += f"; it is kept in {path}" if self._keep else ""
        done = replace(action, seconds=seconds, after=path if self._keep else None)
        return self._outcome([space, self._check(OK, text, release.version)], [done])

    def _space(self, aside: Store) -> Check:
        free = free_bytes(aside.root)
        return self._thresholds.evaluate(
            "release.disk_free",
            float(free),
            f"{format_value(free, 'bytes')} free for the build",
            threshold=Threshold(critical=self._options.free_disk * (1 << 30), below=True),
        )

    def _failure(self, aside: Store, release: Release, error: NotCollected) -> Check:
        log = aside.failed_build()
        output = log.output if log else ""
        cause = cause_of(f"{output}\n{error}")
        where = f"'{log.command}'" if log else "before its first command"
        text = f"{release.id} does not build, it fails at {where}: {cause.text or error}"
        return self._check(
            CRITICAL,
            text,
            release.version,
            remedy=cause.remedy,
            evidence=last_lines(output, cause),
        )

    def _check(self, status: str, text: str, subject: str, **more: Any) -> Check:
        return self._thresholds.verdict("release.rebuild", status, text, subject=subject, **more)

    def _outcome(self, checks: list[Check], actions: list[Action]) -> Outcome:
        builds = any(check.name == "release.rebuild" and check.status == OK for check in checks)
        return Outcome(checks, actions, results={"builds": builds})

    def _report(self, phase: str) -> None:
        seconds = time.monotonic() - self._began
        self._callback(progress(0, 1, [running_item(self._options.name, seconds, phase)]))


def clear(aside: Store) -> None:
    """Remove the folder of a rebuild, and whatever still writes to it; raises OSError."""
    folder = os.path.realpath(aside.releases_folder)
    for name in os.listdir(folder) if os.path.isdir(folder) else []:
        remove(aside, Release(name, name, os.path.join(folder, name)))
    with suppress(FileNotFoundError):
        shutil.rmtree(aside.root)
