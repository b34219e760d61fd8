# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Maintenance of one database: look, plan, carry out, and say what became of it."""

from __future__ import annotations

import os
import select
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, nullcontext, suppress
from dataclasses import dataclass, field, replace

from ...core import operation
from ...core.check import (
    CRITICAL,
    DONE,
    FAILED,
    OK,
    PLANNED,
    SKIPPED,
    UNKNOWN,
    WARNING,
    Action,
    Check,
)
from ...core.deadline import Deadline, DeadlineExceeded
from ...core.errors import NotCollected, Unreachable, UsageError
from ...core.progress import Report, at_work, progress
from ...core.state import Sample
from ...core.thresholds import Thresholds
from ...core.units import format_duration, format_value, pluralize
from ..advisory_lock import HOLDERS, MAINTENANCE, TAKE, holder_of
from ..connection import Connection
from ..queries import DATABASE_FACTS
from ..relations import Inventory, collect_inventory
from ..url import Target
from ..verdicts import unreachable
from .apply import Run, action
from .indexes import without_estimate
from .options import OPERATIONS, Options
from .plan import Plan, make_plan
from .step import Step
from .work import Trouble, Worker, behind

APPLICATION = "gpt_agent.runbook/pg_maintenance"
#: Those sessions that carry out statements; whoever may start some holds the lock.
WORKER = f"{APPLICATION} worker"
# Workers of a run that was killed: whoever holds the lock knows that they are nobody's.
ORPHANS = """
SELECT pid, pg_terminate_backend(pid) FROM pg_stat_activity
WHERE application_name = %(application)s AND datname = current_database() AND pid <> pg_backend_pid()
  AND (SELECT pg_has_role(usesysid, 'USAGE'))
"""
REPLAY_ROLE = "SELECT pg_is_in_recovery()"


@dataclass
class Outcome(operation.Outcome):
    """What a maintenance came to."""

    rates: Mapping[str, float] = field(default_factory=dict)
    """Bytes a second by operation, as this run has measured them."""


@dataclass
class Task:
    """What is to be done, and where."""

    target: Target
    rules: Options
    thresholds: Thresholds
    timeout: float
    """Seconds within which a question has to be answered."""
    rates: Mapping[str, float]
    disk_free: float | None = None
    """Bytes that are free, where the operator knows better."""
    report: Report = lambda newest: None

    def inspect(self) -> Inventory:
        with closing(Connection(self.target, APPLICATION, Deadline(self.timeout))) as connection:
            try:
                connection.open()
                facts = connection.begin("itself", DATABASE_FACTS)[0][0]
                behind(connection.pid, facts["pid"])
                return collect_inventory(connection, facts)
            except DeadlineExceeded:
                raise connection.no_answer() from None


def planned(task: Task) -> Outcome:
    """The plan, and nothing else."""
    try:
        seen = task.inspect()
    except (Unreachable, NotCollected) as problem:
        return _lost(problem, task.thresholds)
    if seen.facts["standby"]:
        return _standby(task.thresholds)
    plan = make_plan(seen, task.rules, task.rates, _rooms(seen, task))
    actions = [
        action(step, SKIPPED if step.skip else PLANNED, _reason(step)) for step in plan.steps
    ]
    return Outcome([verdict(seen, plan, actions, task)], actions)


def maintained(task: Task) -> Outcome:
    """Carry out the plan and look at the result."""
    settings = {"lock_timeout": "100", "statement_timeout": str(int(task.timeout * 1000))}
    control = Worker(task.target, APPLICATION, task.timeout, settings)
    with closing(control):
        try:
            control.open()
            if control.ask("itself", REPLAY_ROLE)[0][0]:
                return _standby(task.thresholds)
            taken = _claim(control)
            if taken:
                return taken_by(taken, task.thresholds)
            seen = task.inspect()
        except (Unreachable, NotCollected, Trouble) as problem:
            return _lost(problem, task.thresholds)
        except DeadlineExceeded:
            return _lost(control.no_answer(), task.thresholds)
        plan = make_plan(seen, task.rules, task.rates, _rooms(seen, task))
        skipped = [action(step, SKIPPED, _reason(step)) for step in plan.steps if step.skip]
        return _carry_out(task, control, seen, plan, skipped)


def literally(task: Task, confirm: str, check_mode: bool) -> Outcome:
    """The runbook's own recipe: everything is rebuilt and vacuumed, whether it needs it or not, and writers wait meanwhile."""
    control = Worker(
        task.target, APPLICATION, task.timeout, {"lock_timeout": f"'{task.rules.max_wait:g}s'"}
    )
    with closing(control):
        try:
            control.open()
            if control.ask("itself", REPLAY_ROLE)[0][0]:
                return _standby(task.thresholds)
            database = control.database
            if not check_mode and confirm != database:
                raise UsageError(
                    f"confirm: the literal recipe blocks writers; it is carried out only where confirm names the database: give '{database}'"
                )
            name = control.ask("itself", "SELECT quote_ident(current_database())")[0][0]
            statements = {
                "reindex_database": f"REINDEX DATABASE {name}",
                "vacuum_database": "VACUUM (ANALYZE)",
            }
            if check_mode:
                return _recipe(
                    task,
                    [
                        Action(f"postgres.{key}", PLANNED, text, subject=database)
                        for key, text in statements.items()
                    ],
                )
            taken = _claim(control)
            if taken:
                return taken_by(taken, task.thresholds)
        except (Unreachable, Trouble) as problem:
            return _lost(problem, task.thresholds)
        except DeadlineExceeded:
            return _lost(control.no_answer(), task.thresholds)
        return _recipe(task, list(_recipe_steps(task, control, statements)))


def _recipe_steps(task: Task, control: Worker, statements: Mapping[str, str]) -> Iterator[Action]:
    end = time.monotonic() + task.rules.time_budget
    for key, text in statements.items():
        started, name = time.monotonic(), f"postgres.{key}"
        try:
            control.start(text)
            while not control.poll():
                select.select([control], [], [], 0.5)
                task.report(progress(0, 2, [at_work(text, time.monotonic() - started)]))
                if time.monotonic() > end:
                    control.cancel()
                    yield Action(
                        name,
                        FAILED,
                        f"{text}: the time budget is used up, it was cancelled",
                        subject=control.database,
                    )
                    return
        except (Trouble, Unreachable) as problem:
            yield Action(
                name,
                FAILED,
                f"{text}: {problem if isinstance(problem, Trouble) else str(problem)}",
                subject=control.database,
            )
            return
        yield Action(
            name, DONE, text, subject=control.database, seconds=round(time.monotonic() - started, 3)
        )


def _recipe(task: Task, actions: list[Action]) -> Outcome:
    failed = [each for each in actions if each.status == FAILED]
    words = (
        failed[0].reason
        if failed
        else "; ".join(f"{each.reason} {each.status}" for each in actions)
    )
    if actions and actions[0].status == PLANNED:
        words += ": REINDEX DATABASE locks each table against writers, and in effect readers, while its indexes are rebuilt"
    status = (
        CRITICAL if failed else WARNING if any(each.status == PLANNED for each in actions) else OK
    )
    return Outcome(
        [
            task.thresholds.verdict(
                "postgres.maintenance",
                status,
                words,
                remedy="Leave literal out: what needs it is rebuilt without blocking anyone.",
            )
        ],
        actions,
        words if failed else "",
    )


def _claim(control: Worker) -> str:
    """Make sure that nobody else maintains this database, and that nothing of a run that was killed goes on; says who is at it."""
    if not control.ask("its locks", TAKE, MAINTENANCE)[0][0]:
        return holder_of(control.ask("its locks", HOLDERS, MAINTENANCE))
    for _turn in range(50):
        if not control.ask("sessions of an earlier run", ORPHANS, {"application": WORKER}):
            break
        time.sleep(0.2)
    return ""


def _carry_out(
    task: Task, control: Worker, seen: Inventory, plan: Plan, skipped: Sequence[Action]
) -> Outcome:
    steps = plan.wanted
    count = min(task.rules.jobs, len({step.table for step in steps}))
    cost = {
        "vacuum_cost_delay": f"{task.rules.cost_delay:g}",
        "vacuum_cost_limit": str(task.rules.cost_limit),
        "max_parallel_maintenance_workers": "0",
    }
    problem = ""
    with ExitStack() as stack:
        workers = [
            stack.enter_context(closing(Worker(task.target, WORKER, task.timeout, cost)))
            for _number in range(count)
        ]
        run = Run(
            control, workers, seen, task.rules, lambda space: room(seen, task, space), task.report
        )
        try:
            _open(workers)
            run.work(steps, task.rules.time_budget)
            run.work(*_more(task, run, plan))
            _finish(control, seen, run.actions)
        except (Unreachable, Trouble) as lost:
            problem = str(lost) if isinstance(lost, Trouble) else f"{lost}. {lost.remedy}"
        except DeadlineExceeded:
            problem = str(control.no_answer())
    actions = [*run.actions, *skipped]
    failed = [each for each in actions if each.status == FAILED]
    if problem or failed:
        first = f"{failed[0].subject}: {failed[0].reason}" if failed else ""
        problem = ". ".join(part for part in (problem, _count(actions), first) if part)
    rates = {name: work / seconds for name, (work, seconds) in run.speeds.items() if seconds > 1}
    return Outcome(
        [verdict(seen, plan, actions, task, run, problem)],
        actions,
        problem,
        {**task.rates, **rates},
    )


def _more(task: Task, run: Run, plan: Plan) -> tuple[list[Step], float]:
    """What is seen to be needed only now that statistics are fresh, and the seconds left: a server that has crashed has lost its counters."""
    left = run.end - time.monotonic()
    if (
        left < 1
        or not run.workers
        or not any(each.name == "postgres.analyze" and each.status == DONE for each in run.actions)
    ):
        return [], 0.0
    try:
        run.seen = task.inspect()
    except NotCollected:
        return [], 0.0
    known = {(step.operation, step.quoted) for step in plan.steps}
    found = make_plan(
        run.seen, replace(task.rules, time_budget=left), task.rates, _rooms(run.seen, task)
    ).wanted
    return [step for step in found if (step.operation, step.quoted) not in known], left


def _open(workers: list[Worker]) -> None:
    """As many connections as there is room for, at least one; raises `Unreachable` where not even that."""
    opened: list[Worker] = []
    for worker in workers:
        with suppress(Unreachable) if opened else nullcontext():
            worker.open()
            opened.append(worker)
    workers[:] = opened


def _finish(control: Worker, seen: Inventory, actions: Sequence[Action]) -> None:
    """What each VACUUM was told to leave for the end."""
    vacuumed = any(
        each.status == DONE and each.name in ("postgres.vacuum", "postgres.freeze")
        for each in actions
    )
    if vacuumed and seen.facts["version"] >= 160000:
        with suppress(Trouble):
            control.ask("the database's age", "VACUUM (ONLY_DATABASE_STATS)")


# --- the disk -----------------------------------------------------------------------------------------------------


def _rooms(seen: Inventory, task: Task) -> dict[int, float | None]:
    spaces = {index["tablespace"] or seen.facts["tablespace"] for index in seen.indexes}
    return {space: room(seen, task, space) for space in spaces}


def room(seen: Inventory, task: Task, tablespace: int) -> float | None:
    """Bytes that are free where a tablespace lies; none where this process cannot see the server's disk."""
    if task.disk_free is not None:
        return task.disk_free
    folder = seen.facts["data_directory"]
    if not folder:
        return None
    try:
        with open(os.path.join(folder, "postmaster.pid")) as stream:
            lines = stream.read().splitlines()
        if (
            abs(int(lines[2]) - seen.facts["started"]) > 10
        ):  # a folder of the same name on another host
            return None
        place, wal = (
            seen.facts["tablespaces"].get(str(tablespace)) or folder,
            os.path.join(folder, "pg_wal"),
        )
        free = _free(place)
        # A rebuild that needs twice its size writes its size once more as WAL, and a server whose WAL finds no room stops.
        return free if os.stat(place).st_dev == os.stat(wal).st_dev else min(free, 2 * _free(wal))
    except (OSError, ValueError, IndexError):
        return None


def _free(folder: str) -> float:
    found = os.statvfs(folder)
    return float(found.f_bavail * found.f_frsize)


# --- the verdict --------------------------------------------------------------------------------------------------


def _reason(step: Step) -> str:
    return f"{step.reason}: {step.skip}" if step.skip else step.reason


def _standby(thresholds: Thresholds) -> Outcome:
    words = "This server is a standby, where nothing can be vacuumed, analyzed or rebuilt: what is done on the primary arrives here"
    return Outcome(
        [
            thresholds.verdict(
                "postgres.maintenance",
                UNKNOWN,
                words,
                remedy="Run it with a database_url that leads to the primary.",
            )
        ]
    )


def taken_by(holder: str, thresholds: Thresholds) -> Outcome:
    """Somebody else is at it."""
    words = f"Another run maintains this database: {holder}"
    remedy = "Wait until it is through. One that was interrupted goes on in the background of its host; SELECT pg_terminate_backend(PID) ends it."
    check = thresholds.verdict("postgres.maintenance", CRITICAL, words, remedy=remedy)
    return Outcome([check], problem=f"Nothing was done: {words[0].lower()}{words[1:]}. {remedy}")


def _lost(problem: Unreachable | NotCollected | Trouble, thresholds: Thresholds) -> Outcome:
    if isinstance(problem, Unreachable):
        return Outcome(
            [unreachable(problem, thresholds)],
            problem=f"Nothing was done: {problem}. {problem.remedy}",
        )
    reason, remedy = (
        (str(problem), problem.remedy)
        if isinstance(problem, NotCollected)
        else (str(problem), "See PostgreSQL's log.")
    )
    check = thresholds.verdict(
        "postgres.maintenance", CRITICAL, f"Not known what it needs: {reason}", remedy=remedy
    )
    return Outcome([check], problem=f"Nothing was done: {reason}. {remedy}")


def verdict(
    seen: Inventory,
    plan: Plan,
    actions: Sequence[Action],
    task: Task,
    run: Run | None = None,
    problem: str = "",
) -> Check:
    """Whether the database has what it needs now."""
    judged = task.thresholds.verdict
    what = f"database '{seen.database}' ({seen.summary}){_scope(task.rules)}"
    skipped = [each for each in actions if each.status == SKIPPED]
    evidence = tuple({"relation": each.subject, "skipped": each.reason} for each in skipped)
    if problem:
        return judged(
            "postgres.maintenance",
            CRITICAL,
            f"{what[0].upper()}{what[1:]}: {problem}",
            evidence=evidence,
        )
    dark = without_estimate(seen, task.rules)
    if not actions and dark:
        words = f"Nothing in {what} is known to need maintenance, but how bloated {pluralize(len(dark), 'large index', 'large indexes')} are is not: {dark[0]}"
        remedy = "ANALYZE their tables, let this role SELECT from them, or install pgstattuple in the database and grant pg_stat_scan_tables."
        return judged(
            "postgres.maintenance",
            UNKNOWN,
            words,
            remedy=remedy,
            evidence=tuple({"relation": name} for name in dark),
        )
    if not actions:
        return judged("postgres.maintenance", OK, f"Nothing in {what} needs maintenance")
    state = f"In {what}: {_count(actions)}"
    won = sum(each.bytes or 0 for each in actions if each.status == DONE)
    if won > 0:
        state += f", {format_value(won, 'bytes')} won"
    if any(each.status == PLANNED for each in actions):
        state += f", about {format_duration(plan.seconds / task.rules.jobs)} of work"
        return judged(
            "postgres.maintenance",
            WARNING,
            state,
            remedy="To carry it out, run it without --check.",
            evidence=evidence,
        )
    if run and run.paused >= 1:
        state += f"; paused for {format_duration(run.paused)} until standbys had caught up"
    if run and run.blind:
        state += f"; how far standbys are behind could not be seen: GRANT pg_monitor TO {seen.facts['role']}"
    if run and run.held:
        (first, holder), more = run.held[0], len(run.held) - 1
        state += (
            f"; dead rows stay in {first}{f' and {more} more' if more else ''}, because of {holder}"
        )
        remedy = "End what holds them (the oldest transaction, prepared transaction or replication slot), then run it again."
        return judged("postgres.maintenance", WARNING, state, remedy=remedy, evidence=evidence)
    if skipped:
        return judged(
            "postgres.maintenance",
            WARNING,
            f"{state}; {skipped[0].subject}: {skipped[0].reason}",
            evidence=evidence,
        )
    return judged("postgres.maintenance", OK, state)


def _scope(rules: Options) -> str:
    """What the work was limited to, where it was."""
    parts = [
        f"{name} {', '.join(values)}"
        for name, values in (("only", rules.only), ("without", rules.exclude))
        if values
    ]
    parts += (
        [f"operations {', '.join(rules.operations)}"]
        if set(rules.operations) != set(OPERATIONS)
        else []
    )
    return f", {'; '.join(parts)}" if parts else ""


def _count(actions: Sequence[Action]) -> str:
    """``3 indexes rebuilt, 1 planned, 2 skipped``."""
    found = Counter((each.status, each.name.split(".")[1]) for each in actions)
    words = {
        "cleanup": "to drop",
        "freeze": "to freeze",
        "vacuum": "to vacuum",
        "analyze": "to analyze",
        "reindex": "to rebuild",
    }
    done = {
        "cleanup": "dropped",
        "freeze": "frozen",
        "vacuum": "vacuumed",
        "analyze": "analyzed",
        "reindex": "rebuilt",
    }
    parts = [
        f"{count:,} {(words if status == PLANNED else done)[name]}"
        for (status, name), count in found.items()
        if status in (DONE, PLANNED)
    ]
    parts += [
        f"{count:,} {status}"
        for status in (FAILED, SKIPPED)
        if (count := sum(each.status == status for each in actions))
    ]
    return ", ".join(parts)


def rates_of(sample: Sequence[Sample]) -> dict[str, float]:
    """The speeds that earlier runs have measured."""
    return (
        {name: value for name, value in sample[0].counters.items() if value > 0} if sample else {}
    )
