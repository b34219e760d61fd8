# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The xmin horizon: sessions, prepared transactions, slots and standbys that hold back vacuum."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ..core.units import format_duration
from .queries import XMIN_HOLDERS

Row = Mapping[str, Any]
#: The rows of a query, given what it is about and its parameters.
Ask = Callable[[str, str, Row], list[tuple[Any, ...]]]

#: Seconds after a vacuum within which a slot or standby, whose age in time is unknown, explains
#: why dead rows stayed; and transactions that it must be behind for that.
RECENT, RECENT_TRANSACTIONS = 3600, 10_000


def xmin_holders(ask: Ask, database: str | None = None) -> list[Row]:
    """What holds back vacuum in a database, or anywhere on the server, the oldest first."""
    rows = ask("the oldest transactions", XMIN_HOLDERS, {"database": database})
    return [dict(zip(("kind", "whose", "database", "age", "seconds"), row)) for row in rows]


def describe_holder(holder: Row) -> str:
    """What holds back vacuum: ``session pid 7 (report), open for 2 h``."""
    text = f"{holder['kind']} {holder['whose']}"
    if holder["seconds"] is None:
        return text
    return f"{text}, open for {format_duration(max(0.0, holder['seconds']))}"


def still_held(vacuumed: float | None, holders: Sequence[Row], now: float) -> str:
    """Why another vacuum would remove nothing; empty if it may remove dead rows.

    That is so if what held them during the last vacuum, at ``vacuumed``, is still there.
    """
    if vacuumed is None:
        return ""
    ago = now - vacuumed
    for holder in holders:
        if _held_during(holder, ago):
            vacuum = f"the vacuum {format_duration(max(0.0, ago))} ago"
            cause = describe_holder(holder)
            return f"{vacuum} could not remove them because of {cause}, which is still there"
    return ""


def _held_during(holder: Row, ago: float) -> bool:
    """Whether a holder was there during a vacuum that many seconds ago."""
    if holder["seconds"] is None:
        return bool(ago < RECENT and holder["age"] > RECENT_TRANSACTIONS)
    return bool(ago < holder["seconds"])
