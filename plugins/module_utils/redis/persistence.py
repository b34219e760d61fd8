# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The verdict on persistence: snapshots and the append-only file."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from ..core.check import CRITICAL, OK, UNKNOWN, WARNING, Check
from ..core.thresholds import Thresholds
from ..core.units import format_duration, format_value
from .options import Options
from .snapshot import Snapshot

#: Seconds that a snapshot may be late.
_TOLERANCE = 60
#: Seconds after which a running snapshot seems to hang, unless the last one took as long.
_LONG = 1800
_CLEARS = "the next snapshot that succeeds clears this"
_AOF_CLEARS = "Redis tries again each second, and accepts writes once that succeeds"


def assess_persistence(snapshot: Snapshot, options: Options, thresholds: Thresholds) -> Check:
    """``redis.persistence``: whether writes to disk work, and data survives a restart."""
    status, failure = _failure(snapshot)
    facts = _facts(snapshot)
    if not failure and not facts:
        return _not_persistent(snapshot, options, thresholds)
    if failure:
        facts = [failure, *facts]
    summary = ", ".join(facts)
    remedy = save_remedy(snapshot) if status == CRITICAL else ""
    return thresholds.verdict(
        "redis.persistence", status, summary[0].upper() + summary[1:], remedy=remedy
    )


def save_remedy(snapshot: Snapshot) -> str:
    """What to do if data cannot be saved: by what failed, and the room on its disk if known."""
    disk = snapshot.disk
    aof = snapshot.info["rdb_last_bgsave_status"] == "ok"
    clears = _AOF_CLEARS if aof else _CLEARS
    if not disk:
        return (
            "Read its log, which names the reason: often a full disk, permissions of its folder, "
            f"or no memory to fork. Remove that first; {clears}."
        )
    free = format_value(disk.free, "bytes")
    if disk.free < snapshot.info["used_memory"]:
        return (
            f"The disk of {disk.folder} has only {free} left: free space there or enlarge it "
            f"first, as every attempt to save fails until then; {clears}."
        )
    return (
        f"The disk of {disk.folder} has {free} left, so the reason is another: its log names it, "
        "often permissions of the folder or no memory to fork. Remove that"
        + ("; " + clears if aof else ", then run 'BGSAVE' and check again")
        + "."
    )


def _facts(snapshot: Snapshot) -> list[str]:
    """How the data is kept; empty if it is not, or that is not known."""
    info, facts = snapshot.info, []
    if info["aof_enabled"]:
        facts.append("append-only file on")
    if snapshot.save and info.get("rdb_saves", 1):
        facts.append(f"last snapshot {format_duration(_snapshot_age(info))} ago")
    elif snapshot.save:
        facts.append("snapshots on, none written since the start")
    return facts


def _failure(snapshot: Snapshot) -> tuple[str, str]:
    """Status and fact if a write to disk failed or is overdue; ok and an empty text otherwise."""
    info = snapshot.info
    if info["rdb_last_bgsave_status"] != "ok":
        return CRITICAL, f"the last snapshot failed, so {_effect(snapshot)}"
    if info["aof_enabled"] and info["aof_last_write_status"] != "ok":
        return (
            CRITICAL,
            "the last write to the append-only file failed, so Redis refuses every write",
        )
    if info["aof_enabled"] and info["aof_last_bgrewrite_status"] != "ok":
        return WARNING, "the last rewrite of the append-only file failed, so it grows"
    running = info.get("rdb_current_bgsave_time_sec", -1)
    if running > max(_LONG, 3 * info.get("rdb_last_bgsave_time_sec", 0)):
        return WARNING, f"a snapshot has been running for {format_duration(running)}"
    overdue = _overdue(snapshot)
    if overdue:
        return WARNING, f"a snapshot is overdue by {format_duration(overdue)}"
    return OK, ""


def _effect(snapshot: Snapshot) -> str:
    """What a failed snapshot means for writes."""
    stops = snapshot.settings.get("stop-writes-on-bgsave-error")
    if snapshot.save == "" or stops == "no":
        return "a restart loses what was written since the one before"
    return f"Redis {'refuses' if stops else 'may refuse'} every write"


def _not_persistent(snapshot: Snapshot, options: Options, thresholds: Thresholds) -> Check:
    """The verdict if nothing is kept on disk, or that is not known."""
    fact = "Neither snapshots nor append-only file: it is empty after a restart"
    status = WARNING
    remedy = (
        f"A {options.purpose} store must survive a restart: 'CONFIG SET appendonly yes', and the "
        "same in redis.conf."
    )
    if snapshot.save is None:
        why = snapshot.why("CONFIG GET")
        fact = f"No append-only file; whether snapshots are on is not known: {why}"
        status, remedy = UNKNOWN, why.remedy
    if not options.purpose:
        reason = "whether its data must survive is not declared (purpose)"
        return thresholds.not_judged("redis.persistence", fact, reason)
    if options.purpose == "cache":
        status = OK
    return thresholds.verdict("redis.persistence", status, fact, remedy=remedy)


def _snapshot_age(info: Mapping[str, Any]) -> float:
    """Seconds since the last snapshot, by the server's clock if INFO contains it."""
    now = info["server_time_usec"] / 1e6 if "server_time_usec" in info else time.time()
    return max(0.0, now - info["rdb_last_save_time"])


def _overdue(snapshot: Snapshot) -> float | None:
    """Seconds by which a snapshot is late, by the save points; none if it is on time or running."""
    info, numbers = snapshot.info, [int(number) for number in (snapshot.save or "").split()]
    if info.get("rdb_bgsave_in_progress"):
        return None
    reached = [
        seconds
        for seconds, changes in zip(numbers[::2], numbers[1::2])
        if info["rdb_changes_since_last_save"] >= changes
    ]
    if not reached:
        return None
    late = _snapshot_age(info) - 2 * min(reached)
    return late if late > _TOLERANCE else None
