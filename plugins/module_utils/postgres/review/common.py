# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the checks of a review have in common: evidence, windows, and what remains unknown. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ...core.check import OK, UNKNOWN, Check
from ...core.errors import NotCollected
from ...core.thresholds import Thresholds
from ...core.units import format_duration, pluralize
from ..bloat import Row
from ..relations import Inventory
from .snapshot import Usage

#: Rows of evidence for one check.
SHOWN = 20
#: Seconds in a day.
DAY = 86400.0
#: In place of what follows from counters.
NO_COUNTERS = NotCollected(
    "track_counts is off, so PostgreSQL counts neither changes nor scans",
    "As a superuser: ALTER SYSTEM SET track_counts = on, and reload.",
)


def needs_pg_monitor(facts: Row, reason: str) -> NotCollected:
    """What the role lacks permission for; ``reason`` follows its name."""
    remedy = f'As a superuser: GRANT pg_monitor TO "{facts["role"]}".'
    return NotCollected(f"role '{facts['role']}' {reason}", remedy)


def evidence_of(subject: str, rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The subject of a check and its first rows of evidence, as fields of a check."""
    return {"subject": subject, "evidence": tuple(rows[:SHOWN])}


def counted_since(usage: Usage | NotCollected, now: float) -> str:
    """The window of PostgreSQL's own counters."""
    if isinstance(usage, NotCollected) or usage.since is None:
        return ""
    return f"since statistics reset {format_duration(max(0.0, now - usage.since))} ago"


def unless_unknown(
    check: Check, unknown: Sequence[str], kind: str, inventory: Inventory, thresholds: Thresholds
) -> Check:
    """The verdict, or unknown if it is good only because some relations could not be judged.

    ``kind`` is ``table`` or ``index``, ``unknown`` are the names of these relations.
    """
    if check.status != OK or not unknown:
        return check
    nouns = ("large B-tree index", "large B-tree indexes") if kind == "index" else ("large table",)
    what = pluralize(len(unknown), *nouns)
    summary = (
        f"Unknown for {what}, such as {unknown[0]}: role '{inventory.facts['role']}' lacks "
        "permission to see its statistics, or they are missing or too old"
    )
    remedy = _how_to_see(unknown[0], kind, inventory)
    return thresholds.verdict(check.name, UNKNOWN, summary, subject=check.subject, remedy=remedy)


def _how_to_see(name: str, kind: str, inventory: Inventory) -> str:
    """What makes the statistics of a relation visible.

    Those of a table with row-level security are for roles that see all of its rows.
    """
    relations = inventory.relations.values()
    relation = next((each for each in relations if each["quoted"] == name), {})
    table = inventory.by_oid.get(relation.get("table", relation.get("oid")), {})
    role = f'"{inventory.facts["role"]}"'
    grant = f"GRANT pg_read_all_data TO {role}"
    if table.get("row_security"):
        grant = f"ALTER ROLE {role} BYPASSRLS, for its row-level security"
    if kind == "index":
        tool = "CREATE EXTENSION pgstattuple"
        if inventory.facts["tuple_tools"]:
            tool = f"GRANT pg_stat_scan_tables TO {role}"
        grant += f", or {tool} to have bloat measured"
    where = f"as a superuser in database '{inventory.database}'"
    return f"ANALYZE it; if that is not enough, {where}: {grant}."
