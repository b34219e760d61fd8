# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Backups of one server: collect, plan, apply, verify."""

from __future__ import annotations

import os
import secrets
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

from ...core.check import CRITICAL, DONE, FAILED, Action
from ...core.errors import RunbookError, Unreachable, UsageError
from ...core.lock import exclusive_lock
from ...core.operation import Outcome
from ...core.progress import ProgressCallback, progress, running_item
from ...core.text import redact, shorten
from ...core.thresholds import Thresholds
from ...core.units import format_duration
from ..checks import CHECKS
from ..programs import find_programs, login
from ..url import Target
from ..verdicts import unreachable
from .apply import GLOBALS, Job, Progress, Share, back_up_database, back_up_globals
from .archive import require_program
from .collect import Database, Server, collect
from .commit import remove
from .compression import choose
from .manifest import Manifest
from .naming import GLOBALS_FOLDER
from .options import Options
from .plan import planned_dump, planned_globals, retention, retention_plan
from .repository import LOCK, Listing, folder_path, list_backups, list_databases
from .sweep import sweep
from .verify import DUMP, REMOVE, RUN, problem_of, verify


class TimeUp(RunbookError):
    """The time limit of the run has passed."""


@dataclass
class BackupOutcome(Outcome):
    """The result of a run."""

    manifests: list[Manifest] = field(default_factory=list)
    """Of the backups that it made, in their order."""


def back_up(
    target: Target,
    options: Options,
    thresholds: Thresholds | None = None,
    report: ProgressCallback = lambda newest: None,
    *,
    check_mode: bool = False,
    locked: bool = False,
) -> BackupOutcome:
    """Back up what the options choose; ``locked`` is whether the caller holds the folder's lock.

    Never raises but for `UsageError`: the outcome says what failed. Older backups are removed only
    after everything has succeeded.
    """
    thresholds = thresholds or Thresholds(CHECKS)
    run = _Run(target, options, report, check_mode, locked)
    try:
        run.carry_out()
    except UsageError:
        raise
    except Unreachable as error:
        check = unreachable(error, thresholds)
        problem = f"Nothing was done: {error}. {error.remedy}"
        return BackupOutcome([check], run.actions, problem, run.results(problem), run.manifests)
    except (RunbookError, OSError) as error:
        text = str(error) if isinstance(error, RunbookError) else _os_error(error)
        remedy = getattr(error, "remedy", "")
        summary = f"No backup was made in {options.backup_dir}: {text}"
        check = thresholds.verdict(RUN, CRITICAL, summary, remedy=remedy)
        problem = f"{summary}. {remedy}".strip()
        return BackupOutcome([check], run.actions, problem, run.results(problem), run.manifests)
    check = verify(run.actions, options.backup_dir, thresholds)
    problem = problem_of(run.actions)
    return BackupOutcome([check], run.actions, problem, run.results(problem), run.manifests)


def _os_error(error: OSError) -> str:
    return f"{error.filename or 'the folder'}: {error.strerror}"


class _Run:
    """One run, and what it has done so far."""

    def __init__(
        self,
        target: Target,
        options: Options,
        report: ProgressCallback,
        check_mode: bool,
        locked: bool,
    ) -> None:
        self.target, self.options, self.report = target, options, report
        self.check_mode, self.locked = check_mode, locked
        self.actions: list[Action] = []
        self.manifests: list[Manifest] = []
        self._end = time.monotonic() + options.time_limit
        self._id = secrets.token_hex(4)

    def carry_out(self) -> None:
        server, databases = collect(self.target, self.options)
        refused = [each for each in databases if not each.allowed]
        databases = [each for each in databases if each.allowed]
        with self._lock():
            self.actions += sweep(self._listings(), self.check_mode)
            self.actions += [_refused(each, server) for each in refused]
            with ExitStack() as stack:
                job = self._job(server, stack)
                if self.check_mode:
                    self._plan(server, databases)
                else:
                    self._dump(job, databases)
            if not problem_of(self.actions):
                self._retain(databases)

    def results(self, problem: str) -> dict[str, Any]:
        """What the next step may need to know."""
        folder = self.options.backup_dir
        backups = [
            {
                "database": manifest.database,
                "path": os.path.join(folder_path(folder, manifest.database), manifest.name),
                "level": manifest.level,
                "bytes": manifest.bytes,
            }
            for manifest in self.manifests
        ]
        return {"complete": not problem, "backups": backups}

    @contextmanager
    def _lock(self) -> Iterator[None]:
        folder = self.options.backup_dir
        if self.check_mode or self.locked:
            yield
            return
        os.makedirs(folder, mode=0o700, exist_ok=True)
        with exclusive_lock(os.path.join(folder, LOCK), f"the backups in {folder}"):
            yield

    def _listings(self) -> list[Listing]:
        folder = self.options.backup_dir
        if not os.path.isdir(folder):
            return []
        listings = [list_backups(folder, database) for database in list_databases(folder)]
        if os.path.isdir(os.path.join(folder, GLOBALS_FOLDER)):
            listings.append(list_backups(folder, ""))
        return listings

    def _job(self, server: Server, stack: ExitStack) -> Job:
        """Everything that can be found missing before the first backup is."""
        options = self.options
        programs = find_programs(server.version, options.bin_dir or None)
        compression = choose(programs, options.compression, options.stream)
        if options.age_recipients:
            require_program(options.age_program)
        return Job(
            self.target,
            options,
            server,
            programs,
            compression,
            stack.enter_context(login(self.target)),
            self._id,
        )

    def _plan(self, server: Server, databases: list[Database]) -> None:
        for database in databases:
            backups = list_backups(self.options.backup_dir, database.name).backups
            self.actions.append(planned_dump(database, backups, self.options))
        if self.options.globals:
            self.actions.append(planned_globals(server))

    def _dump(self, job: Job, databases: list[Database]) -> None:
        total = len(databases) + self.options.globals
        for done, database in enumerate(databases):
            showing = self._progress(database.name, done, total)
            self._attempt(database.name, partial(back_up_database, job, database, showing))
        if self.options.globals:
            showing = self._progress(GLOBALS, total - 1, total)
            self._attempt(GLOBALS, partial(back_up_globals, job, showing))

    def _attempt(self, subject: str, take: Callable[[], tuple[Action, Manifest]]) -> None:
        started = time.monotonic()
        try:
            action, manifest = take()
        except (RunbookError, OSError) as error:
            text = str(error) if isinstance(error, RunbookError) else _os_error(error)
            reason = shorten(redact(text, self.target.secrets), 500)
            remedy = getattr(error, "remedy", "") or _remedy(reason, self.target.user)
            if remedy:
                reason = f"{reason}. {remedy}"
            seconds = round(time.monotonic() - started, 3)
            self.actions.append(Action(DUMP, FAILED, reason, subject=subject, seconds=seconds))
        else:
            self.actions.append(action)
            self.manifests.append(manifest)

    def _progress(self, subject: str, done: int, total: int) -> Progress:
        started, last = time.monotonic(), [0.0]

        def show(phase: str, share: Share | None) -> None:
            now = time.monotonic()
            if now > self._end:
                limit = format_duration(self.options.time_limit)
                raise TimeUp(f"it was ended after {limit}", "Raise time_limit, or jobs.")
            if now - last[0] >= 1.0:
                last[0] = now
                item = running_item(
                    f"backup of {subject}", now - started, phase, share() if share else None
                )
                self.report(progress(done, total, [item]))

        return show

    def _retain(self, databases: list[Database]) -> None:
        """Remove what is no longer needed, of what this run has backed up."""
        names = [each.name for each in databases] + ([""] if self.options.globals else [])
        for name in names:
            listing = list_backups(self.options.backup_dir, name)
            if self.check_mode:
                self.actions += retention_plan(listing, self.options, time.time())
                continue
            for decision in retention(listing, self.options, time.time()):
                if not decision.keep:
                    self._remove(decision.backup.folder, decision)

    def _remove(self, folder: str, decision: Any) -> None:
        backup = decision.backup
        size = backup.manifest.bytes if backup.manifest else None
        action = Action(REMOVE, DONE, decision.reason, subject=backup.path, bytes=size)
        try:
            remove(folder, self._id, backup.name)
        except OSError as error:
            reason = f"cannot be removed: {error.strerror}"
            action = replace(action, status=FAILED, reason=reason)
        self.actions.append(action)


def _refused(database: Database, server: Server) -> Action:
    reason = f"role '{server.role}' lacks permission to connect"
    remedy = f'GRANT CONNECT ON DATABASE "{database.name}" TO "{server.role}".'
    return Action(DUMP, FAILED, f"{reason}. {remedy}", subject=database.name)


def _remedy(reason: str, user: str) -> str:
    """What helps against an error of pg_dump; empty if that is not known."""
    if "permission denied" in reason:
        return f'As a superuser: GRANT pg_read_all_data TO "{user}".'
    if "row-level security" in reason:
        return f'As a superuser: ALTER ROLE "{user}" BYPASSRLS.'
    if "conflict with recovery" in reason:
        return "Set hot_standby_feedback or raise max_standby_streaming_delay on the standby."
    if "No space left" in reason:
        return "Free some space on the disk of backup_dir."
    return ""
