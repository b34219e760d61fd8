# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How far standbys are behind, and replication slots that keep WAL. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

from ...core.check import CRITICAL, OK, UNKNOWN, WARNING, Check
from ...core.text import redact, shorten
from ...core.thresholds import Thresholds
from ...core.units import format_duration, format_value
from .options import STANDBY, Options
from .replay import replay_check
from .slots import RESTART_BYTES, slot_check
from .snapshot import Row, Wal
from .subscriptions import subscriptions

NAME = "postgres.replication"


def replication(wal: Wal, facts: Row, thresholds: Thresholds, options: Options) -> Iterator[Check]:
    """One check for each standby and each slot with a problem, or one if there are none."""
    logical = {slot["active_pid"] for slot in wal.slots if slot["slot_type"] == "logical"}
    hidden = [row for row in wal.standbys if row["state"] is None]
    standbys = [
        row
        for row in wal.standbys
        if row["state"] is not None and row["replays"] and row["pid"] not in logical
    ]
    checks = [_standby(row, wal.silent.get(row["pid"]), thresholds) for row in standbys]
    checks += [
        check
        for slot in wal.slots
        if (check := slot_check(slot, wal.stuck.get(slot["slot_name"], 0.0), thresholds))
    ]
    checks += subscriptions(wal, facts, thresholds)
    connected, wanted = len(standbys) + len(hidden), demanded(facts["sync_names"])
    if wal.replay is not None:
        checks.insert(0, replay_check(wal.replay, facts, thresholds))
    elif options.server_role == STANDBY:
        checks.insert(0, _promoted(thresholds))
    elif connected < options.replicas:
        checks.insert(0, _missing(connected, options.replicas, "expected", thresholds))
    elif confirming(wal.standbys) + len(hidden) < wanted:
        checks.insert(0, _missing(confirming(wal.standbys), wanted, "synchronous", thresholds))
    elif hidden:
        checks.insert(0, _hidden(len(hidden), facts, thresholds))
    if not checks:
        checks.append(thresholds.verdict(NAME, OK, _none(wal)))
    yield from checks


def _none(wal: Wal) -> str:
    """That there is no standby; a slot, by its being there, expects one."""
    waiting = [slot["slot_name"] for slot in wal.slots if not slot["active"]]
    if waiting:
        return f"This primary has no standby now; replication slot '{waiting[0]}' waits for one"
    return "This primary has no standby, and none is expected"


def demanded(names: str) -> int:
    """How many standbys must confirm a commit, by synchronous_standby_names."""
    number = re.match(r"\s*(?:(?:FIRST|ANY)\s+)?(\d+)\s*\(", names, re.IGNORECASE)
    return int(number[1]) if number else int(bool(names.strip()))


def confirming(standbys: Sequence[Row]) -> int:
    """How many standbys PostgreSQL itself counts as synchronous now."""
    return sum(row["sync"] in ("sync", "quorum") for row in standbys)


def _missing(connected: int, wanted: int, kind: str, thresholds: Thresholds) -> Check:
    are = "is" if connected == 1 else "are"
    summary = f"{connected} of {wanted} {kind} standbys {are} connected"
    if kind == "synchronous":
        summary += " (synchronous_standby_names)"
    remedy = (
        "Start the missing standby and read its log; until it is back, fewer servers can take over."
    )
    return thresholds.verdict(NAME, CRITICAL, summary, remedy=remedy)


def _promoted(thresholds: Thresholds) -> Check:
    summary = "This server is a primary and takes writes, but server_role says standby"
    remedy = (
        "After a failover or switchover, correct server_role (postgres_server_role). If the old "
        "primary still takes writes, stop one of the two at once and rebuild it as a standby "
        "(pg_rewind or pg_basebackup), as their data drift apart."
    )
    return thresholds.verdict(NAME, WARNING, summary, remedy=remedy)


def _hidden(count: int, facts: Row, thresholds: Thresholds) -> Check:
    standbys = "1 standby is" if count == 1 else f"{count} standbys are"
    reason = f"role '{facts['role']}' lacks permission to see it"
    summary = f"Unknown how far {standbys} behind: {reason}"
    remedy = f'As a superuser: GRANT pg_monitor TO "{facts["role"]}".'
    return thresholds.verdict(NAME, UNKNOWN, summary, remedy=remedy)


def _standby(row: Row, silent: float | None, thresholds: Thresholds) -> Check:
    """A standby by the age of its last answer, then by its delay, which counts only while it is
    behind."""
    name = shorten(redact(row["application"] or row["client"] or str(row["pid"])), 64)
    keys = ("client", "state", "sync", "behind_bytes", "lag_seconds")
    more: dict[str, Any] = {"subject": name, "evidence": ({key: row[key] for key in keys},)}
    lag = row["lag_seconds"]
    if not row["behind_bytes"] or row["behind_bytes"] <= 0:
        return thresholds.evaluate(NAME, 0.0, f"Standby '{name}' is up to date", **more)
    behind = format_value(row["behind_bytes"], "bytes")
    if silent is not None:
        summary = (
            f"Standby '{name}' has not answered for {format_duration(silent)}, although it is "
            f"connected and {behind} behind"
        )
        if lag is not None:
            summary += f"; its last known delay was {format_duration(max(0.0, lag))}"
        remedy = "See whether the standby runs, whether its receiver hangs, and the network."
        value = round(max(silent, lag or 0.0), 1)
        check = thresholds.evaluate(NAME, value, summary, remedy=remedy, **more)
        return check if check.status != OK else replace(check, status=WARNING, remedy=remedy)
    if lag is None:
        summary = f"Standby '{name}' is {behind} behind ({row['state']})"
        if row["behind_bytes"] >= RESTART_BYTES:
            remedy = "Check again in a minute; if it stays so, check the standby's log."
            return thresholds.verdict(NAME, WARNING, summary, remedy=remedy, **more)
        return thresholds.not_judged(NAME, summary, "its delay is not known yet", **more)
    lag = max(0.0, lag)
    summary = f"Standby '{name}' is {format_duration(lag)} and {behind} behind"
    return thresholds.evaluate(NAME, round(lag, 3), summary, **more)
