# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Removes keys: all of a database at once, or those with a prefix in small steps."""

from __future__ import annotations

import time
from collections.abc import Sequence
from functools import partial
from typing import Any, Callable

from ...core.check import CRITICAL, DONE, FAILED, OK, WARNING, Action, Check
from ...core.deadline import Deadline, DeadlineExceeded
from ...core.errors import Refused, RunbookError
from ...core.operation import Outcome
from ...core.thresholds import Thresholds
from ...core.units import format_value, pluralize
from ..connection import redis
from ..server import Server
from .inventory import scan
from .options import Options
from .plan import Snapshot, unconfirmed

FLUSH = "redis.flush"


def remove(
    server: Server,
    snapshot: Snapshot,
    options: Options,
    thresholds: Thresholds,
    report: Callable[[int], None],
    outcome: Outcome,
) -> None:
    """Remove the keys, and add action and check to the outcome."""
    started = time.monotonic()
    removed = [0]
    problem, remedy, answered = _remove(server, snapshot, options, report, removed)
    left = _left(server, options)
    what = pluralize(snapshot.keys, "key")
    if not answered and not options.prefix:  # the server may have done it all the same
        removed[0] = 0 if left is None else max(0, snapshot.keys - left)
    text = f"{removed[0]:,} of {what} removed"
    if not answered and left is None:
        text = f"whether {what} were removed is not known"
    outcome.results["removed"] = removed[0]
    outcome.actions.append(
        Action(
            FLUSH,
            FAILED if problem else DONE,
            f"{text}: {problem}" if problem else text,
            options.what,
            before={"keys": snapshot.keys},
            after={"keys": left},
            seconds=round(time.monotonic() - started, 3),
            bytes=_freed(server, snapshot),
        )
    )
    outcome.checks.append(_verdict(removed[0], options, thresholds, problem, remedy, left))
    if problem:
        outcome.problem = f"{outcome.actions[-1].reason}. {remedy}".strip()


def _remove(
    server: Server,
    snapshot: Snapshot,
    options: Options,
    report: Callable[[int], None],
    removed: list[int],
) -> tuple[str, str, bool]:
    """Why not all were removed, its remedy, and whether the server has answered."""
    try:
        if options.prefix:
            _unlink(server, options, removed, report)
        else:
            removed[0] = _flush(server, snapshot, options)
    except RunbookError as error:
        return str(error), error.remedy, isinstance(error, Refused)
    except DeadlineExceeded:
        limit = format_value(options.time_limit, "seconds")
        remedy = "Run it again for the rest, with the number of keys that are left."
        return f"time_limit ({limit}) has passed", remedy, True
    return "", "", True


def _flush(server: Server, snapshot: Snapshot, options: Options) -> int:
    """Remove all keys, if there are still as many as confirmed."""
    info = server.info()
    own = options.endpoint.database
    counts = {name: row["keys"] for name, row in info.items() if _is_database(name)}
    keys = sum(counts.values()) if options.all_databases else counts.get(f"db{own}", 0)
    if info.get("role") == "slave":
        raise Refused(f"{server.endpoint.address} has become a replica since it was inspected")
    wrong = unconfirmed(keys, options)
    if wrong:
        raise Refused(wrong)
    if options.all_databases:
        server.ask("FLUSHALL", lambda client: client.flushall(asynchronous=True))
    else:
        server.ask("FLUSHDB", lambda client: client.flushdb(asynchronous=True))
    return int(keys)


def _is_database(name: str) -> bool:
    return name.startswith("db") and name[2:].isdigit()


def _unlink(
    server: Server, options: Options, removed: list[int], report: Callable[[int], None]
) -> None:
    deadline = Deadline(options.time_limit)
    own = options.endpoint.database
    for keys in scan(server, own, options.prefix, deadline):
        for at in range(0, len(keys), options.batch):
            deadline.remaining()
            some = keys[at : at + options.batch]
            if removed[0] + len(some) > options.most:
                raise Refused(
                    f"there are more such keys than the {options.confirm:,} that were confirmed: "
                    "others are writing them all the time",
                    "Stop what writes them first, then look again.",
                )
            removed[0] += server.ask_keys("UNLINK", partial(_unlink_these, some))
            report(removed[0])
            time.sleep(options.pause)


def _unlink_these(keys: Sequence[bytes], raw: redis.Redis) -> int:
    return int(raw.unlink(*keys))


def _left(server: Server, options: Options) -> int | None:
    """Keys that are there now; none if the server does not say in time."""
    try:
        if options.prefix:
            deadline = Deadline(options.time_limit)
            return sum(
                len(keys)
                for keys in scan(server, options.endpoint.database, options.prefix, deadline)
            )
        counts: dict[str, Any] = dict(server.info())
    except (RunbookError, DeadlineExceeded):
        return None
    wanted = None if options.all_databases else f"db{options.endpoint.database}"
    return sum(
        row["keys"] for name, row in counts.items() if _is_database(name) and wanted in (None, name)
    )


def _freed(server: Server, snapshot: Snapshot) -> int | None:
    """Bytes that are free now; the server gives memory back in the background."""
    try:
        return max(0, int(snapshot.info["used_memory"] - server.info()["used_memory"]))
    except (RunbookError, KeyError):
        return None


def _verdict(
    removed: int,
    options: Options,
    thresholds: Thresholds,
    problem: str,
    remedy: str,
    left: int | None,
) -> Check:
    if problem:
        text = f"Not all keys in {options.what} were removed: {problem}"
        return thresholds.verdict(FLUSH, CRITICAL, text, value=left, remedy=remedy)
    text = f"{pluralize(removed, 'key')} removed from {options.what}"
    if left is None:
        text += ", whether any are left is not known, as the server does not say"
        return thresholds.verdict(FLUSH, WARNING, text)
    if left:
        text += f"; {pluralize(left, 'key')} written since"
    return thresholds.verdict(FLUSH, OK, text, value=left)
