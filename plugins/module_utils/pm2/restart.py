# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Restarting an app under PM2, one instance after the other, each proven to stay up before the next has its turn."""

from __future__ import annotations

import fcntl
import os
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from typing import Callable

from ..core.check import CRITICAL, DONE, FAILED, PLANNED, SKIPPED, Action, Check
from ..core.deadline import Deadline, DeadlineExceeded
from ..core.errors import UsageError
from ..core.operation import Outcome
from ..core.progress import Report, at_work, progress
from ..core.state import Delta
from ..core.thresholds import Thresholds
from ..core.units import format_duration, format_value, pluralize
from ..logs.parse import LineReader, messages, shape
from .assess import Look, Seen, absent, exit_words, process, silent, state_words, unavailable
from .client import (
    LAUNCHING,
    ONLINE,
    STOPPING,
    WAITING,
    App,
    Client,
    Instance,
    Unavailable,
    applications,
    daemon_pid,
)
from .collect import Frozen, observe

RESTART = "app.restart"
#: Seconds after which no further instance is begun.
LONGEST = 3600.0
#: Seconds between two looks at an instance that has been started.
_POLL = 0.2
#: Bytes at the end of an error log that are searched for why an instance did not stay up.
_LOG_BYTES = 64 << 10
#: Milliseconds for which PM2 itself takes its file reload.lock for a reload that is under way (RELOAD_LOCK_TIMEOUT).
_RELOAD_MS = 30_000


@dataclass(frozen=True)
class Order:
    """What is asked for."""

    home: str
    name: str
    state: str = "restarted"
    """``started`` leaves alone what is online."""
    namespace: str | None = None
    stable_for: float = 5.0
    """Seconds for which an instance has to stay up before it counts as restarted."""
    timeout: float = 30.0
    """Seconds within which PM2 has to answer, the times not counted that it gives the app to end and to start."""

    def check(self) -> None:
        if not self.name:
            raise UsageError("name: needs the name of an app in PM2's list")
        if not 0 <= self.stable_for <= 600:
            raise UsageError(
                f"stable_for: {self.stable_for:g} is not a number of seconds from 0 to 600"
            )
        if not 0 < self.timeout <= 3600:
            raise UsageError(
                f"timeout: {self.timeout:g} is not a number of seconds above 0 and up to 3600"
            )

    def client(self, seconds: float = 0.0) -> Client:
        """A connection for questions that PM2 may take so many seconds longer to answer."""
        return Client(self.home, Deadline(self.timeout + seconds))


class Declined(Exception):
    """Nothing was begun; the check says why, and what to do."""

    def __init__(self, check: Check) -> None:
        super().__init__(check.summary)
        self.check = check


def planned(order: Order, thresholds: Thresholds) -> Outcome:
    """The restarts that `restarted` would carry out."""
    order.check()
    try:
        app, seen = inspect(order, thresholds)
    except Declined as reason:
        return _declined(reason)
    return Outcome([_verdict(app, seen, thresholds)], make_plan(app, order.state, seen.moment))


def restarted(order: Order, thresholds: Thresholds, report: Report) -> Outcome:
    """Restart the instances one by one. The first one that does not stay up is the last one that is touched."""
    order.check()
    try:
        with exclusive(order, thresholds):
            app, seen = inspect(order, thresholds)
            actions = apply(order, app, make_plan(app, order.state, seen.moment), report)
    except Declined as reason:
        return _declined(reason)
    problem = _problem(actions)
    try:
        app, seen = inspect(order, thresholds, busy=True)
        check = _verdict(app, seen, thresholds)
    except Declined as reason:
        check, problem = reason.check, problem or str(reason)
    return Outcome([check], actions, problem)


# --- look ---------------------------------------------------------------------------------------------------------


def inspect(order: Order, thresholds: Thresholds, busy: bool = False) -> tuple[App, Seen]:
    """The app, and everything PM2 has in its list. Raises `Declined` where it cannot be restarted.

    ``busy`` also takes an app that somebody is starting or stopping.
    """
    try:
        with order.client() as client:
            seen = observe(client, [order.name], Deadline(order.timeout))
    except Unavailable as reason:
        raise Declined(unavailable(reason, order.home, order.name, thresholds)) from None
    except (Frozen, DeadlineExceeded):
        raise Declined(
            silent(daemon_pid(order.home), order.home, order.timeout, order.name, thresholds)
        ) from None
    found = [app for app in applications(seen.instances, order.namespace) if app.name == order.name]
    if not found:
        raise Declined(absent(order.name, seen, thresholds))
    if len(found) > 1:
        raise UsageError(
            f"namespace: {order.name} is in several namespaces, name one of them: {', '.join(app.namespace for app in found)}"
        )
    if not busy:
        _nobody_else(order, found[0], thresholds)
    return found[0], seen


def _nobody_else(order: Order, app: App, thresholds: Thresholds) -> None:
    """Make sure that nobody else is starting, stopping or reloading the app."""
    words = [
        f"id {row.pm_id} is {row.status}"
        for row in app.instances
        if row.status in (LAUNCHING, STOPPING)
    ]
    if len({row.pm_id for row in app.instances}) < len(
        app.instances
    ):  # PM2 keeps the old process beside the new one until that is ready
        words.append("PM2 is reloading it")
    with suppress(OSError, ValueError), open(os.path.join(order.home, "reload.lock")) as stream:
        age = time.time() * 1000 - int(stream.read(20))
        if 0 <= age < _RELOAD_MS:
            words.append(f"a 'pm2 reload' was begun {format_duration(age / 1000)} ago")
    if words:
        raise Declined(
            _busy(
                app.label,
                f"somebody else is restarting {app.label}: {'; '.join(words)}",
                thresholds,
            )
        )


def _busy(subject: str, summary: str, thresholds: Thresholds) -> Check:
    return thresholds.verdict(
        "app.process",
        CRITICAL,
        summary,
        subject=subject,
        remedy="Wait until it is through, then look again.",
    )


@contextmanager
def exclusive(order: Order, thresholds: Thresholds) -> Iterator[None]:
    """Keep other runs of this collection from the apps of this PM2. The lock is on PM2's folder and ends with the process, however it ends."""
    try:
        folder = os.open(order.home, os.O_RDONLY | os.O_DIRECTORY)
    except OSError:
        yield  # asking PM2 tells the reason
        return
    try:
        try:
            fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            holder = _holder(folder)
            who = f", process {holder}" if holder else ""
            raise Declined(
                _busy(
                    order.name,
                    f"another run{who} is restarting apps of the PM2 in {order.home}",
                    thresholds,
                )
            ) from None
        yield
    finally:
        os.close(folder)


def _holder(folder: int) -> int:
    """The process that has locked a folder; 0 where the kernel does not say."""
    inode = str(os.fstat(folder).st_ino)
    with suppress(OSError), open("/proc/locks") as stream:
        for line in stream:
            fields = line.split()
            if fields[1:2] == ["FLOCK"] and fields[5].rpartition(":")[2] == inode:
                return int(fields[4])
    return 0


# --- plan ---------------------------------------------------------------------------------------------------------


def order_of(app: App, state: str) -> list[Instance]:
    """The instances in the order in which they are restarted: those that serve nobody come first, and show whether the app starts at all.

    What rests until cron starts it is left out: each of its runs is a new process.
    """
    due = [
        row
        for row in app.instances
        if not row.between_runs and (state == "restarted" or row.status != ONLINE)
    ]
    return sorted(due, key=lambda row: (row.status == ONLINE, row.pm_id))


def make_plan(app: App, state: str, now: float) -> list[Action]:
    """One action for each instance; pure."""
    outage = (
        "; nothing else serves until it is back" if len(app.instances) == 1 and app.online else ""
    )
    return [
        Action(
            RESTART,
            PLANNED,
            f"{_words(row, now)}{outage}",
            subject=f"{app.label} id {row.pm_id}",
            before=f"process {row.pid}" if row.pid else row.status,
        )
        for row in order_of(app, state)
    ]


def _words(row: Instance, now: float) -> str:
    if row.status != ONLINE:
        return f"it {state_words(row)}"
    age = f"online for {format_duration(max(0.0, now - row.started))}" if row.started else "online"
    memory = f", {format_value(row.memory, 'bytes')}" if row.memory else ""
    restarts = (
        f"restarted {pluralize(row.restarts, 'time')} so far" if row.restarts else "never restarted"
    )
    return f"{age}{memory}, {restarts}"


# --- apply --------------------------------------------------------------------------------------------------------


def apply(order: Order, app: App, plan: Sequence[Action], report: Report) -> list[Action]:
    """Carry out a plan of `make_plan`."""
    actions: list[Action] = []
    end = time.monotonic() + LONGEST
    stop = ""
    for number, (action, row) in enumerate(zip(plan, order_of(app, order.state))):
        stop = stop or ("the run has taken too long" if time.monotonic() > end else "")
        if stop:
            actions.append(replace(action, status=SKIPPED, reason=f"left as it was: {stop}"))
            continue
        started = time.monotonic()

        def say(
            phase: str, done: int = number, what: str = action.subject, started: float = started
        ) -> None:
            report(progress(done, len(plan), [at_work(what, time.monotonic() - started, phase)]))

        try:
            after = f"process {restart(order, row, say).pid}"
            actions.append(
                replace(
                    action, status=DONE, after=after, seconds=round(time.monotonic() - started, 1)
                )
            )
        except Unproven as reason:
            actions.append(
                replace(
                    action,
                    status=FAILED,
                    reason=str(reason),
                    seconds=round(time.monotonic() - started, 1),
                )
            )
            stop = f"{action.subject} did not come back"
    return actions


class Unproven(Exception):
    """An instance was told to restart, and it did not or does not stay up; the text says how that showed."""


def restart(order: Order, row: Instance, say: Callable[[str], None]) -> Instance:
    """Restart one instance, and watch it for as long as it has to stay up."""
    logged = _size(row.error_log)
    say("restarting")
    try:
        with order.client(row.kill_timeout + row.listen_timeout) as client:
            if row.status == WAITING:
                client.call(
                    "stopProcessId", row.pm_id
                )  # or PM2's own restart would follow, when its delay is over
            client.call("restartProcessId", {"id": row.pm_id})
            answered = time.time()
        first = _find(order, row)
        _up(row, first, logged)
        if row.wait_ready and first.started and answered - first.started >= row.listen_timeout:
            late = f"it did not say that it is ready within its listen_timeout of {format_duration(row.listen_timeout)}"
            raise Unproven(f"{late}, and PM2 takes it for online all the same{_why(row, logged)}")
        until = time.monotonic() + order.stable_for
        now = first
        while time.monotonic() < until:
            say("watching whether it stays up")
            time.sleep(_POLL)
            now = _find(order, row)
            _up(first, now, logged, since=first)
    except Unavailable as reason:
        raise Unproven(f"whether it is back is not known: {reason}") from None
    except DeadlineExceeded:
        raise Unproven(
            f"PM2 gave no answer within {format_duration(order.timeout + row.kill_timeout + row.listen_timeout)}, so whether it is back is not known"
        ) from None
    return now


def _find(order: Order, row: Instance) -> Instance:
    with order.client() as client:
        found = [
            each
            for each in client.instances()
            if (each.pm_id, each.name, each.namespace) == (row.pm_id, row.name, row.namespace)
        ]
    if not found:
        raise Unproven("it is no longer in PM2's list: somebody else has removed it")
    return found[0]


def _up(before: Instance, now: Instance, logged: int, since: Instance | None = None) -> None:
    """Raise `Unproven` unless an instance is up: as a process other than before, or as the same one ``since`` it was started."""
    if now.status != ONLINE or not now.pid:
        raise Unproven(f"it {state_words(now)}{_why(now, logged)}")
    if since is None:
        if now.pid == before.pid:
            raise Unproven(f"it is still process {now.pid}, which PM2 could not end")
        again = now.restarts - before.restarts > 1
    else:
        again = now.pid != since.pid or now.restarts > since.restarts
    if again:
        raise Unproven(f"it exited again soon after its start{exit_words(now)}{_why(now, logged)}")


def _size(path: str) -> int:
    try:
        return os.stat(path).st_size
    except OSError:
        return 0


def _why(row: Instance, logged: int) -> str:
    """The last message in the error log since the restart, as its shape, which is free of secrets."""
    try:
        with open(row.error_log, "rb") as stream:
            size = os.fstat(stream.fileno()).st_size
            stream.seek(max(logged if logged <= size else 0, size - _LOG_BYTES))
            lines = stream.read(_LOG_BYTES).decode(errors="replace").splitlines()
    except (OSError, ValueError):
        return ""
    reader = LineReader(row.log_date_format, time.time())
    said = [
        record.text
        for record in messages(record for line in lines for record in reader.records(line))
        if record.error is not False and record.text.strip()
    ]
    return f"; its error log ends with '{shape(said[-1])}'" if said else ""


# --- words --------------------------------------------------------------------------------------------------------


def _verdict(app: App, seen: Seen, thresholds: Thresholds) -> Check:
    return process(Look(app, seen, Delta({}, "", 0.0, False)), thresholds)


def _declined(reason: Declined) -> Outcome:
    remedy = f". {reason.check.remedy}" if reason.check.remedy else ""
    return Outcome([reason.check], problem=f"Nothing was restarted: {reason.check.summary}{remedy}")


def _problem(actions: Sequence[Action]) -> str:
    """Why the task fails: an instance that did not come back, or some whose turn never came."""
    found = Counter(action.status for action in actions)
    failed = next((action for action in actions if action.status == FAILED), None)
    left = (
        f", {found[SKIPPED]} left as {'it was' if found[SKIPPED] == 1 else 'they were'}"
        if found[SKIPPED]
        else ""
    )
    words = f"{found[DONE]} of {pluralize(sum(found.values()), 'instance')} restarted{left}. "
    if failed:
        return f"{words}{failed.subject}: {failed.reason}. Read its error log; if the app was deployed lately, roll that back."
    return f"{words}The run has taken too long; start it again for the rest." if left else ""
