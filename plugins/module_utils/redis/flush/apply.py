# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Removes keys: all of a database at once, or those with a prefix in small steps."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
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
from .nodes import count
from .options import Options
from .plan import Snapshot, unconfirmed

FLUSH = "redis.flush"


def remove(
    nodes: Sequence[Server],
    snapshot: Snapshot,
    options: Options,
    thresholds: Thresholds,
    report: Callable[[int], None],
    outcome: Outcome,
) -> None:
    """Remove the keys, and add action and check to the outcome."""
    started = time.monotonic()
    removed = [0]
    problem, remedy, answered = _remove(nodes, snapshot, options, report, removed)
    left = _left(nodes, options)
    total = _sum(left)
    what = pluralize(snapshot.keys, "key")
    if not answered and not options.prefix:  # the server may have done it all the same
        removed[0] = 0 if total is None else max(0, snapshot.keys - total)
    text = f"{removed[0]:,} of {what} removed{snapshot.where}"
    if not answered and total is None:
        text = f"whether {what} were removed is not known"
    outcome.results["removed"] = removed[0]
    outcome.actions.append(
        Action(
            FLUSH,
            FAILED if problem else DONE,
            f"{text}: {problem}" if problem else text,
            options.what,
            before=snapshot.before,
            after={"keys": total, **({"nodes": left} if snapshot.nodes else {})},
            seconds=round(time.monotonic() - started, 3),
            bytes=_freed(nodes, snapshot),
        )
    )
    check = _verdict(removed[0], options, thresholds, problem, remedy, total)
    outcome.checks.append(replace(check, evidence=tuple(_rows(snapshot, left))))
    if problem:
        outcome.problem = f"{outcome.actions[-1].reason}. {remedy}".strip()


def _rows(snapshot: Snapshot, left: Mapping[str, int | None]) -> list[dict[str, Any]]:
    """The keys of each node of a cluster."""
    return [
        {"node": node, "keys before": keys, "keys left": left.get(node)}
        for node, keys in snapshot.nodes.items()
    ]


def _remove(
    nodes: Sequence[Server],
    snapshot: Snapshot,
    options: Options,
    report: Callable[[int], None],
    removed: list[int],
) -> tuple[str, str, bool]:
    """Why not all were removed, its remedy, and whether the server has answered."""
    try:
        if options.prefix:
            deadline = Deadline(options.time_limit)
            for server in nodes:
                _unlink(server, bool(snapshot.nodes), options, deadline, removed, report)
        else:
            _flush(nodes, options, removed)
    except RunbookError as error:
        return str(error), error.remedy, isinstance(error, Refused)
    except DeadlineExceeded:
        limit = format_value(options.time_limit, "seconds")
        remedy = "Run it again for the rest, with the number of keys that are left."
        return f"time_limit ({limit}) has passed", remedy, True
    return "", "", True


def _flush(nodes: Sequence[Server], options: Options, removed: list[int]) -> None:
    """Remove all keys, if there are still as many as confirmed."""
    keys = []
    for server in nodes:
        info = server.info()
        if info.get("role") == "slave":
            raise Refused(f"{server.endpoint.address} has become a replica since it was inspected")
        keys.append(count(info, options))
    wrong = unconfirmed(sum(keys), options)
    if wrong:
        raise Refused(wrong)
    for server, number in zip(nodes, keys):
        if options.all_databases:
            server.ask("FLUSHALL", lambda client: client.flushall(asynchronous=True))
        else:
            server.ask("FLUSHDB", lambda client: client.flushdb(asynchronous=True))
        removed[0] += number


def _unlink(
    server: Server,
    clustered: bool,
    options: Options,
    deadline: Deadline,
    removed: list[int],
    report: Callable[[int], None],
) -> None:
    for keys in scan(server, options.endpoint.database, options.prefix, deadline):
        for at in range(0, len(keys), options.batch):
            deadline.remaining()
            some = keys[at : at + options.batch]
            if removed[0] + len(some) > options.most:
                raise Refused(
                    f"there are more such keys than the {options.confirm:,} that were confirmed: "
                    "others are writing them all the time",
                    "Stop what writes them first, then look again.",
                )
            run = _unlink_each if clustered else _unlink_these
            gone, refusal = server.ask_keys("UNLINK", partial(run, some))
            removed[0] += gone
            if refusal is not None:
                raise server.explained(refusal, "UNLINK")
            report(removed[0])
            time.sleep(options.pause)


def _unlink_these(keys: Sequence[bytes], raw: redis.Redis) -> tuple[int, Exception | None]:
    return int(raw.unlink(*keys)), None


def _unlink_each(keys: Sequence[bytes], raw: redis.Redis) -> tuple[int, Exception | None]:
    """How many were removed, and the first refusal. One command may not name several slots."""
    pipeline = raw.pipeline(transaction=False)
    for key in keys:
        pipeline.unlink(key)
    answers = pipeline.execute(raise_on_error=False)
    refusals = [each for each in answers if isinstance(each, Exception)]
    gone = sum(each for each in answers if isinstance(each, int))
    return gone, refusals[0] if refusals else None


def _left(nodes: Sequence[Server], options: Options) -> dict[str, int | None]:
    """Keys that are there now, by address; none if a server does not say in time."""
    deadline = Deadline(options.time_limit)
    found: dict[str, int | None] = {}
    for server in nodes:
        address = server.endpoint.address
        try:
            if options.prefix:
                steps = scan(server, options.endpoint.database, options.prefix, deadline)
                found[address] = sum(len(keys) for keys in steps)
            else:
                found[address] = count(server.info(), options)
        except (RunbookError, DeadlineExceeded):
            found[address] = None
    return found


def _sum(left: Mapping[str, int | None]) -> int | None:
    known = [keys for keys in left.values() if keys is not None]
    return sum(known) if len(known) == len(left) else None


def _freed(nodes: Sequence[Server], snapshot: Snapshot) -> int | None:
    """Bytes that are free now; the server gives memory back in the background."""
    try:
        used = sum(server.info()["used_memory"] for server in nodes)
    except (RunbookError, KeyError):
        return None
    return max(0, int(snapshot.used - used))


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
