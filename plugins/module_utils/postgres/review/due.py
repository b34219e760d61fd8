# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which tables autovacuum ought to vacuum or analyze at this moment, by its own formula. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from ..maintenance.options import Options
from ..maintenance.plan import make_plan
from ..maintenance.step import Step
from ..relations import Inventory, Row

#: What autovacuum does: it comes for dead rows and inserted ones, against wraparound, and for statistics.
OPTIONS = Options(operations=("vacuum", "analyze"), dead_share=100)
#: Nobody is in a hurry here.
RATES = {"vacuum": float("inf"), "analyze": float("inf")}


def due_steps(seen: Inventory) -> Mapping[str, Sequence[Step]]:
    """What is to be vacuumed and analyzed, without the tables that somebody vacuums or analyzes right now.

    Neither ages nor rights are those of the plan: maintenance freezes early and needs rights, autovacuum does neither.
    """
    idle = [table for table in seen.tables if not table["worked"]]
    steps = make_plan(
        replace(
            seen,
            tables=[{**table, "xid_age": 0, "mxid_age": 0, "mine": True} for table in idle],
            indexes=[],
        ),
        OPTIONS,
        RATES,
        {},
    ).steps
    frozen = [step for table in idle for step in _freeze(table, seen)]
    early = {step.table for step in frozen}
    vacuums = [step for step in steps if step.operation == "vacuum" and step.table not in early]
    return {
        "vacuum": [*sorted(frozen, key=lambda step: -step.rank), *vacuums],
        "analyze": [step for step in steps if step.operation == "analyze"],
    }


def _freeze(table: Row, seen: Inventory) -> list[Step]:
    """Whether autovacuum has to come against wraparound; a table can make that age smaller, never greater."""
    for key, name, usual, what in (
        ("xid_age", "autovacuum_freeze_max_age", 200_000_000, "transaction"),
        ("mxid_age", "autovacuum_multixact_freeze_max_age", 400_000_000, "multixact"),
    ):
        limit, own = (
            float((seen.facts["settings"] or {}).get(name, usual)),
            (table["options"] or {}).get(name),
        )
        limit = limit if own is None else min(limit, float(own))
        age = table[key] or 0
        if age > limit:
            words = f"its oldest {what} id is {age:,} ids old, beyond {name} ({limit:,.0f})"
            return [Step("freeze", table["oid"], table["quoted"], words, rank=age)]
    return []
