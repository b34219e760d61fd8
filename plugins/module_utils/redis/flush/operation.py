# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Inspects what is in Redis, and removes it if that is safe and confirmed."""

from __future__ import annotations

import time
from collections.abc import Sequence

from ...core.check import CRITICAL, DONE, FAILED, OK, PLANNED, WARNING, Action, Check
from ...core.deadline import Deadline, DeadlineExceeded
from ...core.errors import RunbookError
from ...core.operation import Outcome
from ...core.progress import ProgressCallback
from ...core.thresholds import Thresholds
from ...core.units import format_value, pluralize
from ..errors import CommandRefused
from ..exclusive import take_turn
from ..server import Server
from .apply import remove
from .collect import collect, not_offered, reporter
from .dump import room_for_dump, write_dump
from .nodes import find_nodes
from .options import Options
from .plan import Snapshot, refusals, unconfirmed

CONTENTS, FLUSH, DUMP = "redis.contents", "redis.flush", "redis.dump"


def run(
    options: Options, thresholds: Thresholds, check_mode: bool, report: ProgressCallback
) -> Outcome:
    """List or flush; never raises because of the server."""
    opened = [Server(options.endpoint, options.timeout)]
    outcome = Outcome(results={"keys": None, "removed": 0, "dump": ""})
    try:
        nodes, obstacle = _nodes(opened, options.state == "flushed" and not check_mode)
        obstacle = obstacle or not_offered(nodes, options)
        snapshot = collect(nodes, obstacle, options, report)
        outcome.results["keys"] = snapshot.keys
        outcome.checks.append(_contents(snapshot, options, thresholds))
        if options.state == "flushed":
            _flush(nodes, snapshot, options, thresholds, check_mode, report, outcome)
    except RunbookError as error:
        outcome.problem = outcome.problem or f"Nothing was removed: {error}. {error.remedy}".strip()
        if not outcome.checks:
            # One that refuses a command can be reached.
            name = CONTENTS if isinstance(error, CommandRefused) else "redis.reachable"
            check = thresholds.verdict(name, CRITICAL, str(error), remedy=error.remedy)
            outcome.checks.append(check)
    finally:
        for server in opened:
            server.close()
    return outcome


def _nodes(opened: list[Server], alone: bool) -> tuple[list[Server], str]:
    """The servers with the keys, and why these must not be removed, if so.

    With ``alone``, no other run changes any of them from now on. All connections are in ``opened``.
    """
    asked = opened[0]
    if alone:
        take_turn(asked, FLUSH)
    nodes, obstacle = find_nodes(asked)
    for server in nodes:
        if server is not asked:
            opened.append(server)
            if alone:
                take_turn(server, FLUSH)
    return nodes, obstacle


def _contents(snapshot: Snapshot, options: Options, thresholds: Thresholds) -> Check:
    text = f"{pluralize(snapshot.keys, 'key')} in {options.what}{snapshot.where}"
    if not snapshot.inventory.complete:
        text += f", of which {snapshot.inventory.keys:,} were inspected"
    reasons = refusals(snapshot, options)
    if reasons:
        text += f"; a flush is refused: {'; '.join(reasons)}"
    return thresholds.verdict(
        CONTENTS, OK, text, value=snapshot.keys, evidence=snapshot.inventory.rows()
    )


def _nothing(options: Options, thresholds: Thresholds) -> Check:
    """There is no key to remove, although some may have been confirmed."""
    text = f"No key in {options.what}"
    if not options.confirm:
        return thresholds.verdict(FLUSH, OK, text, value=0)
    return thresholds.verdict(
        FLUSH,
        WARNING,
        f"{text}, although {options.confirm:,} were confirmed",
        value=0,
        remedy="If they are not removed already, check the prefix, the database and the server: "
        "they are elsewhere.",
    )


def _flush(
    nodes: Sequence[Server],
    snapshot: Snapshot,
    options: Options,
    thresholds: Thresholds,
    check_mode: bool,
    report: ProgressCallback,
    outcome: Outcome,
) -> None:
    if not snapshot.keys:
        outcome.checks.append(_nothing(options, thresholds))
        return
    reasons = refusals(snapshot, options)
    if options.dump_dir:
        reasons.append(room_for_dump(options.dump_dir, snapshot.used))
    if not check_mode or options.confirm is not None:
        reasons.append(unconfirmed(snapshot.keys, options))
    reasons = [reason for reason in reasons if reason]
    if reasons:
        outcome.problem = f"Nothing was removed: {'; '.join(reasons)}"
        check = thresholds.verdict(FLUSH, CRITICAL, outcome.problem, value=snapshot.keys)
        outcome.checks.append(check)
        return
    if check_mode:
        outcome.actions = _planned(snapshot, options)
        return
    if options.dump_dir and not _dump(nodes[0], options, outcome):
        return
    remove(
        nodes,
        snapshot,
        options,
        thresholds,
        reporter(report, "removing keys", snapshot.keys),
        outcome,
    )


def _planned(snapshot: Snapshot, options: Options) -> list[Action]:
    actions = []
    if options.dump_dir:
        size = format_value(snapshot.used, "bytes")
        actions.append(
            Action(DUMP, PLANNED, f"all data, up to {size}, to {options.dump_dir}", "Redis")
        )
    replicas = snapshot.info.get("connected_slaves", 0)
    reason = pluralize(snapshot.keys, "key") + snapshot.where
    if replicas and not snapshot.nodes:
        reason += f", on {pluralize(replicas, 'replica')} as well"
    before = snapshot.before
    return [*actions, Action(FLUSH, PLANNED, reason, options.what, before=before)]


def _dump(server: Server, options: Options, outcome: Outcome) -> bool:
    """Whether the dump is there; else the outcome says why, and nothing may be removed."""
    started = time.monotonic()
    try:
        path = write_dump(server, str(options.dump_dir), Deadline(options.time_limit))
    except (RunbookError, OSError, DeadlineExceeded) as error:
        reason = str(error) or "no complete dump within time_limit"
        outcome.actions.append(Action(DUMP, FAILED, reason, "Redis"))
        outcome.problem = f"Nothing was removed: no dump, {reason}"
        return False
    with open(path, "rb") as stream:
        size = stream.seek(0, 2)
    outcome.results["dump"] = path
    reason = f"{path}; to go back, stop Redis and put it in place of its RDB file"
    seconds = round(time.monotonic() - started, 3)
    action = Action(DUMP, DONE, reason, "Redis", after=path, seconds=seconds, bytes=size)
    outcome.actions.append(action)
    return True
