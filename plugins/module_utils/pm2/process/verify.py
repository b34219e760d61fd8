# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Proves that an instance has come back and stays up: PM2's own word is not enough.

``pm2 restart`` and ``pm2 reload`` succeed even if the app exits right after its start, or never
reports that it is ready.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Callable

from ...core.deadline import DeadlineExceeded
from ...core.errors import RunbookError, Unreachable
from ...core.units import format_duration
from ...logs.last_error import last_error
from ..instance import ONLINE, Instance
from ..liveness import describe_exit, describe_state
from .options import Options

#: Seconds between two checks of an instance.
_POLL = 0.2
#: Bytes at the end of an error log that are searched for the reason of a crash.
_LOG_BYTES = 64 << 10


class NotProven(RunbookError):
    """An instance was told to restart, and did not come back or stay up; the text says why."""


@contextmanager
def answered_within(seconds: float) -> Iterator[None]:
    """Raises `NotProven` if PM2 is lost meanwhile, or does not answer within its time limit.

    ``seconds`` is that limit, for the message.
    """
    try:
        yield
    except Unreachable as reason:
        raise NotProven(f"whether it is back is not known: {reason}") from None
    except DeadlineExceeded:
        raise NotProven(
            f"PM2 did not answer within {format_duration(seconds)}, so whether it is back is not "
            "known"
        ) from None


def require_restarted(options: Options, before: Instance, log_start: int) -> Instance:
    """The instance after its restart; raises `NotProven` unless it is online as a new process.

    ``log_start`` is the size of its error log before the restart.
    """
    return require_new(_find(options, before), before, log_start)


def require_new(now: Instance, before: Instance, log_start: int) -> Instance:
    """An instance after its restart; raises `NotProven` unless it is online as a new process."""
    require_online(now, log_start)
    if now.pid == before.pid:
        raise NotProven(f"it is still process {now.pid}, which PM2 could not stop")
    if now.restarts > before.restarts + 1:
        raise NotProven(_exited_again(now, log_start))
    return now


def require_ready(now: Instance, before: Instance, answered: float, log_start: int) -> None:
    """Raises `NotProven` if PM2 gave up waiting for the app to report that it is ready.

    ``answered`` is when PM2 answered the restart, in seconds since the epoch.
    """
    if not before.wait_ready or not now.started:
        return
    if answered - now.started >= before.listen_timeout:
        raise NotProven(
            "it did not report that it is ready within its listen_timeout of "
            f"{format_duration(before.listen_timeout)}, although PM2 shows it as online"
            f"{last_message(now, log_start)}"
        )


def watch(
    options: Options, started: Instance, log_start: int, report: Callable[[str], None]
) -> Instance:
    """The instance, after it has stayed online as one process for ``stable_for`` seconds.

    Raises `NotProven` as soon as it exits.
    """
    until = time.monotonic() + options.stable_for
    now = started
    while time.monotonic() < until:
        report("watching whether it stays up")
        time.sleep(_POLL)
        now = require_stays_up(options, started, log_start)
    return now


def require_stays_up(options: Options, started: Instance, log_start: int) -> Instance:
    """The instance as it is now; raises `NotProven` unless it is online as the same process."""
    now = _find(options, started)
    require_online(now, log_start)
    if now.pid != started.pid or now.restarts > started.restarts:
        raise NotProven(_exited_again(now, log_start))
    return now


def log_size(path: str) -> int:
    """Size of an error log in bytes; 0 if there is none."""
    try:
        return os.stat(path).st_size
    except OSError:
        return 0


def was_killed(home: str, pid: int, log_start: int) -> bool:
    """Whether PM2 had to kill a process, as its own log says after ``log_start`` bytes."""
    try:
        with open(os.path.join(home, "pm2.log"), "rb") as stream:
            stream.seek(log_start)
            text = stream.read(_LOG_BYTES)
    except OSError:
        return False
    return f"Process with pid {pid} still alive after".encode() in text


def last_message(row: Instance, log_start: int) -> str:
    """The last message in the error log since the restart, as a clause; empty if there is none.

    Only its fingerprint, which is free of secrets.
    """
    try:
        with open(row.error_log, "rb") as stream:
            size = os.fstat(stream.fileno()).st_size
            start = log_start if log_start <= size else 0  # it was rotated meanwhile
            stream.seek(max(start, size - _LOG_BYTES))
            text = stream.read(_LOG_BYTES).decode(errors="replace")
    except (OSError, ValueError):
        return ""
    message = last_error(text, row.log_date_format)
    return f"; its error log ends with '{message}'" if message else ""


def _find(options: Options, wanted: Instance) -> Instance:
    """The instance as it is now; raises `NotProven` if it is gone."""
    key = (wanted.pm_id, wanted.name, wanted.namespace)
    with options.connect() as client:
        for row in client.instances():
            if (row.pm_id, row.name, row.namespace) == key:
                return row
    raise NotProven("it is no longer in PM2's list: someone else has removed it")


def require_online(now: Instance, log_start: int) -> None:
    if now.status != ONLINE or not now.pid:
        raise NotProven(f"it {describe_state(now)}{last_message(now, log_start)}")


def _exited_again(now: Instance, log_start: int) -> str:
    return f"it exited again soon after its start{describe_exit(now)}{last_message(now, log_start)}"
