# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Carrying out a plan of maintenance: statement by statement, watched from a connection that stops what gets in anybody's way."""

from __future__ import annotations

import select
import time
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any

from ...core.check import DONE, FAILED, SKIPPED, Action
from ...core.deadline import DeadlineExceeded
from ...core.errors import Unreachable
from ...core.progress import Report, at_work, progress
from ...core.units import format_duration, format_value
from ..bloat import Bloat
from ..queries import WORKED
from ..relations import Inventory, current_bloat
from ..xmin_horizon import describe_holder, xmin_holders
from .indexes import LEFTOVER, is_worth_rebuilding
from .options import Options
from .plan import IN_USE, OLD_STATISTICS
from .queries import LAG, LEFT, LOOK, OLD, REBUILT, STATE
from .step import Step, statement
from .work import Trouble, Worker

#: Seconds between two looks at what the statements do.
WATCH = 0.25
#: Seconds between two reports of progress.
REPORT = 1.0
#: Bytes of work from which a statement tells how fast the server is: shorter ones are mostly overhead.
TELLING = 64 * 1024**2
#: Seconds that statements have to end after they were told to.
ENDING = 15.0
#: Seconds after which PostgreSQL 14 shows what a statement has changed in the statistics; later versions do at once.
STATISTICS_AGE = 0.6


@dataclass
class Running:
    """A statement that a worker carries out."""

    step: Step
    worker: Worker
    started: float
    before: tuple[int, int, int]
    known: frozenset[int]
    """Invalid indexes of the table from before."""
    waited: float = 0.0
    waits_for: str = ""
    stopped: str = ""
    """Why it was told to stop."""
    again: bool = False
    """Whether it may be tried once more."""
    phase: str = ""
    share: float | None = None


@dataclass
class Run:
    """The work on one plan. ``actions`` grow with it, so that they are there whatever ends it."""

    control: Worker
    workers: list[Worker]
    seen: Inventory
    rules: Options
    free: Callable[[int], float | None]
    """Room on the disk of a tablespace."""
    report: Report
    actions: list[Action] = field(default_factory=list)
    held: list[tuple[str, str]] = field(default_factory=list)
    """Relations whose dead rows could not be removed, and who holds them."""
    speeds: dict[str, list[float]] = field(default_factory=dict)
    """Bytes and seconds by operation."""
    paused: float = 0.0
    """Seconds for which nothing was started since a standby was behind."""
    _replaced: list[Worker] = field(default_factory=list)
    running: list[Running] = field(default_factory=list)
    queue: deque[tuple[Step, int]] = field(default_factory=deque)
    """What is to be started, and how often that was tried."""
    total: int = 0
    end: float = 0.0
    lag: float = 0.0
    """Seconds that the slowest standby is behind."""
    blind: bool = False
    """Whether there are standbys of which that may not be seen."""

    def work(self, steps: Sequence[Step], seconds: float) -> None:
        """Carry out the steps within so many seconds; raises `Unreachable` or `DeadlineExceeded` where the server is lost."""
        self.queue = deque((step, 0) for step in steps)
        self.total = len(steps)
        self.end = time.monotonic() + seconds
        self._watched = self._reported = self._lagged = 0.0
        try:
            self._look_at_standbys(time.monotonic())
            while self.queue or self.running:
                self._assign()
                if not self.workers:
                    break
                self._wait()
                self._watch()
        finally:
            self._drop(lambda step: step.operation != "cleanup", "the run ended before its turn")
            self._stop_all()
            self._drop(lambda step: True, "the run ended before its turn; the next run cleans up")

    # --- starting -------------------------------------------------------------------------------------------------

    def _assign(self) -> None:
        """Give idle workers something to do."""
        for worker in list(self.workers):
            while not any(each.worker is worker for each in self.running):
                chosen = self._next()
                if chosen is None:
                    return
                self.queue.remove(chosen)
                self._start(worker, *chosen)

    def _next(self) -> tuple[Step, int] | None:
        """The first step on whose table nobody works, and on which nothing before it waits."""
        passed = [each.step for each in self.running]
        for entry in self.queue:
            step = entry[0]
            paused = self.lag > self.rules.max_lag and step.operation != "cleanup"
            if not paused and not any(self._related(step, other) for other in passed):
                return entry
            passed.append(step)
        return None

    def _related(self, step: Step, other: Step) -> bool:
        """Whether two steps are for one table, or for a partition and what it is a part of: ANALYZE of that locks the partition, too."""
        lines = [
            {each["oid"] for each in self.seen.line(self.seen.by_oid[table])}
            if table in self.seen.by_oid
            else {table}
            for table in (step.table, other.table)
        ]
        return other.table in lines[0] or step.table in lines[1]

    def _start(self, worker: Worker, step: Step, tries: int) -> None:
        """Start a step, unless it is not needed, not possible, or does not fit any more."""
        if step.unsure:
            bloat = self._bloat_now(step)
            if bloat is not None and bloat.confidence == "low":
                self._add(step, SKIPPED, OLD_STATISTICS)
                return
            if bloat is None or not is_worth_rebuilding(
                bloat, self.seen.relations[step.relation]["bytes"], self.rules
            ):
                self.total -= 1
                return
            step = replace(step, reason=f"{bloat.words}, by fresh statistics", unsure=False)
        reason = self._objection(step)
        if reason:
            self._add(step, SKIPPED, reason)
            return
        try:
            rows = self.control.ask("a relation", STATE, {"oid": step.relation or step.table})
            known = (
                frozenset(row[0] for row in self._left(step))
                if step.operation == "reindex"
                else frozenset()
            )
        except Trouble as problem:
            self._add(step, SKIPPED, f"it is locked by another session: {problem}")
            return
        if not rows:
            self._add(step, SKIPPED, "it is gone")
            return
        worker.start(statement(step, self.seen))
        self.running.append(
            Running(step, worker, time.monotonic(), rows[0], known, again=tries == 0)
        )

    def _bloat_now(self, step: Step) -> Bloat | None:
        """How bloated an index is by the statistics of now; none where that cannot be told."""
        try:
            return current_bloat(self.control.ask, self.seen, self.seen.relations[step.relation])
        except Trouble:
            return None

    def _objection(self, step: Step) -> str:
        left = self.end - time.monotonic()
        if step.estimate > left and step.operation != "cleanup":
            return f"it takes about {format_duration(step.estimate)}, and of the time budget {format_duration(max(0.0, left))} are left"
        if (step.table,) in self.control.ask("vacuums at work", WORKED):
            return IN_USE
        if step.operation != "reindex":
            return ""
        room = self.free(step.tablespace)
        if room is not None:  # less what the rebuilds that are running will take
            room = max(0.0, room - sum(each.step.space for each in self.running))
        if room is not None and step.space > room:
            return f"it needs {format_value(step.space, 'bytes')} of disk, {format_value(room, 'bytes')} are free"
        old = self.control.ask(
            "old transactions", OLD, {"pids": self._pids(), "seconds": self.rules.max_wait}
        )
        if old:
            return f"a rebuild would wait for {old[0][0]}, whose transaction has been open for {format_duration(old[0][1])}"
        return ""

    def _pids(self) -> list[int]:
        return [worker.pid for worker in [self.control, *self.workers]]

    def _left(self, step: Step) -> list[tuple[Any, ...]]:
        return self.control.ask("invalid indexes", LEFT, {"table": step.table})

    # --- watching -------------------------------------------------------------------------------------------------

    def _wait(self) -> None:
        """Wait for a statement to end, or for the next look."""
        ready, _w, _x = select.select([each.worker for each in self.running], [], [], WATCH)
        for each in [each for each in self.running if each.worker in ready]:
            self._look_at(each)

    def _look_at_standbys(self, now: float) -> None:
        if now - self._lagged >= REPORT and self.seen.facts["standbys"]:
            (lag, self.blind), self._lagged = self.control.ask("standbys", LAG)[0], now
            self.lag = lag or 0.0

    def _look_at(self, each: Running) -> None:
        try:
            ended = each.worker.poll()
        except (Trouble, Unreachable) as problem:
            self._ended(each, problem)
            return
        if ended:
            self._ended(each, None)

    def _watch(self) -> None:
        now = time.monotonic()
        since = now - self._watched
        if since < WATCH:
            return
        if self._watched and self.lag > self.rules.max_lag:
            self.paused += since
        self._watched = now
        self._look_at_standbys(now)
        if not self.running:
            if now >= self.end:
                self._drop(
                    lambda step: step.operation != "cleanup",
                    "the time budget was used up while a standby was behind",
                )
            return
        rows = {
            row[0]: row[1:] for row in self.control.ask("its work", LOOK, {"pids": self._pids()})
        }
        for each in self.running:
            waits, for_whom, blocks, *progress = rows[each.worker.pid]
            each.phase, each.share = _progress(progress)
            each.waited += min(since, now - each.started) if waits else 0.0
            each.waits_for = for_whom or each.waits_for
            if waits:
                each.phase = f"waits for {for_whom or 'another session'}"
            if each.stopped:
                continue
            if now >= self.end and each.step.operation != "cleanup":
                self._stop(each, "the time budget is used up", again=False)
            elif blocks is not None and blocks > self.rules.max_block:
                self._stop(each, f"another session had waited {format_duration(blocks)} for it")
            elif each.waited > self.rules.max_wait:
                self._stop(
                    each,
                    f"it had waited {format_duration(each.waited)} for {each.waits_for or 'another session'}",
                )
        if now - self._reported >= REPORT:
            self._reported = now
            self.report(self._state(now))

    def _state(self, now: float) -> dict[str, Any]:
        work = [
            at_work(
                f"{each.step.operation} {each.step.quoted}",
                now - each.started,
                each.phase,
                each.share,
            )
            for each in self.running
        ]
        return progress(self.total - len(self.queue) - len(self.running), self.total, work)

    # --- stopping -------------------------------------------------------------------------------------------------

    def _stop(self, each: Running, reason: str, again: bool = True) -> None:
        each.stopped, each.again = reason, each.again and again
        try:
            self.control.ask(
                "a statement's end", "SELECT pg_cancel_backend(%(pid)s)", {"pid": each.worker.pid}
            )
        except (Unreachable, Trouble):  # it is lost, or was interrupted in the middle of a question
            each.worker.cancel()

    def _stop_all(self) -> None:
        """Nothing of ours goes on when the run has ended, for whatever reason; what rebuilds leave behind is dropped if it takes no waiting."""
        end = time.monotonic() + ENDING
        for each in self.running:
            if not each.stopped:
                with suppress(DeadlineExceeded):
                    self._stop(each, "the run was ended", again=False)
        with suppress(Unreachable, DeadlineExceeded, Trouble):
            while (self.running or self.queue) and self.workers and time.monotonic() < end:
                self._assign()
                if self.running:
                    self._wait()
        for each in self.running:
            with suppress(DeadlineExceeded):
                self._stop(each, "the run was ended", again=False)
            self._add(each.step, FAILED, "what became of it is not known; the next run cleans up")
        self.running = []

    # --- ending ---------------------------------------------------------------------------------------------------

    def _ended(self, each: Running, problem: Trouble | Unreachable | None) -> None:
        """A statement has ended, well or not."""
        self.running.remove(each)
        step, seconds = each.step, round(time.monotonic() - each.started, 3)
        if isinstance(problem, Unreachable):
            self._replace(each.worker)
            self._add(step, FAILED, f"{problem}; the next run cleans up", seconds=seconds)
            self._clean(each)
        elif problem is None or self._rebuilt(each):
            self._succeeded(each, seconds)
            self._clean(each)
        else:
            self._clean(each)
            self._failed(each, problem, seconds)

    def _replace(self, worker: Worker) -> None:
        """A session that was ended is opened anew, once."""
        if worker in self._replaced:
            self.workers.remove(worker)
            return
        self._replaced.append(worker)
        try:
            worker.close()
            worker.open()
        except (Unreachable, Trouble):
            self.workers.remove(worker)

    def _rebuilt(self, each: Running) -> bool:
        """Whether the new index is in use although the statement failed: it may end while it waits for readers of the old one."""
        if each.step.operation != "reindex":
            return False
        try:
            return self._index_now(each.step) not in (None, each.step.relation)
        except Trouble:
            return False

    def _index_now(self, step: Step) -> int | None:
        """The index that bears the step's name now: a rebuild puts another one in its place."""
        rows = self.control.ask("a relation", REBUILT, {"quoted": step.quoted})
        return rows[0][0] if rows else None

    def _failed(self, each: Running, problem: Trouble, seconds: float) -> None:
        step = each.step
        if problem.code == "57014" and each.stopped and each.again:
            self.queue.append(
                (
                    replace(
                        step,
                        reason=f"{step.reason}; given up once, after {format_duration(seconds)}, since {each.stopped}",
                    ),
                    1,
                )
            )
            return
        if problem.code == "57014" and each.stopped:
            self._add(step, SKIPPED, each.stopped, seconds=seconds)
        elif problem.code in ("42P01", "42704", "3F000"):
            self._add(step, SKIPPED, "it is gone", seconds=seconds)
        elif problem.code == "23505":
            words = "several rows have one key (find them with GROUP BY ... HAVING count(*) > 1): remove them, or drop the index"
            self._add(step, FAILED, f"{problem}: {words}", seconds=seconds)
        else:
            self._add(step, FAILED, str(problem), seconds=seconds)
            if (
                problem.code == "53100"
            ):  # the disk is full: a rebuild would fail like this one, and the app with it
                self._drop(lambda late: late.operation == "reindex", "the disk is full")

    def _succeeded(self, each: Running, seconds: float) -> None:
        step = each.step
        if step.operation == "cleanup":
            self._add(
                step, DONE, before=each.before[0], after=0, bytes=each.before[0], seconds=seconds
            )
            return
        if step.operation != "reindex" and self.seen.facts["version"] < 150000:
            time.sleep(STATISTICS_AGE)
        try:
            rebuilt = self._index_now(step) if step.operation == "reindex" else None
            rows = self.control.ask(
                "a relation", STATE, {"oid": rebuilt or step.relation or step.table}
            )
        except Trouble:
            rows = []
        size, dead, age = rows[0] if rows else each.before
        if step.work >= TELLING:
            speed = self.speeds.setdefault(step.operation, [0.0, 0.0])
            speed[0], speed[1] = speed[0] + step.work, speed[1] + max(0.001, seconds - each.waited)
        more: dict[str, Any] = {"bytes": each.before[0] - size, "seconds": seconds}
        if step.operation == "reindex":
            self._add(step, DONE, before=each.before[0], after=size, **more)
        elif step.operation == "analyze":
            self._add(step, DONE, seconds=seconds)
        else:
            holder = self._holder(each) if dead > max(1000, each.before[1] / 10) else ""
            if holder:
                self.held.append((step.quoted, holder))
            words = (
                f"{dead:,} of its dead rows could not be removed, because of {holder}"
                if holder
                else ""
            )
            key, before, after = (
                ("xid_age", each.before[2], age)
                if step.operation == "freeze"
                else ("dead_rows", each.before[1], dead)
            )
            self._add(step, DONE, words, before=f"{key} {before}", after=f"{key} {after}", **more)

    def _holder(self, each: Running) -> str:
        """Who has kept a vacuum from removing dead rows: somebody older than it. Empty where nobody is: the rows have died since."""
        try:
            rows = xmin_holders(self.control.ask, self.seen.database)
        except Trouble:
            return "a transaction that could not be seen"
        age = time.monotonic() - each.started
        older = [row for row in rows if row["seconds"] is None or row["seconds"] > age]
        if older:
            return describe_holder(older[0])
        sees_all = self.control.ask(
            "itself", "SELECT pg_has_role(current_user, 'pg_read_all_stats', 'USAGE')"
        )[0][0]
        return (
            ""
            if sees_all
            else "a transaction that this role may not see (GRANT pg_monitor shows it)"
        )

    def _clean(self, each: Running) -> None:
        """What a rebuild that did not end well has left behind goes next."""
        if each.step.operation != "reindex":
            return
        with suppress(Unreachable, DeadlineExceeded, Trouble):
            for oid, quoted, name in self._left(each.step):
                if oid not in each.known and LEFTOVER.search(name):
                    step = Step(
                        "cleanup",
                        each.step.table,
                        quoted,
                        f"left behind by the rebuild of {each.step.quoted}",
                        relation=oid,
                    )
                    self.queue.appendleft((step, 0))
                    self.total += 1

    def _drop(self, which: Callable[[Step], bool], why: str) -> None:
        """Steps that will not be started."""
        for entry in [entry for entry in self.queue if which(entry[0])]:
            self.queue.remove(entry)
            self._add(entry[0], SKIPPED, why)

    def _add(self, step: Step, status: str, words: str = "", **more: Any) -> None:
        reason = f"{step.reason}: {words}" if words else step.reason
        self.actions.append(replace(action(step, status, reason), **more))


def action(step: Step, status: str, reason: str) -> Action:
    """A step as the report shows it."""
    return Action(
        f"postgres.{step.operation}",
        status,
        reason,
        subject=step.quoted,
        estimate=round(step.estimate, 1),
    )


def _progress(row: Sequence[Any]) -> tuple[str, float | None]:
    """Phase and share of a statement, from the views of PostgreSQL."""
    (
        vacuum,
        heap,
        scanned,
        vacuumed,
        index,
        blocks,
        blocks_done,
        tuples,
        tuples_done,
        analyze,
        sample,
        sampled,
    ) = row
    if vacuum:
        done = vacuumed if vacuum == "vacuuming heap" else scanned
        return vacuum, _share(done, heap) if vacuum in ("scanning heap", "vacuuming heap") else None
    if index:
        return index, _share(tuples_done, tuples) if tuples else _share(blocks_done, blocks)
    return (analyze, _share(sampled, sample)) if analyze else ("", None)


def _share(done: float | None, total: float | None) -> float | None:
    return round(min(1.0, (done or 0) / total), 3) if total else None
