# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Parameters that endanger data, and tables without autovacuum. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from ...core.check import CRITICAL, OK, WARNING, Check, worst
from ...core.errors import NotCollected
from ...core.thresholds import Thresholds
from ...core.units import pluralize
from ..bloat import Row
from ..verdicts import unknown
from .common import evidence_of, needs_pg_monitor
from .snapshot import Configuration, DatabaseSnapshot

SETTINGS = "postgres.settings"
#: By parameter: the dangerous value, the status, and why.
DANGEROUS: Mapping[str, tuple[str, str, str]] = {
    "fsync": ("off", CRITICAL, "a crash of the host destroys the database"),
    "full_page_writes": ("off", CRITICAL, "a crash of the host can damage pages"),
    "zero_damaged_pages": ("on", CRITICAL, "damaged pages are emptied when they are read"),
    "ignore_checksum_failure": ("on", CRITICAL, "damaged pages are read as if they were intact"),
    "autovacuum": (
        "off",
        CRITICAL,
        "dead rows pile up, and the server stops before transaction IDs wrap around",
    ),
    "track_counts": ("off", CRITICAL, "autovacuum does not know what to do"),
    "track_activities": ("off", WARNING, "what sessions do is not visible"),
}


def settings(
    configuration: Configuration | NotCollected, facts: Row, thresholds: Thresholds
) -> Iterator[Check]:
    """Parameters of the server."""
    if isinstance(configuration, NotCollected):
        yield unknown(SETTINGS, configuration, thresholds)
        return
    yield _parameters(configuration, facts, thresholds)


def _parameters(configuration: Configuration, facts: Row, thresholds: Thresholds) -> Check:
    problems = list(_problems(configuration.parameters, facts))
    if problems:
        status = worst(status for status, _text in problems)
        return thresholds.verdict(SETTINGS, status, "; ".join(text for _status, text in problems))
    own = sorted(
        name
        for name, row in configuration.parameters.items()
        if row.get("own") and name in DANGEROUS
    )
    if own:
        names = ", ".join(own)
        error = NotCollected(
            f"role '{facts['role']}' or its database has its own value for {names}, which hides "
            "the server's",
            "Check with a role and database that have none (pg_db_role_setting).",
        )
        return unknown(SETTINGS, error, thresholds)
    if not facts["sees_settings"]:
        reason = "does not see all parameters, so a hidden one may wait for a restart"
        return unknown(SETTINGS, needs_pg_monitor(facts, reason), thresholds)
    summary = "No parameter endangers data, none waits for a restart"
    return thresholds.verdict(SETTINGS, OK, summary)


def _problems(parameters: Mapping[str, Row], facts: Row) -> Iterator[tuple[str, str]]:
    """Status and text of each problem."""
    for name, (bad, status, reason) in DANGEROUS.items():
        row = parameters.get(name)
        if row and not row.get("own") and row["value"] == bad:
            yield status, f"{name} is {bad}: {reason}"
    waiting = sorted(name for name, row in parameters.items() if row["restart"])
    if waiting:
        names = ", ".join(waiting)
        yield WARNING, f"{names}: changed in the file, but takes effect only after a restart"
    if 140000 <= facts["number"] < 140004:
        text = "PostgreSQL 14.0 to 14.3 can damage indexes that are built concurrently"
        yield CRITICAL, f"{text}: install the latest 14"


def without_autovacuum(
    snapshot: DatabaseSnapshot, subject: str, thresholds: Thresholds
) -> Iterator[Check]:
    """Tables for which autovacuum is off, if there are any."""
    if isinstance(snapshot.settings, NotCollected) or not snapshot.settings.without_autovacuum:
        return
    names = snapshot.settings.without_autovacuum
    tables = pluralize(len(names), "table")
    summary = (
        f"autovacuum_enabled is off for {tables}, such as {names[0]}: dead rows are never removed"
    )
    remedy = f"ALTER TABLE {names[0]} RESET (autovacuum_enabled), unless something else vacuums it."
    more = evidence_of(subject, [{"table": name} for name in names])
    yield thresholds.verdict(SETTINGS, WARNING, summary, remedy=remedy, **more)
