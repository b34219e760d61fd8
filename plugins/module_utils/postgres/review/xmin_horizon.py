# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What holds back vacuum: the xmin horizon, and prepared transactions. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any

from ...core.check import OK, Check
from ...core.errors import NotCollected
from ...core.text import redact, shorten
from ...core.thresholds import Thresholds
from ..bloat import Row
from ..verdicts import unknown
from ..xmin_horizon import describe_holder
from .common import SHOWN, needs_pg_monitor
from .snapshot import Locks

HORIZON = "postgres.vacuum_horizon"
PREPARED = "postgres.prepared_transactions"


def xmin_horizon(locks: Locks, facts: Row, thresholds: Thresholds) -> Iterator[Check]:
    """Prepared transactions, and whatever else holds back vacuum."""
    holders = locks.horizon
    if isinstance(holders, NotCollected):
        yield unknown(HORIZON, holders, thresholds)
        yield unknown(PREPARED, holders, thresholds)
        return
    prepared = [row for row in holders if row["kind"] == "prepared transaction"]
    yield _prepared_transactions(prepared, facts, thresholds)
    check = _horizon(holders, facts, thresholds)
    counts = not facts["standby"] or facts["feedback"]
    if check.status == OK and not facts["sees_all"] and counts:
        error = needs_pg_monitor(facts, "lacks permission to see other users' sessions")
        check = unknown(HORIZON, error, thresholds)
    yield check


def _prepared_transactions(rows: Sequence[Row], facts: Row, thresholds: Thresholds) -> Check:
    if facts["standby"]:
        reason = "a standby does not show them; check the primary"
        return thresholds.not_judged(PREPARED, "No prepared transactions are visible", reason)
    if not rows:
        return thresholds.evaluate(PREPARED, 0.0, "No transaction is prepared")
    rows = sorted(rows, key=lambda row: -(row["seconds"] or 0))
    holder = _describe(rows[0])
    summary = f"{holder[0].upper()}{holder[1:]}, in database '{rows[0]['database']}'"
    age = round(max(0.0, rows[0]["seconds"]), 1)
    remedy = rollback({**rows[0], "name": rows[0]["whose"]})
    return thresholds.evaluate(PREPARED, age, summary, remedy=remedy, evidence=_evidence(rows))


def _horizon(holders: Sequence[Row], facts: Row, thresholds: Thresholds) -> Check:
    if facts["standby"] and not facts["feedback"]:
        summary = "A standby without hot_standby_feedback holds back no vacuum on its primary"
        return thresholds.evaluate(HORIZON, 0, summary)
    where = " on the primary" if facts["standby"] else ""
    if not holders:
        return thresholds.evaluate(HORIZON, 0, f"Nothing holds back vacuum{where}")
    age, holder = holders[0]["age"], _describe(holders[0])
    summary = f"Vacuum{where} cannot remove rows that died in the last {age:,} transactions"
    summary += f", because of {holder}"
    remedy, evidence = _release(holders[0], bool(facts["standby"])), _evidence(holders)
    return thresholds.evaluate(HORIZON, age, summary, remedy=remedy, evidence=evidence)


def rollback(prepared: Row) -> str:
    """How to end a prepared transaction, of which ``name`` is the quoted name."""
    name = name_of(prepared["name"])
    return (
        "Ask the transaction manager for its outcome; if it does not know, connect to database "
        f"'{prepared['database']}' and run ROLLBACK PREPARED {name} (or COMMIT PREPARED), as its "
        "owner or a superuser. No restart ends it."
    )


def name_of(quoted: str) -> str:
    """The quoted name of a prepared transaction; foreign text."""
    return shorten(redact(quoted), 210)


def _release(holder: Row, standby: bool) -> str:
    """How to end what holds back vacuum."""
    kind, whose = holder["kind"], name_of(holder["whose"])
    if kind == "prepared transaction":
        return rollback({**holder, "name": holder["whose"]})
    if kind == "replication slot":
        return (
            f"Get the consumer of slot {whose} going again; if it is gone for good, "
            f"SELECT pg_drop_replication_slot({whose})."
        )
    if kind == "standby":
        return (
            f"End the long query on standby {whose}, or set hot_standby_feedback = off there, "
            "after which its long queries are cancelled instead."
        )
    pid = re.match(r"pid (\d+)", holder["whose"])
    if pid is None or standby:
        return ""
    return f"If the session is not needed: SELECT pg_terminate_backend({pid[1]})."


def _evidence(rows: Sequence[Row]) -> tuple[dict[str, Any], ...]:
    return tuple(
        {"holder": _describe(row), "database": row["database"], "age": row["age"]}
        for row in rows[:SHOWN]
    )


def _describe(row: Row) -> str:
    """A holder; names of applications and prepared transactions are foreign text."""
    return describe_holder({**row, "whose": shorten(redact(row["whose"]), 100)})
