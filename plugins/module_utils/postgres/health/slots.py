# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Replication slots whose consumer is gone, fails or is too slow. Pure."""

from __future__ import annotations

from ...core.check import CRITICAL, WARNING, Check
from ...core.thresholds import Thresholds
from ...core.units import format_duration, format_value
from .snapshot import Row

NAME = "postgres.replication"

#: Seconds, and bytes of WAL, below which an inactive slot's consumer may just be restarting.
RESTART_SECONDS, RESTART_BYTES = 300, 64 * 1024**2
#: Bytes of WAL that a slot keeps from which its consumer is far behind, whatever the server allows.
FAR_BEHIND = 10 * 1024**3
#: Share of what a slot may keep (max_slot_wal_keep_size) that must be left.
RESERVE = 0.25


def slot_check(slot: Row, stuck: float, thresholds: Thresholds) -> Check | None:
    """A slot with a problem; none for one that is read well enough, never used, or synced.

    ``stuck`` are the seconds for which it has not moved.
    """
    problem = _slot_problem(slot, stuck)
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


def _slot_problem(slot: Row, stuck: float) -> tuple[str, str, str] | None:
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
    if slot["slot_type"] == "logical":
        remedy = (
            "See whether its subscriber runs and applies: one that fails comes and goes every few "
            f"seconds, and its log says why. If it no longer exists: {drop}."
        )
    if slot["active"]:
        remedy = (
            "Find out what slows its consumer down: its log, its disk, the network; raise "
            "max_slot_wal_keep_size if the disk has room."
        )
    if status == "unreserved":
        risk = "the next checkpoint may remove WAL that its consumer needs"
        return CRITICAL, f"Replication slot '{name}' is about to be lost: {risk}", remedy
    summary = _slot_behind(slot, stuck)
    return (WARNING, summary, remedy) if summary else None


def _slot_behind(slot: Row, stuck: float) -> str:
    """Why a slot that is not in danger yet is a problem; empty if it is none."""
    name, kept, left = slot["slot_name"], slot["kept_bytes"], slot.get("safe_wal_size")
    keeps = f"it keeps {format_value(kept, 'bytes')} of WAL"
    if left is not None and left < RESERVE * (left + kept):
        more = format_value(max(0, left), "bytes")
        limit = f"after another {more} of WAL (max_slot_wal_keep_size)"
        return f"Replication slot '{name}' will be lost {limit}; {keeps}"
    if slot["active"]:
        far = slot.get("wal_status") == "extended" or kept >= FAR_BEHIND
        if far:
            return f"The consumer of replication slot '{name}' is far behind; {keeps}"
        if stuck and kept >= RESTART_BYTES:
            since = format_duration(stuck)
            return f"Replication slot '{name}' has made no progress for {since}; {keeps}"
        return ""
    seconds = max(0.0, slot.get("inactive_seconds") or 0.0, stuck if kept else 0.0)
    if slot["slot_type"] == "logical":
        return (
            f"Logical replication slot '{name}' has no consumer at this moment; {keeps}, and more "
            "until the disk is full"
        )
    if kept < RESTART_BYTES and seconds < RESTART_SECONDS:
        return ""
    return f"Replication slot '{name}' has no consumer; {keeps}, and more until the disk is full"
