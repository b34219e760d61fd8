# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Carries out the plan, step by step; each step leaves the logs complete if it is the last."""

from __future__ import annotations

import os
import time
from itertools import chain

from ..core.check import DONE, FAILED, SKIPPED, Action
from ..core.deadline import Deadline
from ..core.errors import NotCollected, Refused, RunbookError
from ..core.progress import ProgressCallback, progress, running_item
from ..linux.open_files import OpenFile, as_user, is_written
from .archive import InUse, archive, archives_in, claim, remove_expired, require_folder, sweep
from .collect import find_rotated, state_file
from .config_file import NO_ONE, reopen_script
from .cut import finish, flag_of, pending
from .install import install, require_accepted
from .leftovers import leftovers
from .lock import logrotate_idle
from .logrotate import Logrotate, runs_script
from .naming import Rotated
from .options import Options
from .plan import Plan, due_for_archive, expired
from .snapshot import Snapshot
from .writers import writers_by_log, written_by_pm2

TIDY, CONFIGURE, REOPEN = "logs.tidy", "logs.configure", "logs.reopen"
ROTATE, ARCHIVE, REMOVE = "logs.rotate", "logs.archive", "logs.remove"
#: Seconds for the writers to follow logrotate's own signal, before they get another.
_PATIENCE = 2.0
_POLL = 0.05


class Apply:
    """One run, and what it has done so far."""

    def __init__(
        self,
        options: Options,
        snapshot: Snapshot,
        plan: Plan,
        actions: list[Action],
        report: ProgressCallback,
    ) -> None:
        self.options, self.snapshot, self.plan = options, snapshot, plan
        self.actions, self._report = actions, report
        self.problems: list[str] = []
        self.archive_problems: list[str] = []
        self.rotated: list[str] = []
        self.archived = 0
        self.held: list[str] = []
        self.writers: list[OpenFile] = []
        self.unsure = False
        self._logs = {log.path for log in plan.managed}
        self._logs |= {each.log for each in snapshot.rotated if plan.covers(each.log)}
        self._logrotate = Logrotate(snapshot.program, options.state_file)
        self._deadline = Deadline(options.time_limit)

    @property
    def _may_rotate(self) -> bool:
        return bool(self.snapshot.program and self.snapshot.is_ours)

    def tidy(self) -> None:
        """Remove copies that a logrotate which was killed left."""
        with logrotate_idle(state_file(self.options), self.options.wait):
            self._complete_copies()
            self._tidy(self._beside_now())
        if self.options.archive_dir:
            for path in sweep(self.options.archive_dir):
                self._add(TIDY, DONE, "a run that was killed left it", path)

    def _complete_copies(self) -> None:
        """Take off the logs what a logrotate that was killed had copied; none may be running."""
        for log in sorted(self._logs):
            try:
                copies = _complete(log)
            except OSError as error:
                self._fail(TIDY, error, log)
                continue
            for copy in copies:
                self._add(TIDY, DONE, "a run that was killed was copying it", copy)

    def _tidy(self, rotated: list[Rotated]) -> None:
        for copy, whole in leftovers(rotated):
            size = os.path.getsize(copy)
            os.unlink(copy)
            reason = f"a logrotate that was killed left it; {whole} has all of it"
            self._add(TIDY, DONE, reason, copy, size=size)
        for each in rotated:
            if each.claimed and not self.options.archive_dir and not os.path.lexists(each.path):
                os.rename(each.place, each.path)
                self._add(TIDY, DONE, "a run that was killed was archiving it", each.path)

    def configure(self) -> None:
        """Write our configuration, if logrotate accepts it."""
        before, text, path = self.snapshot.installed, self.plan.text, self.options.config_file
        if not self._may_rotate or text == (before or ""):
            return
        if not self.snapshot.gzip:
            raise NotCollected("gzip is not installed", "Install the package gzip.")
        try:
            if not text:
                os.unlink(path)
                self._add(CONFIGURE, DONE, "removed, as it may rotate none of them", path)
                return
            if not os.path.isdir(os.path.dirname(path)):
                raise NotCollected(f"there is no folder {os.path.dirname(path)}")
            require_accepted(self._logrotate, text)
            install(self._logrotate, path, text, self.options.main_config)
        except (RunbookError, OSError) as error:
            self._fail(CONFIGURE, error, path)
            raise
        self._add(CONFIGURE, DONE, "changed" if before else "written", path)

    def rotate(self) -> None:
        """Let logrotate rotate what is due, or everything."""
        if not self._may_rotate or not self.plan.text or self.plan.keeps:
            return
        held = self._held_now()
        if held:  # a logrotate was killed before it told the writers
            self._reopen("a rotated log was still written to", held)
            self._await_release(self.options.wait)
        known = {each.path for each in self.snapshot.rotated}
        known |= {path[:-3] for path in known if path.endswith(".gz")}
        began, options = time.monotonic(), self.options
        problem: RunbookError | None = None
        try:
            self._logrotate.rotate(
                options.config_file, options.force, options.wait, self._deadline.remaining()
            )
        except RunbookError as error:
            problem = error
        seconds = round(time.monotonic() - began, 3)
        for each in self._beside_now():
            stem = each.path[:-3] if each.compressed else each.path
            if each.path not in known and stem not in known:
                self.rotated.append(each.path)
                reason = f"to {os.path.basename(each.path)}"
                self._add(ROTATE, DONE, reason, each.log, seconds, each.size)
        if problem:
            self._fail(ROTATE, problem, options.config_file)

    def wait_for_release(self) -> None:
        """Until no one writes to what is rotated, or the time for that is over."""
        held = self._await_release(min(_PATIENCE, self.options.wait))
        if held:
            self._reopen("a rotated log is still written to", held)
            self.held = self._await_release(self.options.wait)
            self.writers = [*chain.from_iterable(writers_by_log(self.held).values())]

    def archive_due(self) -> None:
        """Move to the archive what was kept beside its log for long enough."""
        folder = self.options.archive_dir
        if not folder:
            return
        try:
            require_folder(folder)
        except NotCollected as error:
            self.archive_problems.append(str(error))
            self._fail(ARCHIVE, error, folder)
            return
        claimed = self._claim_due()
        for number, each in enumerate(claimed):
            self._archive(each, number, len(claimed))

    def _claim_due(self) -> list[Rotated]:
        """What is due, under a name that logrotate does not know."""
        claimed = []
        with logrotate_idle(state_file(self.options), self.options.wait):
            self._complete_copies()
            half = {copy for log in self._logs for copy in pending(log)}
            for each in due_for_archive(self._beside_now(), self.options, time.time()):
                if each.path in half:
                    continue  # its lines are in the log, too
                try:
                    claimed.append(claim(each))
                except InUse as error:
                    self._add(ARCHIVE, SKIPPED, str(error), each.path)
                except OSError as error:
                    self.archive_problems.append(_text(error))
                    self._fail(ARCHIVE, error, each.path)
        return claimed

    def remove_expired(self) -> None:
        """Remove archives of ours that were kept for long enough."""
        folder = self.options.archive_dir
        if not folder:
            return
        for found in expired(list(archives_in(folder)), self.options, time.time()):
            try:
                remove_expired(found)
            except FileNotFoundError:  # noqa: PERF203 - each by itself
                continue  # another host that archives to the same folder was faster
            except (RunbookError, OSError) as error:
                self._fail(REMOVE, error, found.path)
            else:
                reason = f"older than {self.options.archive_keep} days"
                self._add(REMOVE, DONE, reason, found.path, size=found.size)

    def _archive(self, each: Rotated, number: int, total: int) -> None:
        began = time.monotonic()

        def watch(done: int) -> None:
            self._deadline.remaining()
            seconds = time.monotonic() - began
            share = done / each.size if each.size else None
            self._report(
                progress(number, total, [running_item(f"archive {each.path}", seconds, "", share)])
            )

        options = self.options
        try:
            made = archive(each, options.archive_dir, options.keep_free, watch)
        except InUse as error:
            self._add(ARCHIVE, SKIPPED, str(error), each.path)
        except (RunbookError, OSError) as error:
            self.archive_problems.append(_text(error))
            self._fail(ARCHIVE, error, each.path)
        else:
            self.archived += 1
            seconds = round(time.monotonic() - began, 3)
            self._add(ARCHIVE, DONE, f"to {made.path}", each.path, seconds, each.size)

    def _await_release(self, seconds: float) -> list[str]:
        """The rotated logs to which someone still writes after so many seconds."""
        end = time.monotonic() + seconds
        while held := self._held_now():
            if time.monotonic() > end:
                break
            time.sleep(_POLL)
        return held

    def _held_now(self) -> list[str]:
        """The rotated logs that someone writes to."""
        held = []
        for each in self._beside_now():
            if not each.compressed:
                try:
                    state = is_written(each.place)
                except OSError:
                    continue
                if state:
                    held.append(each.place)
                self.unsure = self.unsure or state is None
        return held

    def _reopen(self, why: str, held: list[str]) -> None:
        """Tell the writers; PM2 only if it may be one of them, as it loses lines by that."""
        home = self.options.pm2_home
        script = reopen_script(self.options, bool(written_by_pm2(held, writers_by_log(held), home)))
        if script == NO_ONE:
            self._add(REOPEN, SKIPPED, f"{why}, and no writer is named that could be told", "")
            return
        problem = runs_script(script, self.options.wait)
        if problem:
            self._fail(REOPEN, Refused(f"the logs were not opened again: {problem}"), "")
        else:
            self._add(REOPEN, DONE, why, "")

    def _beside_now(self) -> list[Rotated]:
        return find_rotated(self._logs)

    def _add(
        self,
        name: str,
        status: str,
        reason: str,
        subject: str,
        seconds: float | None = None,
        size: int | None = None,
    ) -> None:
        self.actions.append(Action(name, status, reason, subject, seconds=seconds, bytes=size))

    def _fail(self, name: str, error: Exception, subject: str) -> None:
        text = _text(error)
        self.problems.append(f"{text}. {getattr(error, 'remedy', '')}".strip())
        self._add(name, FAILED, text, subject)


def _text(error: Exception) -> str:
    if isinstance(error, OSError):
        return f"{error.filename or 'a file'}: {error.strerror}"
    return str(error)


def _complete(log: str) -> list[str]:
    if not pending(log):
        return []
    owner = os.lstat(flag_of(log))  # the folder may lead elsewhere by now
    with as_user(owner.st_uid, owner.st_gid):
        return finish(log)
