# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How much of the sequences is used up. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from ...core.check import OK, UNKNOWN, Check
from ...core.errors import NotCollected
from ...core.thresholds import Thresholds
from ...core.units import pluralize
from ..bloat import Row
from ..verdicts import unknown
from .common import evidence_of

NAME = "postgres.sequences"


def sequences(rows: Sequence[Row] | NotCollected, subject: str, thresholds: Thresholds) -> Check:
    """The sequence that is closest to its last number."""
    if isinstance(rows, NotCollected):
        return unknown(NAME, rows, thresholds, subject)
    used = [(percent, row) for row in rows if (percent := used_percent(row)) is not None]
    used.sort(key=lambda pair: -pair[0])
    value, summary = 0.0, "No sequence has been used"
    if used:
        value, row = used[0]
        fills = f", which fills {row['column']} ({row['type']})," if row["column"] else ""
        left = pluralize(values_left(row), "value")
        summary = f"{row['name']}{fills} is the furthest: {value:.1f} % used up, {left} left"
    evidence = [
        {
            "sequence": row["name"],
            "percent": percent,
            "last": row["last"],
            "column": row["column"],
            "type": row["type"],
        }
        for percent, row in used
    ]
    threshold = thresholds.of(NAME, subject)
    beyond = [row for row in evidence if threshold.status_of(row["percent"]) != OK]
    more = evidence_of(subject, beyond or evidence[:1])
    check = thresholds.evaluate(NAME, value, summary, **more)
    if check.status != OK:
        return check
    return _unreadable(rows, subject, thresholds) or check


def _unreadable(rows: Sequence[Row], subject: str, thresholds: Thresholds) -> Check | None:
    """Unknown if sequences could not be read."""
    forbidden = [row["name"] for row in rows if not row["readable"]]
    locked = [row["name"] for row in rows if row.get("held")]
    if forbidden:
        count = pluralize(len(forbidden), "sequence")
        summary = f"This role lacks permission to read {count}, such as {forbidden[0]}"
        remedy = "As a superuser: GRANT pg_read_all_data to the role, or SELECT on the sequences."
    elif locked:
        count = pluralize(len(locked), "sequence")
        reason = "another session alters or locks it"
        summary = f"{count} cannot be read right now, such as {locked[0]}: {reason}"
        remedy = "Check again once that session is done."
    else:
        return None
    return thresholds.verdict(NAME, UNKNOWN, summary, subject=subject, remedy=remedy)


def used_percent(row: Row) -> float | None:
    """Percent of the numbers that a sequence can give, and its column can hold, that are used.

    Rounded to a tenth; 100 only if none is left.
    """
    if row["last"] is None:
        return None
    least, most = _range(row)
    if most <= least:
        return 100.0
    given = row["last"] - least if row["step"] > 0 else most - row["last"]
    percent = round(100 * given / (most - least), 1)
    return min(99.9 if values_left(row) else 100.0, percent)


def values_left(row: Row) -> int:
    """How many more numbers a used sequence can give before its column or range ends."""
    least, most = _range(row)
    distance = most - row["last"] if row["step"] > 0 else row["last"] - least
    return int(max(0, distance // abs(row["step"])))


def _range(row: Row) -> tuple[int, int]:
    """The least and the greatest number that both the sequence and its column allow."""
    least, most = row["least"], row["most"]
    for kind, bits in (("smallint", 15), ("integer", 31), ("bigint", 63)):
        if row["type"] == kind:
            least, most = max(least, -(2**bits)), min(most, 2**bits - 1)
    return least, most
