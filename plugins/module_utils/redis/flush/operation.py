# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Inspects what is in Redis, and removes it if that is safe and confirmed."""

from __future__ import annotations

import time
from typing import Callable

from ...core.check import CRITICAL, DONE, FAILED, OK, PLANNED, Action, Check
from ...core.deadline import Deadline, DeadlineExceeded
from ...core.errors import Refused, RunbookError
from ...core.operation import Outcome
from ...core.progress import ProgressCallback, progress, running_item
from ...core.thresholds import Thresholds
from ...core.units import format_value, pluralize
from ..exclusive import take_turn
from ..server import Server
from .apply import remove
from .dump import room_for_dump, write_dump
from .inventory import take_inventory
from .options import Options
from .plan import Snapshot, refusals, unconfirmed

CONTENTS, FLUSH, DUMP = "redis.contents", "redis.flush", "redis.dump"


def run(
    options: Options, thresholds: Thresholds, check_mode: bool, report: ProgressCallback
) -> Outcome:
    """List or flush; never raises because of the server."""
    server = Server(options.endpoint, options.timeout)
    outcome = Outcome(results={"keys": None, "removed": 0, "dump": ""})
    try:
        if options.state == "flushed" and not check_mode:
            take_turn(server, FLUSH)
        snapshot = _collect(server, options, report)
        outcome.results["keys"] = snapshot.keys
        outcome.checks.append(_contents(snapshot, options, thresholds))
        if options.state == "flushed":
            _flush(server, snapshot, options, thresholds, check_mode, report, outcome)
    except RunbookError as error:
        outcome.problem = outcome.problem or f"Nothing was removed: {error}. {error.remedy}".strip()
        if not outcome.checks:
            check = thresholds.verdict("redis.reachable", CRITICAL, str(error), remedy=error.remedy)
            outcome.checks.append(check)
    finally:
        server.close()
    return outcome


def _collect(server: Server, options: Options, report: ProgressCallback) -> Snapshot:
    info = server.info()
    counts = {
        int(name[2:]): row["keys"]
        for name, row in info.items()
        if name.startswith("db") and name[2:].isdigit()
    }
    own = options.endpoint.database
    databases = sorted(counts) if options.all_databases else [own]
    in_scope = sum(counts.get(number, 0) for number in databases)
    inventory = take_inventory(
        server,
        databases,
        options.prefix,
        options.sample,
        in_scope,
        Deadline(options.time_limit),
        _reporter(report, "inspecting keys", in_scope),
    )
    keys = inventory.keys if options.prefix else in_scope
    primaries = _primaries(server) if info.get("cluster_enabled") else 0
    return Snapshot(info, inventory, keys, sum(counts.values()), primaries, counts)


def _reporter(report: ProgressCallback, phase: str, total: int) -> Callable[[int], None]:
    started = time.monotonic()
    last = [started]

    def tell(done: int) -> None:
        now = time.monotonic()
        if now - last[0] >= 1:
            last[0] = now
            share = min(1.0, done / total) if total else None
            report(progress(0, 1, [running_item("redis", now - started, phase, share)]))

    return tell


def _primaries(server: Server) -> int:
    """Primaries of the cluster that have slots; 1 if the server does not say."""
    try:
        nodes = server.ask("CLUSTER NODES", lambda client: client.execute_command("CLUSTER NODES"))
    except Refused:
        return 1
    flags = [node["flags"] for node in nodes.values()] if isinstance(nodes, dict) else []
    return max(1, sum("master" in each for each in flags))


def _contents(snapshot: Snapshot, options: Options, thresholds: Thresholds) -> Check:
    text = f"{pluralize(snapshot.keys, 'key')} in {options.what}"
    if not snapshot.inventory.complete:
        text += f", of which {snapshot.inventory.keys:,} were inspected"
    reasons = refusals(snapshot, options)
    if reasons:
        text += f"; a flush is refused: {'; '.join(reasons)}"
    return thresholds.verdict(
        CONTENTS, OK, text, value=snapshot.keys, evidence=snapshot.inventory.rows()
    )


def _flush(
    server: Server,
    snapshot: Snapshot,
    options: Options,
    thresholds: Thresholds,
    check_mode: bool,
    report: ProgressCallback,
    outcome: Outcome,
) -> None:
    if not snapshot.keys:
        outcome.checks.append(thresholds.verdict(FLUSH, OK, f"No key in {options.what}", value=0))
        return
    reasons = refusals(snapshot, options)
    if options.dump_dir:
        reasons.append(room_for_dump(options.dump_dir, snapshot.info["used_memory"]))
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
    if options.dump_dir and not _dump(server, snapshot, options, outcome):
        return
    remove(server, snapshot, options, thresholds, report_of(report, snapshot), outcome)


def report_of(report: ProgressCallback, snapshot: Snapshot) -> Callable[[int], None]:
    """Reports how many keys have been removed."""
    return _reporter(report, "removing keys", snapshot.keys)


def _planned(snapshot: Snapshot, options: Options) -> list[Action]:
    actions = []
    if options.dump_dir:
        size = format_value(snapshot.info["used_memory"], "bytes")
        actions.append(
            Action(DUMP, PLANNED, f"all data, up to {size}, to {options.dump_dir}", "Redis")
        )
    replicas = snapshot.info.get("connected_slaves", 0)
    reason = pluralize(snapshot.keys, "key")
    if replicas:
        reason += f", on {pluralize(replicas, 'replica')} as well"
    before = {"keys": snapshot.keys}
    return [*actions, Action(FLUSH, PLANNED, reason, options.what, before=before)]


def _dump(server: Server, snapshot: Snapshot, options: Options, outcome: Outcome) -> bool:
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
