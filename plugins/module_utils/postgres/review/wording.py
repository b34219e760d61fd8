# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the checks of PostgreSQL in depth say alike: what could not be seen, and where."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ...core.check import OK, UNKNOWN, Check
from ...core.thresholds import Thresholds
from ...core.units import format_duration, pluralize
from ..health.collect import Missing
from ..relations import Inventory
from .collect import Use

#: Rows of evidence for one check.
SHOWN = 20
#: Seconds in a day.
DAY = 86400.0
#: In place of whatever follows from counters.
UNCOUNTED = Missing(
    "track_counts is off, so PostgreSQL counts neither changes nor scans",
    "As a superuser: ALTER SYSTEM SET track_counts = on, and reload.",
)


def unseen(name: str, missing: Missing, thresholds: Thresholds, subject: str = "") -> Check:
    return thresholds.verdict(
        name, UNKNOWN, f"Not known: {missing.reason}", subject=subject, remedy=missing.remedy
    )


def host_port(subject: str, evidence: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    return {"subject": subject, "evidence": tuple(evidence[:SHOWN])}


def counted_since(use: Use | Missing, now: float) -> str:
    """The window of what PostgreSQL counts."""
    return (
        ""
        if isinstance(use, Missing) or use.since is None
        else f"since statistics reset {format_duration(max(0.0, now - use.since))} ago"
    )


def unless(
    check: Check, unknown: Sequence[str], what: str, seen: Inventory, thresholds: Thresholds
) -> Check:
    """The verdict, unless it is good only because something could not be looked at."""
    if check.status != OK or not unknown:
        return check
    what_else = "B-tree index" if what == "index" else what
    summary = f"Of {pluralize(len(unknown), 'large ' + what_else, 'large ' + what_else + ('es' if what == 'index' else 's'))} it is not known, "
    summary += f"such as {unknown[0]}: role '{seen.facts['role']}' may not see its statistics, or they are missing or too old"
    return thresholds.verdict(
        check.name, UNKNOWN, summary, subject=check.subject, remedy=_grant(unknown[0], what, seen)
    )


def _grant(name: str, what: str, seen: Inventory) -> str:
    """What lets the role see more of a table or index. Statistics of a table with row-level security are for those who see all of its rows."""
    relation = next((each for each in seen.relations.values() if each["quoted"] == name), {})
    table = seen.by_oid.get(relation.get("table", relation.get("oid")), {})
    role = f'"{seen.facts["role"]}"'
    grant = (
        f"ALTER ROLE {role} BYPASSRLS, for its row-level security"
        if table.get("row_security")
        else f"GRANT pg_read_all_data TO {role}"
    )
    if what == "index":
        tool = (
            f"GRANT pg_stat_scan_tables TO {role}"
            if seen.facts["tuple_tools"]
            else "CREATE EXTENSION pgstattuple"
        )
        grant += f", or {tool} to have bloat measured"
    return (
        f"ANALYZE it; if that is not enough, as a superuser in database '{seen.database}': {grant}."
    )
