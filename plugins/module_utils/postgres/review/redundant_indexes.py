# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Indexes that another index makes redundant. Pure."""

from __future__ import annotations

from ...core.check import Check
from ...core.thresholds import Thresholds
from ...core.units import pluralize
from .common import evidence_of
from .index_use import IndexUse


def duplicate_indexes(use: IndexUse, subject: str, thresholds: Thresholds) -> Check:
    rows = []
    for oid, other in use.redundant.items():
        whole = use.wholes[oid]
        rows.append(
            {
                "drop": whole.index["quoted"],
                "keep": use.inventory.relations[other]["quoted"],
                "table": whole.index["table_name"],
                "bytes": whole.bytes,
                "statement": whole.drop,
            }
        )
    rows.sort(key=lambda row: -row["bytes"])
    summary = "No index duplicates another"
    if rows:
        count = pluralize(len(rows), "redundant index", "redundant indexes")
        summary = f"{count}; {rows[0]['keep']} covers {rows[0]['drop']}"
    more = evidence_of(subject, rows)
    return thresholds.evaluate("postgres.duplicate_indexes", len(rows), summary, **more)
