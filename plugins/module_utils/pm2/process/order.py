# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An order to PM2's daemon, and what becomes of the instance while it is carried out."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Callable, Optional

from ...core.parallel import ParallelCalls
from ...core.units import format_duration
from ..instance import LAUNCHING, ONLINE, Instance
from .options import Options
from .verify import NotProven, answered_within, last_message

#: Seconds between two checks of the instance.
_POLL = 0.1

#: Finds the instance that the order is about among all of them; none if it is not there yet.
Find = Callable[[list[Instance]], Optional[Instance]]


@dataclass(frozen=True)
class Seen:
    """The instance as it was last seen, and how long it took to be ready."""

    instance: Instance | None = None
    ready_after: float | None = None
    """Seconds from its start until PM2 called it online, at most; none while it is starting."""


def carry_out(
    options: Options,
    order: tuple[str, Any],
    extra_seconds: float,
    find: Find,
    report: Callable[[], None],
    until_it_ends: bool = False,
) -> Seen:
    """Give PM2 an order, and watch the instance until PM2 answers; what was seen last.

    With ``until_it_ends``, an instance that has ended ends the wait too: PM2 5 and 6 never answer
    if a worker ends before it is online. Raises `NotProven` if PM2 does not answer in time.
    """
    calls: ParallelCalls[str] = ParallelCalls()
    seen = Seen()
    limit, connect = options.timeout + extra_seconds, options.connect
    with answered_within(limit), connect(extra_seconds) as acting, connect(extra_seconds) as other:
        calls.start("order", lambda: acting.call(*order))
        while calls.next(_POLL) is None:
            report()
            seen = _look(other.instances(), find, seen)
            is_up = seen.instance is None or seen.instance.status in (ONLINE, LAUNCHING)
            if until_it_ends and not is_up:
                return seen
        return _look(other.instances(), find, seen)


def _look(rows: list[Instance], find: Find, seen: Seen) -> Seen:
    found = find(rows)
    if found is None:
        return Seen()
    same = seen.instance is not None and seen.instance.pid == found.pid
    ready = seen.ready_after if same else None
    if ready is None and found.status == ONLINE and found.started:
        ready = time.time() - found.started
    return Seen(found, ready)


def require_ready(seen: Seen, log_start: int) -> None:
    """Raises `NotProven` if PM2 gave up waiting for the app to report that it is ready."""
    row, ready = seen.instance, seen.ready_after
    if row is None or not row.wait_ready or ready is None or ready < row.listen_timeout:
        return
    raise NotProven(
        "it did not report that it is ready within its listen_timeout of "
        f"{format_duration(row.listen_timeout)}, although PM2 shows it as online"
        f"{last_message(row, log_start)}"
    )


def reload_order(row: Instance, request: Mapping[str, Any]) -> tuple[str, Any]:
    """The order to reload an instance; PM2 restarts it if it is not a cluster instance online."""
    return "reloadProcessId", {"id": row.pm_id, **request}
