# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Collations that sort differently than when their indexes were built. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ...core.check import CRITICAL, OK, WARNING, Check
from ...core.errors import NotCollected
from ...core.thresholds import Thresholds
from ...core.units import pluralize
from ..bloat import Row
from ..verdicts import unknown
from .common import evidence_of
from .options import PROVIDERS_OWN
from .snapshot import Configuration, DatabaseSnapshot

NAME = "postgres.collations"


def collations(
    configuration: Configuration | NotCollected,
    snapshot: DatabaseSnapshot,
    database: str,
    subject: str,
    thresholds: Thresholds,
) -> Check:
    """Whether text is sorted as it was when the indexes of a database were built."""
    if isinstance(snapshot.settings, NotCollected):
        return unknown(NAME, snapshot.settings, thresholds, subject)
    if isinstance(configuration, NotCollected):
        return unknown(NAME, configuration, thresholds, subject)
    rows: list[Row] = [
        {**row, "collation": f"default of database '{row['database']}'"}
        for row in configuration.drift
        if row["database"] == database
    ]
    rows += snapshot.settings.drift
    changed = [row for row in rows if row["then"]]
    if changed:
        evidence = [
            {"collation": row["collation"], "then": row["then"], "now": row["now"]}
            for row in changed
        ]
        summary = f"{_name(changed[0], 'The ', 'Collation ')} {_change(changed[0])}"
        summary += ": they may not find rows"
        return thresholds.verdict(NAME, CRITICAL, summary, **evidence_of(subject, evidence))
    if rows:
        return _without_version(rows, subject, thresholds)
    summary = "Text is sorted as it was when its indexes were built"
    return thresholds.verdict(NAME, OK, summary, subject=subject)


def _without_version(rows: Sequence[Row], subject: str, thresholds: Thresholds) -> Check:
    if not any(row["now"] for row in rows):
        summary = f"{_name(rows[0], 'The ', 'Collation ')} has no version"
        reason = "this server cannot tell whether the operating system sorts as before"
        return thresholds.not_judged(NAME, summary, reason, subject=subject)
    error = NotCollected(
        f"PostgreSQL has no recorded version of {_name(rows[0], 'the ', '')}, so a change of its "
        "sort order goes unnoticed",
        "After an upgrade of the operating system, REINDEX the indexes on text, or verify them "
        "with amcheck.",
    )
    return unknown(NAME, error, thresholds, subject)


def other_databases(
    configuration: Configuration | NotCollected, reviewed: Sequence[str], thresholds: Thresholds
) -> Iterator[Check]:
    """Databases that are not reviewed, and templates, whose default collation has changed."""
    if isinstance(configuration, NotCollected):
        return
    judged_elsewhere = {*reviewed, *PROVIDERS_OWN}
    rows = [
        row
        for row in configuration.drift
        if row["then"] and row["database"] not in judged_elsewhere
    ]
    if not rows:
        return
    status = WARNING if all(row["template"] for row in rows) else CRITICAL
    rows.sort(key=lambda row: row["template"])
    databases = pluralize(len(rows), "other database")
    change = f"'{rows[0]['database']}' {_change(rows[0])}"
    summary = f"The default collation of {databases} has changed: {change}"
    evidence = [{key: row[key] for key in ("database", "then", "now")} for row in rows]
    yield thresholds.verdict(NAME, status, summary, **evidence_of("other databases", evidence))


def _name(row: Row, before_default: str, before_name: str) -> str:
    default = row["collation"].startswith("default")
    return f"{before_default if default else before_name}{row['collation']}"


def _change(row: Row) -> str:
    now = f"version {row['now']}" if row["now"] else "a library without versions"
    return f"sorts by {now} now, and its indexes were built with {row['then']}"
