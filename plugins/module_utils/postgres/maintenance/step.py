# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One step of a plan: one statement for one table or index. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from ...core.check import Action
from ..relations import Inventory


@dataclass(frozen=True)
class Step:
    """One statement for one relation."""

    operation: str
    """One of `OPERATIONS`."""
    table: int
    """OID of the table, for an index as well."""
    quoted: str
    """The relation as written in SQL."""
    reason: str
    relation: int = 0
    """OID of the index; 0 for a table."""
    work: float = 0
    """Bytes that are read and written."""
    rank: float = 0
    """Within one operation, the highest goes first."""
    estimate: float = 0.0
    """Seconds."""
    space: int = 0
    """Bytes of free disk that it needs, in the tablespace."""
    tablespace: int = 0
    unsure: bool = False
    """Whether fresh statistics must confirm it."""
    skip: str = ""
    """Why it is skipped; empty for a step to carry out."""

    @property
    def oid(self) -> int:
        """OID of the relation that it is for."""
        return self.relation or self.table

    def action(self, status: str, reason: str = "") -> Action:
        """The step as the report shows it, with what more there is to say about it."""
        return Action(
            f"postgres.{self.operation}",
            status,
            f"{self.reason}: {reason}" if reason else self.reason,
            subject=self.quoted,
            estimate=round(self.estimate, 1),
        )


def statement(step: Step, inventory: Inventory) -> str:
    """The step in SQL."""
    if step.operation == "cleanup":
        return f"DROP INDEX CONCURRENTLY IF EXISTS {step.quoted}"
    if step.operation == "reindex":
        return f"REINDEX INDEX CONCURRENTLY {step.quoted}"
    if step.operation == "analyze":
        return f"ANALYZE {step.quoted}"
    settings = ["PARALLEL 0"]
    if step.operation == "freeze":
        settings.append("FREEZE")
    if inventory.facts["standbys"]:
        settings.append("TRUNCATE FALSE")  # truncating cancels queries on the standbys
    if inventory.facts["version"] >= 160000:
        settings.append("SKIP_DATABASE_STATS")
    return f"VACUUM ({', '.join(settings)}) {step.quoted}"
