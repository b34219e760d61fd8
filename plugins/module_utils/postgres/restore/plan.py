# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a restore, a reversal or a clean-up does, and why it must not. Pure."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ...core.check import PLANNED, Action
from ...core.errors import NotCollected, Refused, UsageError
from ...core.units import format_duration, format_value, pluralize
from ..backup.manifest import Manifest
from ..backup.repository import Backup
from .names import BEFORE, KINDS, RESTORE, REVERTED, Mark, format_time
from .options import Options
from .properties import statements
from .server import Database, Snapshot

_DAY = 86400.0


@dataclass(frozen=True)
class Plan:
    """What is done to one database."""

    database: str
    actions: tuple[Action, ...]
    """As check mode shows them."""
    lost: tuple[str, ...] = ()
    """What the database has and the restored one cannot have, such as replication slots."""
    drop: tuple[Database, ...] = field(default=())
    """Databases of ours to drop."""


def planned(name: str, subject: str, reason: str, **more: Any) -> Action:
    return Action(name, PLANNED, reason, subject, **more)


def plan_restore(
    snapshot: Snapshot, database: str, backup: Backup, manifest: Manifest, options: Options
) -> Plan:
    """The steps of a restore; raises `Refused` or `UsageError` if it must not be done."""
    live = snapshot.databases.get(database)
    _require_rights(snapshot)
    require_roles(snapshot.server, manifest)
    require_extensions(snapshot.server, manifest)
    if live is not None:
        require_own(options, database, manifest)
        require_free(live)
    size = format_value(manifest.database_bytes, "bytes")
    new = f"{database}_{RESTORE}_<time>"
    actions = [
        planned("restore.drop", one.name, "left by a run that was interrupted")
        for one in snapshot.leftovers()
    ]
    if live is not None and options.safety_backup:
        actions.append(planned("backup.dump", database, "so that nothing newer is lost"))
    estimate = restore_seconds(manifest)
    actions += [
        planned("restore.create", new, f"for {backup.name}"),
        planned("restore.load", new, f"{size} from {backup.path}", estimate=estimate),
        planned("restore.compare", new, f"{pluralize(len(manifest.tables), 'table')} with it"),
        planned("restore.analyze", new, "statistics for all tables"),
        planned("restore.swap", database, _swap_reason(live)),
    ]
    return Plan(database, tuple(actions), tuple(_lost(live)))


def restore_seconds(manifest: Manifest) -> float | None:
    """How long the newest restore of this backup took; none if there was none."""
    taken = [proof.seconds for proof in manifest.proofs if proof.level > 3]
    return taken[-1] if taken else None


def _swap_reason(live: Database | None) -> str:
    if live is None:
        return "there is no database of this name yet"
    sessions = pluralize(live.facts["sessions"], "session")
    return f"{sessions} ended; it stays as {live.name}_{BEFORE}_<time>"


def _lost(live: Database | None) -> list[str]:
    if live is None:
        return []
    lost = [f"replication slot {name}" for name in live.facts["slots"] or ()]
    if live.facts["subscriptions"]:
        lost.append(pluralize(live.facts["subscriptions"], "subscription"))
    return lost


def _require_rights(snapshot: Snapshot) -> None:
    server = snapshot.server
    if server["standby"]:
        raise Refused(
            "The server is a standby, where nothing can be restored",
            "Give a database_url that leads to the primary.",
        )
    if not server["createdb"]:
        raise Refused(
            f"Role '{server['user']}' lacks permission to create databases",
            f'As a superuser: ALTER ROLE "{server["user"]}" CREATEDB; or give the login of a '
            "superuser as postgres_backup_url.",
        )


def require_roles(server: Mapping[str, Any], manifest: Manifest) -> None:
    """Raise `Refused` unless every role that owns something in the backup exists."""
    missing = [role for role in manifest.roles if role not in server["roles"]]
    if missing:
        raise Refused(
            f"The server lacks {pluralize(len(missing), 'role')} of the backup, which own objects "
            f"or are granted something: {', '.join(missing)}",
            "Create them first; @globals in backup_dir holds them all.",
        )


def require_extensions(server: Mapping[str, Any], manifest: Manifest) -> None:
    """Raise `Refused` unless every extension of the backup is installed on the server."""
    available = server["extensions"] or ()
    missing = [name for name, _v, _s in manifest.extensions if name not in available]
    if missing:
        raise Refused(
            f"The server lacks {pluralize(len(missing), 'extension')} of the backup: "
            f"{', '.join(missing)}",
            "Install their packages on the database's host.",
        )


def require_free(live: Database) -> None:
    """Raise `Refused` if a database cannot be renamed whatever sessions are ended."""
    if live.facts["prepared"]:
        count = pluralize(live.facts["prepared"], "prepared transaction")
        raise Refused(
            f"Database '{live.name}' has {count}, which keep it from being renamed",
            "Commit them or roll them back: SELECT * FROM pg_prepared_xacts.",
        )


def require_own(options: Options, database: str, manifest: Manifest) -> None:
    """Raise `UsageError` if a database would be replaced by another one without ``source``."""
    if manifest.database not in (database, options.source):
        raise UsageError(
            f"source: the backup is of database {manifest.database!r}; to replace {database!r} by "
            f"it, give {manifest.database!r}"
        )


def plan_reversal(snapshot: Snapshot, database: str) -> tuple[Plan, Database]:
    """Bring back what was replaced last; raises `NotCollected` or `Refused` if that cannot be."""
    kept = _kept(snapshot, database)
    if not kept:
        raise NotCollected(
            f"Nothing can be brought back: the server keeps no earlier database '{database}'",
            "Restore a backup.",
        )
    newest = kept[-1]
    _require_rights(snapshot)
    live = snapshot.databases.get(database)
    if live is not None:
        require_free(live)
    stays = f"; the present one stays as {database}_{REVERTED}_<time>" if live else ""
    reason = f"{newest.name} is brought back{stays}"
    return Plan(database, (planned("restore.revert", database, reason),)), newest


def plan_cleaning(snapshot: Snapshot, database: str, options: Options, now: float) -> Plan:
    """Which kept databases are older than the limit."""
    old = [
        kept for kept in _kept(snapshot, database, REVERTED) if _age(kept, now) > options.keep_days
    ]
    actions = [
        planned("restore.drop", one.name, drop_reason(one, now), bytes=one.facts["bytes"])
        for one in old
    ]
    return Plan(database, tuple(actions), drop=tuple(old))


def drop_reason(kept: Database, now: float) -> str:
    return f"kept for {format_duration(_age(kept, now) * _DAY)}"


def _age(kept: Database, now: float) -> float:
    """In days; one made in the future, by another clock, has none."""
    return max(0.0, now - kept.mark.made) / _DAY if kept.mark else 0.0


def _kept(snapshot: Snapshot, database: str, *more: str) -> list[Database]:
    """The databases that were replaced, oldest first; of all databases if none is named."""
    return sorted(
        (
            one
            for one in snapshot.marked(BEFORE, *more)
            if one.mark and database in ("", one.mark.database)
        ),
        key=lambda one: one.mark.time if one.mark else "",
    )


def new_mark(kind: str, snapshot: Snapshot, database: str, comment: str | None = None) -> Mark:
    """A mark of this moment, later than every other of the database if the clock was set back."""
    made = [
        one.mark.made
        for one in snapshot.marked(*KINDS)
        if one.mark and one.mark.database == database
    ]
    moment = max([time.time(), *(other + 1 for other in made)])
    return Mark(kind, format_time(moment), database, comment or "")


def carried(
    server: Mapping[str, Any], database: str, properties: Mapping[str, Any]
) -> tuple[list[str], list[str]]:
    """Statements that give a database its properties, and what is left out without a role."""
    found = list(statements(database, properties))
    left_out = [each.what for each in found if each.role and each.role not in server["roles"]]
    return [each.sql for each in found if each.what not in left_out], left_out
