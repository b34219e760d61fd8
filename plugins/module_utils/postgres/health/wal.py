# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where a PostgreSQL server's WAL goes: to standbys, and into the archive. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from ...core.check import CRITICAL, OK, UNKNOWN, WARNING, Check
from ...core.text import redact, shorten
from ...core.thresholds import Thresholds
from ...core.units import format_duration, format_value
from .collect import Row, Wal

REPLICATION = "postgres.replication"
ARCHIVER = "postgres.archiver"

#: Seconds, and bytes of WAL, below which a slot that nobody reads may be one whose consumer is just being restarted.
RESTARTING, RESTARTING_BYTES = 300, 64 * 1024**2
#: Bytes of WAL that one slot keeps from which its consumer is far behind, whatever the server's own limits.
FAR_BEHIND = 10 * 1024**3
#: Share of what a slot may keep (max_slot_wal_keep_size) that has to be left.
ROOM = 0.25


def replication(wal: Wal, facts: Row, thresholds: Thresholds, replicas: int) -> Iterator[Check]:
    """One check for each standby and each slot that is out of order, or one that says that there is nothing of the kind."""
    logical = {slot["active_pid"] for slot in wal.slots if slot["slot_type"] == "logical"}
    hidden = [row for row in wal.standbys if row["state"] is None]
    standbys = [
        row
        for row in wal.standbys
        if row["state"] is not None and row["replays"] and row["pid"] not in logical
    ]
    checks = [_standby(row, thresholds) for row in standbys]
    checks += [check for slot in wal.slots if (check := _slot(slot, thresholds))]
    if wal.replay is not None:
        checks.insert(0, _replay(wal.replay, thresholds))
    elif len(standbys) + len(hidden) < replicas:
        connected = len(standbys) + len(hidden)
        summary = f"{connected} of {replicas} expected standbys {'is' if connected == 1 else 'are'} connected"
        remedy = "Start the missing standby and read its log; until it is back, a failover has less to fall back on."
        checks.insert(0, thresholds.verdict(REPLICATION, CRITICAL, summary, remedy=remedy))
    elif hidden:
        summary = f"Not known how far {len(hidden)} standby{'s are' if len(hidden) > 1 else ' is'} behind: role '{facts['role']}' may not see it"
        checks.insert(
            0,
            thresholds.verdict(
                REPLICATION,
                UNKNOWN,
                summary,
                remedy=f'As a superuser: GRANT pg_monitor TO "{facts["role"]}".',
            ),
        )
    if not checks:
        checks.append(
            thresholds.verdict(REPLICATION, OK, "This primary has no standby, and none is expected")
        )
    yield from checks


def _standby(row: Row, thresholds: Thresholds) -> Check:
    name = shorten(redact(row["application"] or row["client"] or str(row["pid"])), 64)
    evidence = (
        {key: row[key] for key in ("client", "state", "sync", "behind_bytes", "lag_seconds")},
    )
    if not row["behind_bytes"] or row["behind_bytes"] <= 0:
        return thresholds.evaluate(
            REPLICATION, 0.0, f"Standby '{name}' is up to date", subject=name, evidence=evidence
        )
    behind = format_value(row["behind_bytes"], "bytes")
    if row["lag_seconds"] is None:
        summary = f"Standby '{name}' is {behind} behind ({row['state']}); it has not yet said how long that takes"
        return thresholds.evaluate(
            REPLICATION,
            None,
            summary,
            subject=name,
            evidence=evidence,
            remedy="Look again in a minute.",
        )
    summary = f"Standby '{name}' is {format_duration(row['lag_seconds'])} and {behind} behind"
    return thresholds.evaluate(
        REPLICATION, round(row["lag_seconds"], 3), summary, subject=name, evidence=evidence
    )


def _slot(slot: Row, thresholds: Thresholds) -> Check | None:
    """None for a slot that is in order: read well enough, never used, just being restarted, or kept in step with the primary's."""
    name, kept, status = slot["slot_name"], slot["kept_bytes"], slot.get("wal_status")
    shown = {
        key: slot[key]
        for key in ("wal_status", "safe_wal_size", "inactive_since")
        if slot.get(key) is not None
    }
    more = {
        "subject": f"slot {name}",
        "evidence": ({"slot": name, "type": slot["slot_type"], "kept_bytes": kept, **shown},),
    }
    if status == "lost" or slot.get("invalidation_reason") or slot.get("conflicting"):
        summary = (
            f"Replication slot '{name}' is no longer usable: WAL that its consumer needs is gone"
        )
        remedy = f"Build that standby or subscription anew, then drop the slot: SELECT pg_drop_replication_slot('{name}')."
        return thresholds.verdict(REPLICATION, CRITICAL, summary, remedy=remedy, **more)
    if kept is None or slot.get("synced"):
        return None
    words = f"it keeps {format_value(kept, 'bytes')} of WAL"
    remedy = (
        f"Start its consumer; if there is none any more: SELECT pg_drop_replication_slot('{name}')."
    )
    if slot["active"]:
        remedy = "See what slows its consumer down: its log, its disk, the network; raise max_slot_wal_keep_size if the disk has room."
    if status == "unreserved":
        summary = f"Replication slot '{name}' is about to be lost: the next checkpoint may remove WAL that its consumer needs"
        return thresholds.verdict(REPLICATION, CRITICAL, summary, remedy=remedy, **more)
    room = slot.get("safe_wal_size")
    if room is not None and room < ROOM * (room + kept):
        summary = f"Replication slot '{name}' will be lost after another {format_value(max(0, room), 'bytes')} of WAL (max_slot_wal_keep_size); {words}"
        return thresholds.verdict(REPLICATION, WARNING, summary, remedy=remedy, **more)
    if slot["active"]:
        if status != "extended" and kept < FAR_BEHIND:
            return None
        return thresholds.verdict(
            REPLICATION,
            WARNING,
            f"The consumer of replication slot '{name}' is far behind; {words}",
            remedy=remedy,
            **more,
        )
    if kept < RESTARTING_BYTES and (slot.get("inactive_seconds") or 0) < RESTARTING:
        return None
    return thresholds.verdict(
        REPLICATION,
        WARNING,
        f"Nobody reads replication slot '{name}'; {words}, and ever more until the disk is full",
        remedy=remedy,
        **more,
    )


def _replay(replay: Row, thresholds: Thresholds) -> Check:
    """A standby about itself. The time of the last transaction says nothing while everything received has been replayed."""
    delay = max(0.0, replay["replayed_seconds"] or 0.0)
    last = (
        "has replayed no transaction yet"
        if replay["replayed_seconds"] is None
        else f"last replayed a transaction {format_duration(delay)} ago"
    )
    if not replay["receiving"]:
        summary = f"This standby does not receive from its primary; it {last}"
        remedy = "Check primary_conninfo, the network and the primary; the standby's log says why it cannot connect. After a failover, point it to the new primary."
        return thresholds.verdict(REPLICATION, CRITICAL, summary, remedy=remedy)
    if replay["paused"]:
        remedy = "If nobody needs the pause any more: SELECT pg_wal_replay_resume()."
        return thresholds.verdict(
            REPLICATION, WARNING, f"Replay is paused on this standby; it {last}", remedy=remedy
        )
    if replay["caught_up"]:
        return thresholds.evaluate(
            REPLICATION, 0.0, "This standby has replayed all that it received"
        )
    if replay["replayed_seconds"] is None:
        return thresholds.evaluate(
            REPLICATION,
            None,
            f"This standby is behind and {last}",
            remedy="Look again in a minute.",
        )
    return thresholds.evaluate(
        REPLICATION, round(delay, 3), f"This standby is {format_duration(delay)} behind"
    )


def archiver(wal: Wal, facts: Row, thresholds: Thresholds) -> Check:
    row, mode = wal.archiver, facts["archive_mode"]
    if mode == "off":
        return thresholds.verdict(
            ARCHIVER,
            OK,
            "WAL archiving is off (archive_mode), so there is no restore to a point in time",
        )
    if facts["standby"] and mode != "always":
        return thresholds.verdict(
            ARCHIVER, OK, "A standby archives nothing (archive_mode = on); its primary does"
        )
    if not facts["archive_command"] and not facts["archive_library"]:
        remedy = "Set archive_command or archive_library, or archive_mode = off with a restart; until then every WAL file stays on the disk."
        return thresholds.verdict(
            ARCHIVER,
            WARNING,
            "archive_mode is on, but there is no archive_command: WAL piles up",
            remedy=remedy,
        )
    evidence = (
        {key: row[key] for key in ("archived", "failed", "last_archived_wal", "last_failed_wal")},
    )
    archived, failed = row["archived_seconds"], row["failed_seconds"]
    success = (
        "none has ever been archived"
        if archived is None
        else f"the last success was {format_duration(max(0.0, archived))} ago"
    )
    if failed is not None and (archived is None or failed < archived):
        summary = f"Archiving fails: WAL {row['last_failed_wal']} was refused {format_duration(max(0.0, failed))} ago, {success}"
        more = {} if wal.waiting is None else {"value": float(wal.waiting)}
        return thresholds.verdict(
            ARCHIVER, CRITICAL, f"{summary}{_waiting(wal)}", evidence=evidence, **more
        )
    if archived is None and not wal.waiting:
        summary = "WAL archiving is on; no segment has had to be archived yet"
    else:
        summary = (
            f"WAL archiving works, {success}"
            if archived is not None
            else f"WAL archiving is on, {success}"
        )
    if wal.waiting is None:
        return thresholds.verdict(ARCHIVER, OK, summary, evidence=evidence)
    return thresholds.evaluate(
        ARCHIVER, float(wal.waiting), f"{summary}{_waiting(wal)}", evidence=evidence
    )


def _waiting(wal: Wal) -> str:
    return (
        f"; {wal.waiting} WAL segment{'' if wal.waiting == 1 else 's'} wait"
        + ("s" if wal.waiting == 1 else "")
        if wal.waiting
        else ""
    )
