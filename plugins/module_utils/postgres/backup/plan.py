# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a run would do, as a pure function of what it saw."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from ...core.check import PLANNED, SKIPPED, Action
from ...core.units import format_duration, format_value
from .collect import Database, Server
from .manifest import VERIFIED, Manifest, Proof
from .naming import DIRECTORY, Name, format_time
from .options import Options
from .repository import Backup, Listing
from .retention import Decision, decide
from .space import expected_bytes
from .verify import DUMP, REMOVE

KEEP = "backup.keep"


def planned_dump(database: Database, backups: Sequence[Backup], options: Options) -> Action:
    """The backup of one database, with what the last one lets expect."""
    size = expected_bytes(database.bytes, backups)
    reason = f"about {format_value(size, 'bytes')}, {options.form} format"
    if options.age_recipients:
        reason = f"about {format_value(size, 'bytes')}, encrypted"
    last = next((each.manifest for each in reversed(backups) if each.verified), None)
    estimate = None
    if last is not None and last.database_bytes:
        estimate = (last.finished - last.started) * database.bytes / last.database_bytes
        reason += f", about {format_duration(estimate)}"
    return Action(DUMP, PLANNED, reason, subject=database.name, bytes=size, estimate=estimate)


def planned_globals(server: Server) -> Action:
    """The backup of roles and other globals."""
    reason = "roles, memberships, tablespaces"
    if not server.superuser:
        reason += ", without passwords, which only a superuser can read"
    return Action(DUMP, PLANNED, reason, subject="globals")


def retention(listing: Listing, options: Options, now: float) -> list[Decision]:
    """What retention says of the backups of one database, oldest first."""
    return decide(listing.backups, options.keep, now) if options.keep is not None else []


def retention_plan(listing: Listing, options: Options, now: float) -> list[Action]:
    """What would go after the next backup, and which slot each one that stays fills."""
    coming = _coming(listing, now)
    foreseen = replace(listing, backups=[*listing.backups, coming])
    return [
        Action(
            KEEP if decision.keep else REMOVE,
            SKIPPED if decision.keep else PLANNED,
            f"kept: {decision.reason}" if decision.keep else decision.reason,
            subject=decision.backup.path,
            bytes=decision.backup.manifest.bytes if decision.backup.manifest else None,
        )
        for decision in retention(foreseen, options, now)
        if decision.backup is not coming
    ]


def _coming(listing: Listing, now: float) -> Backup:
    """The backup that the run would make, verified."""
    name = Name(format_time(now), DIRECTORY)
    manifest = Manifest(
        name=str(name),
        database=listing.database,
        started=now,
        finished=now,
        bytes=0,
        files=(),
        compression="",
        client_version="",
        server_version=0,
        system_identifier="",
        database_bytes=0,
        proofs=(Proof(VERIFIED, now, 0.0, VERIFIED),),
    )
    return Backup("", name, manifest)
