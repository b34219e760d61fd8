# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How far standbys are behind, and replication slots that keep WAL. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ...core.check import CRITICAL, OK, UNKNOWN, WARNING, Check
from ...core.text import redact, shorten
from ...core.thresholds import Thresholds
from ...core.units import format_duration, format_value
from .snapshot import Row, Wal

NAME = "postgres.replication"

#: Seconds, and bytes of WAL, below which an inactive slot's consumer may just be restarting.
RESTART_SECONDS, RESTART_BYTES = 300, 64 * 1024**2
#: Bytes of WAL that a slot keeps from which its consumer is far behind, whatever the server allows.
FAR_BEHIND = 10 * 1024**3
#: Share of what a slot may keep (max_slot_wal_keep_size) that must be left.
RESERVE = 0.25


def replication(wal: Wal, facts: Row, thresholds: Thresholds, replicas: int) -> Iterator[Check]:
    """One check for each standby and each slot with a problem, or one if there are none."""
    logical = {slot["active_pid"] for slot in wal.slots if slot["slot_type"] == "logical"}
    hidden = [row for row in wal.standbys if row["state"] is None]
    standbys = [
        row
        for row in wal.standbys
        if row["state"] is not None and row["replays"] and row["pid"] not in logical
    ]
    checks = [_standby(row, thresholds) for row in standbys]
    checks += [check for slot in wal.slots if (check := _slot(slot, thresholds))]
    connected = len(standbys) + len(hidden)
    if wal.replay is not None:
        checks.insert(0, _replay(wal.replay, thresholds))
    elif connected < replicas:
        checks.insert(0, _missing(connected, replicas, thresholds))
    elif hidden:
        checks.insert(0, _hidden(len(hidden), facts, thresholds))
    if not checks:
        summary = "This primary has no standby, and none is expected"
        checks.append(thresholds.verdict(NAME, OK, summary))
    yield from checks


def _missing(connected: int, replicas: int, thresholds: Thresholds) -> Check:
    are = "is" if connected == 1 else "are"
    summary = f"{connected} of {replicas} expected standbys {are} connected"
    remedy = (
        "Start the missing standby and read its log; until it is back, fewer servers can take over."
    )
    return thresholds.verdict(NAME, CRITICAL, summary, remedy=remedy)


def _hidden(count: int, facts: Row, thresholds: Thresholds) -> Check:
    standbys = "1 standby is" if count == 1 else f"{count} standbys are"
    reason = f"role '{facts['role']}' lacks permission to see it"
    summary = f"Unknown how far {standbys} behind: {reason}"
    remedy = f'As a superuser: GRANT pg_monitor TO "{facts["role"]}".'
    return thresholds.verdict(NAME, UNKNOWN, summary, remedy=remedy)


def _standby(row: Row, thresholds: Thresholds) -> Check:
    """A standby by its delay, which counts only while it is behind."""
    name = shorten(redact(row["application"] or row["client"] or str(row["pid"])), 64)
    keys = ("client", "state", "sync", "behind_bytes", "lag_seconds")
    more: dict[str, Any] = {"subject": name, "evidence": ({key: row[key] for key in keys},)}
    lag = row["lag_seconds"]
    if not row["behind_bytes"] or row["behind_bytes"] <= 0:
        return thresholds.evaluate(NAME, 0.0, f"Standby '{name}' is up to date", **more)
    behind = format_value(row["behind_bytes"], "bytes")
    if lag is None:
        summary = (
            f"Standby '{name}' is {behind} behind ({row['state']}), its delay is not known yet"
        )
        return thresholds.evaluate(NAME, None, summary, remedy="Check again in a minute.", **more)
    summary = f"Standby '{name}' is {format_duration(lag)} and {behind} behind"
    return thresholds.evaluate(NAME, round(lag, 3), summary, **more)


def _slot(slot: Row, thresholds: Thresholds) -> Check | None:
    """A slot with a problem; none for one that is read well enough, never used, or synced."""
    problem = _slot_problem(slot)
    if problem is None:
        return None
    status, summary, remedy = problem
    row = {"slot": slot["slot_name"], "type": slot["slot_type"], "kept_bytes": slot["kept_bytes"]}
    for key in ("wal_status", "safe_wal_size", "inactive_since"):
        if slot.get(key) is not None:
            row[key] = slot[key]
    subject = f"slot {slot['slot_name']}"
    return thresholds.verdict(
        NAME, status, summary, subject=subject, remedy=remedy, evidence=(row,)
    )


def _slot_problem(slot: Row) -> tuple[str, str, str] | None:
    """Status, summary and remedy."""
    name, kept, status = slot["slot_name"], slot["kept_bytes"], slot.get("wal_status")
    drop = f"SELECT pg_drop_replication_slot('{name}')"
    if status == "lost" or slot.get("invalidation_reason") or slot.get("conflicting"):
        summary = f"Replication slot '{name}' is lost: WAL that its consumer needs is gone"
        remedy = f"Rebuild that standby or subscription, then drop the slot: {drop}."
        return CRITICAL, summary, remedy
    if kept is None or slot.get("synced"):
        return None
    remedy = f"Start its consumer; if it no longer exists: {drop}."
    if slot["active"]:
        remedy = (
            "Find out what slows its consumer down: its log, its disk, the network; raise "
            "max_slot_wal_keep_size if the disk has room."
        )
    if status == "unreserved":
        risk = "the next checkpoint may remove WAL that its consumer needs"
        return CRITICAL, f"Replication slot '{name}' is about to be lost: {risk}", remedy
    summary = _slot_behind(slot)
    return (WARNING, summary, remedy) if summary else None


def _slot_behind(slot: Row) -> str:
    """Why a slot that is not in danger yet is a problem; empty if it is none."""
    name, kept, left = slot["slot_name"], slot["kept_bytes"], slot.get("safe_wal_size")
    keeps = f"it keeps {format_value(kept, 'bytes')} of WAL"
    if left is not None and left < RESERVE * (left + kept):
        more = format_value(max(0, left), "bytes")
        limit = f"after another {more} of WAL (max_slot_wal_keep_size)"
        return f"Replication slot '{name}' will be lost {limit}; {keeps}"
    if slot["active"]:
        far = slot.get("wal_status") == "extended" or kept >= FAR_BEHIND
        return f"The consumer of replication slot '{name}' is far behind; {keeps}" if far else ""
    if kept < RESTART_BYTES and (slot.get("inactive_seconds") or 0) < RESTART_SECONDS:
        return ""
    return f"Replication slot '{name}' has no consumer; {keeps}, and more until the disk is full"


def _replay(replay: Row, thresholds: Thresholds) -> Check:
    """A standby about itself.

    The time of the last transaction means nothing while all that was received has been replayed.
    """
    seconds = replay["replayed_seconds"]
    delay = max(0.0, seconds or 0.0)
    last = f"last replayed a transaction {format_duration(delay)} ago"
    if seconds is None:
        last = "has replayed no transaction yet"
    if not replay["receiving"]:
        summary = f"This standby does not receive from its primary; it {last}"
        remedy = (
            "Check primary_conninfo, the network and the primary; the standby's log says why it "
            "cannot connect. After a failover, point it to the new primary."
        )
        return thresholds.verdict(NAME, CRITICAL, summary, remedy=remedy)
    if replay["paused"]:
        summary = f"Replay is paused on this standby; it {last}"
        remedy = "If the pause is no longer needed: SELECT pg_wal_replay_resume()."
        return thresholds.verdict(NAME, WARNING, summary, remedy=remedy)
    if replay["caught_up"]:
        return thresholds.evaluate(NAME, 0.0, "This standby has replayed all that it received")
    if seconds is None:
        summary, remedy = f"This standby is behind and {last}", "Check again in a minute."
        return thresholds.evaluate(NAME, None, summary, remedy=remedy)
    summary = f"This standby is {format_duration(delay)} behind"
    return thresholds.evaluate(NAME, round(delay, 3), summary)
