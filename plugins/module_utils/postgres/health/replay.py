# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A standby about itself: what it hears of its primary, and how far it has replayed. Pure."""

from __future__ import annotations

from typing import Any

from ...core.check import CRITICAL, UNKNOWN, WARNING, Check
from ...core.definition import Threshold
from ...core.thresholds import Thresholds
from ...core.units import format_duration
from .snapshot import Row

NAME = "postgres.replication"
#: A standby that is fed from an archive gets nothing before a whole segment is full, and nothing
#: while its primary is idle.
FROM_ARCHIVE = Threshold(3600, 86400)
#: Seconds beyond half of a timeout, after which both sides ask for a sign of life.
GRACE = 10.0


def silence(row: Row) -> float | None:
    """Seconds since a receiver heard something, if that is longer than the protocol allows.

    After half of wal_receiver_timeout it asks, and the other side sends something of its own after
    half of wal_sender_timeout.
    """
    timeouts = [row[key] for key in ("receiver_timeout", "sender_timeout") if row[key]]
    seconds = row["message_seconds"]
    if seconds is None or not timeouts or seconds <= min(timeouts) / 2 + GRACE:
        return None
    return float(seconds)


def replay_check(replay: Row, facts: Row, thresholds: Thresholds) -> Check:
    """Judged by the age of what it knows, then by how far it has replayed.

    The time of the last transaction means nothing while all that was received has been replayed.
    """
    if replay["paused"]:
        summary = f"Replay is paused on this standby; it {_last(replay)}"
        remedy = (
            "If its log says 'insufficient parameter settings', raise them to the primary's and "
            "restart it, as it would stop on resuming. Otherwise, if the pause is no longer "
            "needed: SELECT pg_wal_replay_resume()."
        )
        return thresholds.verdict(NAME, WARNING, summary, remedy=remedy)
    if not replay["receiving"]:
        return _not_receiving(replay, thresholds)
    if not replay["visible"]:
        summary = f"Unknown: role '{facts['role']}' lacks permission to see what it receives"
        remedy = f'As a superuser: GRANT pg_monitor TO "{facts["role"]}".'
        return thresholds.verdict(NAME, UNKNOWN, summary, remedy=remedy)
    silent = silence(replay)
    if silent is not None:
        summary = (
            f"This standby has heard nothing from its primary for {format_duration(silent)}, "
            f"although the connection is open; it {_last(replay)}"
        )
        remedy = (
            "See whether the primary answers and the network carries; if both do, the receiver "
            "hangs: pg_terminate_backend(pid) of pg_stat_wal_receiver makes it connect again."
        )
        return thresholds.evaluate(NAME, round(silent, 1), summary, remedy=remedy)
    return _received(replay, thresholds)


def _last(replay: Row) -> str:
    if replay["replayed_seconds"] is None:
        return "has replayed no transaction yet"
    ago = format_duration(max(0.0, replay["replayed_seconds"]))
    return f"last replayed a transaction {ago} ago"


def _not_receiving(replay: Row, thresholds: Thresholds) -> Check:
    """Without a connection to the primary, which is as it should be with an archive alone."""
    if replay["restores"] and replay["streams"] is False:
        seconds = replay["replayed_seconds"]
        summary = f"This standby is fed from the archive (restore_command) and {_last(replay)}"
        if seconds is None:
            return thresholds.not_judged(NAME, summary, "nothing says how old its data is")
        behind = max(0.0, seconds - replay["delay"])
        more: dict[str, Any] = {"threshold": FROM_ARCHIVE}
        more["remedy"] = (
            "If the primary has written since: see whether it archives (postgres.archiver there) "
            "and what the standby's log says of restore_command."
        )
        if behind > FROM_ARCHIVE.warning:
            summary += "; a primary that writes nothing looks the same"
        return thresholds.evaluate(NAME, round(behind, 3), summary, **more)
    summary = f"This standby does not receive from its primary; it {_last(replay)}"
    remedy = (
        "Check primary_conninfo, the network and the primary; the standby's log says why it "
        "cannot connect. After a failover, point it to the new primary."
    )
    return thresholds.verdict(NAME, CRITICAL, summary, remedy=remedy)


def _received(replay: Row, thresholds: Thresholds) -> Check:
    if replay["caught_up"]:
        return thresholds.evaluate(NAME, 0.0, "This standby has replayed all that it received")
    seconds = replay["replayed_seconds"]
    if seconds is None:
        summary = f"This standby is behind and {_last(replay)}"
        return thresholds.not_judged(NAME, summary, "its delay is not known yet")
    delay, meant = max(0.0, seconds), replay["delay"]
    summary = f"This standby is {format_duration(delay)} behind"
    if meant:
        summary += f", of which {format_duration(meant)} are meant (recovery_min_apply_delay)"
    return thresholds.evaluate(NAME, round(max(0.0, delay - meant), 3), summary)
