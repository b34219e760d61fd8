# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The steps of app_profile: choose, guard, open the inspector, profile, close it, prove that."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from typing import Any

from ...core.check import CRITICAL, DONE, FAILED, OK, PLANNED, SKIPPED, Action, Check
from ...core.deadline import Deadline, DeadlineExceeded
from ...core.errors import Refused, RunbookError, Unreachable
from ...core.files import write_atomically
from ...core.lock import Locked, exclusive_lock
from ...core.operation import Outcome
from ...core.progress import ProgressCallback, progress, running_item
from ...core.thresholds import Thresholds
from ...linux.proc import working_directory
from ...linux.usage import read_usage
from . import files
from .collect import Watched, choose, collect, room
from .cpu import assess_profile, summarize, with_stacks
from .heap import BEGIN, END, Facts, assess_heap, facts_from, refusal
from .inspector import Target, find_target, is_closed, obstacle, open_inspector
from .options import Options
from .session import NoReply, Session
from .stacks import stacks

CPU, HEAP, CLOSE = "app.profile", "app.heap_snapshot", "app.inspector_close"
#: Microseconds between two samples of a profile.
_SAMPLING = 1000
#: Longest silence while V8 puts a profile or a snapshot together; seconds to close.
_STOP, _SNAPSHOT, _CLOSE = 30.0, 60.0, 5.0
#: Seconds to wait before another attempt to close it, and how many there are.
_SOON, _ATTEMPTS = 1.0, 3
#: Node.js notices SIGUSR1 twice: in the middle of a computation, and when its event loop turns
#: again, which opens an inspector that was closed meanwhile. So it is closed then once more.
_END = "setImmediate(() => setTimeout(() => process._debugEnd(), 100).unref()); process._debugEnd()"
#: Seconds beyond the profile and ``timeout`` that a run can take.
OVERHEAD = _STOP + 4 * _CLOSE
#: The longest that a run can take.
MAX_SECONDS = 3600.0
_WARNING = "contains everything in the app's memory, secrets too: remove it after use"


@dataclass
class Work:
    """One run."""

    options: Options
    thresholds: Thresholds
    deadline: Deadline
    report: ProgressCallback
    label: str = ""
    chosen: Watched | None = None
    watched: list[Watched] = field(default_factory=list)
    actions: list[Action] = field(default_factory=list)
    checks: list[Check] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)

    @property
    def subject(self) -> str:
        return f"{self.label} id {self.target.instance.pm_id}"

    @property
    def target(self) -> Watched:
        if self.chosen is None:
            raise Refused("no instance was chosen")
        return self.chosen

    def add(self, name: str, status: str, reason: str, **more: Any) -> None:
        self.actions.append(Action(name, status, reason, self.subject, **more))

    def fail(self, name: str, reason: str) -> None:
        self.add(name, FAILED, reason)
        self.problems.append(f"{self.subject}: {reason}")

    def outcome(self, taken: bool | None) -> Outcome:
        problem = ". ".join(self.problems)
        return Outcome(self.checks, self.actions, problem, {"taken": taken and not problem})


def run(
    options: Options, thresholds: Thresholds, report: ProgressCallback, *, check_mode: bool
) -> Outcome:
    """Profile one instance, or say what would be done; nothing if nothing is asked for."""
    if not (options.cpu or options.heap):
        return Outcome(results={"taken": True})
    seconds = options.timeout + options.seconds + OVERHEAD
    work = Work(options, thresholds, Deadline(seconds), report)
    try:
        app, work.watched = collect(options, work.deadline)
        work.label = app.label
        work.chosen = choose(work.watched, options.instance)
        if check_mode:
            _plan(work)
            return work.outcome(None)
        files.prepare(options.dest)
        path = os.path.join(options.dest, "profile.lock")
        with exclusive_lock(path, f"profiles of the apps in {options.home}"):
            return _locked(work)
    except (Refused, Unreachable, Locked) as error:
        work.problems.append(f"Nothing was profiled: {error}")
    except OSError as error:
        work.problems.append(f"Nothing was profiled: {options.dest}: {error.strerror}")
    except DeadlineExceeded:
        work.problems.append(f"PM2 or the app did not answer within {seconds:g} s")
    return work.outcome(False)


def _locked(work: Work) -> Outcome:
    files.clean(work.options.dest)
    _close_what_was_left(work)
    if work.options.heap and not work.options.confirmed:
        _plan(replace(work, options=replace(work.options, cpu=False)))
    if work.options.cpu or work.options.confirmed:
        _profile(work)
    planned = any(action.status == PLANNED for action in work.actions)
    return work.outcome(None if planned else True)


def _plan(work: Work) -> None:
    """What a run without check mode does, as far as it is known without touching the process."""
    pid = work.target.instance.pid
    reason = "" if find_target(pid, ours=False) else obstacle(pid)
    options = work.options
    if options.cpu:
        text = f"process {pid}, for {options.seconds:g} s"
        work.add(CPU, SKIPPED if reason else PLANNED, reason or text)
    if options.heap:
        # The heap is smaller than the memory of the process, so this is on the safe side.
        used = work.target.usage.resident
        refused = reason or refusal(used, room(work.target, work.watched, options.dest))
        text = f"process {pid}; the file {_WARNING}"
        if not options.confirmed:
            text += f"; set confirm to {options.name} to take it"
        work.add(HEAP, SKIPPED if refused else PLANNED, refused or text)


def _profile(work: Work) -> None:
    pid = work.target.instance.pid
    try:
        with _inspector(work) as target, Session(target, work.deadline) as session:
            _use(work, session)
            if target.ours:
                _ask_to_close(session)
    except (RunbookError, DeadlineExceeded, OSError) as error:
        reason = str(error) or "the time limit has passed"
        if isinstance(error, OSError):
            reason = f"{work.options.dest}: {error.strerror}"
        if read_usage(pid) is None:
            reason += f"; process {pid} has ended"
        done = {action.name for action in work.actions}
        for name, wanted in ((CPU, work.options.cpu), (HEAP, work.options.heap)):
            if wanted and name not in done:
                work.fail(name, reason)


@contextmanager
def _inspector(work: Work) -> Iterator[Target]:
    """The open inspector of the process; afterwards it is as it was before."""
    usage, dest = work.target.usage, work.options.dest
    mark = files.mark(dest, usage.pid, usage.started)
    try:
        target = open_inspector(usage.pid, usage.started, work.deadline)
    except Refused:
        files.unmark(mark)  # the signal was not sent
        raise
    except BaseException:
        # It may open later still, so the mark stays for the next run.
        late = find_target(usage.pid, ours=True)
        if late and _close(work, late):
            files.unmark(mark)
        raise
    if not target.ours:
        files.unmark(mark)
    try:
        yield target
    finally:
        if not target.ours:
            work.checks.append(_left_open(work, target))
        elif _close(work, target):
            files.unmark(mark)


def _ask_to_close(session: Session) -> None:
    # The process closes the connection in place of an answer.
    with suppress(RunbookError, DeadlineExceeded):
        session.evaluate(_END, _CLOSE)


def _close(work: Work, target: Target) -> bool:
    """Close an inspector, and prove it."""
    pid = work.target.instance.pid
    closed = is_closed(pid, target.port, _SOON)
    for _attempt in range(_ATTEMPTS):
        if closed:
            break
        with suppress(RunbookError, DeadlineExceeded), Session(target, Deadline(_CLOSE)) as session:
            _ask_to_close(session)
        closed = is_closed(pid, target.port, _CLOSE)
    summary = f"the inspector of process {pid} is closed again"
    if not closed:
        summary = (
            f"the inspector of process {pid} is still open on port {target.port} of this host: "
            "the process does not answer"
        )
    status = OK if closed else CRITICAL
    work.checks.append(
        work.thresholds.verdict("app.inspector", status, summary, subject=work.subject)
    )
    if not closed:
        work.problems.append(f"{work.subject}: {summary}")
    return closed


def _left_open(work: Work, target: Target) -> Check:
    return work.thresholds.verdict(
        "app.inspector",
        CRITICAL,
        f"the inspector of process {work.target.instance.pid} was open before, on port "
        f"{target.port}, and was left open",
        subject=work.subject,
        remedy="Whoever can connect to it controls the app. If no one is debugging it, restart the "
        "instance; remove --inspect from its arguments.",
    )


def _use(work: Work, session: Session) -> None:
    """Profile and snapshot. Each is taken even if the other fails."""
    facts = Facts()
    if work.options.cpu:
        facts = _cpu(work, session)
    if work.options.heap and work.options.confirmed:
        if not facts.used:
            with suppress(NoReply, Refused):
                facts = facts_from(session.evaluate(END))
        _heap(work, session, facts)
    check = assess_heap(facts, work.subject, work.thresholds)
    if check:
        work.checks.append(check)


def _cpu(work: Work, session: Session) -> Facts:
    options, began = work.options, time.monotonic()
    with suppress(NoReply, Refused):  # a profile is worth it without them
        session.evaluate(BEGIN)
    session.call("Profiler.enable")
    session.call("Profiler.setSamplingInterval", {"interval": _SAMPLING})
    session.call("Profiler.start")
    work.report(progress(0, 1, [running_item(f"profile {work.subject}", 0.0)]))
    time.sleep(work.deadline.remaining(options.seconds))
    profile = session.call("Profiler.stop", seconds=_STOP).get("profile") or {}
    session.call("Profiler.disable")
    facts = Facts()
    with suppress(NoReply, Refused):
        facts = facts_from(session.evaluate(END))
    _save(work, session, profile, began)
    return facts


def _save(work: Work, session: Session, profile: dict[str, Any], began: float) -> None:
    """Keep the profile, and judge it; of a busy process also where it is right now."""
    options = work.options
    pm_id = work.target.instance.pm_id
    path = files.path_for(options.dest, work.label, pm_id, "cpuprofile")
    text = json.dumps(profile)
    write_atomically(path, text)
    folder = ""
    with suppress(OSError):
        folder = working_directory(work.target.instance.pid)
    summary = summarize(profile, folder)
    if summary.is_busy:
        summary = with_stacks(summary, stacks(session), folder)
    work.checks.append(assess_profile(summary, work.subject, work.thresholds, path))
    work.add(
        CPU,
        DONE,
        f"process {work.target.instance.pid}, for {options.seconds:g} s",
        after=path,
        seconds=round(time.monotonic() - began, 1),
        bytes=len(text),
    )


def _heap(work: Work, session: Session, facts: Facts) -> None:
    """A heap snapshot, unless it could take the app down."""
    options, began = work.options, time.monotonic()
    reason = refusal(facts.used, room(work.target, work.watched, options.dest))
    if reason:
        work.add(HEAP, SKIPPED, f"refused: {reason}")
        work.problems.append(f"{work.subject}: no heap snapshot: {reason}")
        return
    work.report(progress(0, 1, [running_item(f"heap snapshot of {work.subject}", 0.0)]))
    path = files.path_for(options.dest, work.label, work.target.instance.pm_id, "heapsnapshot")
    with files.streamed(path) as stream:
        session.call("HeapProfiler.enable")
        session.call(
            "HeapProfiler.takeHeapSnapshot", {"reportProgress": True}, _SNAPSHOT, stream.write
        )
    work.add(
        HEAP,
        DONE,
        f"process {work.target.instance.pid}; the file {_WARNING}",
        after=path,
        seconds=round(time.monotonic() - began, 1),
        bytes=os.stat(path).st_size,
    )


def _close_what_was_left(work: Work) -> None:
    """Close the inspectors that runs which were killed left open."""
    known = {each.usage.pid: each for each in work.watched}
    chosen = work.target
    for path, pid, started in files.marks(work.options.dest):
        usage = read_usage(pid)
        target = None
        if usage and usage.started == started and pid in known:
            target = find_target(pid, ours=True)
        if target is None:
            files.unmark(path)
            continue
        work.chosen = known[pid]
        if _close(work, target):
            files.unmark(path)
            work.add(CLOSE, DONE, "a run that was killed had left it open")
    work.chosen = chosen
