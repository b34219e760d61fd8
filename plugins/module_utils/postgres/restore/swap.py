# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Exchanging databases by their names, in one transaction.

A rename first takes the lock that new connections need, then waits for the sessions in the database
to end, for five seconds at most. So new ones are held off by PostgreSQL itself, and only while the
transaction lasts: whatever is killed in the middle of it, everything is as it was before.
"""

from __future__ import annotations

import select
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass

from ...core.errors import Refused
from ..worker import StatementFailed
from .names import identifier, literal
from .queries import END_SESSIONS, IS_HELD, OID_OF
from .server import Control

#: Seconds to wait for the lock on the database; new connections wait as long.
LOCK_SECONDS = 3
#: Seconds between two questions whether new connections are held off.
_POLL = 0.005
_OBJECT_IN_USE = "55006"
_LOCK_NOT_AVAILABLE = "55P03"


@dataclass(frozen=True)
class Swapped:
    """How an exchange went."""

    held: float
    """Seconds for which no one could connect."""
    ended: int
    """Sessions that were ended."""


@dataclass(frozen=True)
class Rename:
    """One database, and what it is called afterwards."""

    name: str
    to: str
    comment: str | None
    """Its comment afterwards; none to remove it."""


def swap(
    session: Control, watcher: Control, renames: Sequence[Rename], more: Sequence[str] = ()
) -> Swapped:
    """Rename databases, all of them or none, and run further statements in the same transaction.

    ``watcher`` is another session, which ends those in the databases. Raises `Refused` if one of
    them is in use or locked; then nothing has changed. Raises like `Worker.ask`, too; if the
    connection is lost, whether it was done shows only afterwards.
    """
    _begin(session)
    held_since, ended = 0.0, 0
    try:
        for rename in renames:
            oid = watcher.ask("the database", OID_OF, {"name": rename.name})[0][0]
            session.start(
                f"ALTER DATABASE {identifier(rename.name)} RENAME TO {identifier(rename.to)}"
            )
            since, gone = _empty(session, watcher, oid)
            held_since = held_since or since
            ended += gone
        for statement in (*more, *(_comment(rename) for rename in renames)):
            session.execute("the databases", statement)
        session.execute("the databases", "COMMIT")
    except StatementFailed as error:
        _roll_back(session)
        raise _refusal(error) from None
    except BaseException:
        session.cancel()
        raise
    return Swapped(time.monotonic() - held_since, ended)


def _begin(session: Control) -> None:
    session.execute("the databases", f"BEGIN; SET LOCAL lock_timeout = '{LOCK_SECONDS}s'")


def _empty(session: Control, watcher: Control, oid: int) -> tuple[float, int]:
    """End the sessions in a database that is being renamed, once no new ones are let in.

    Returns since when that is, and how many sessions were ended.
    """
    since, ended = 0.0, 0
    parameters = {"pid": session.pid, "database": oid}
    while not session.poll():
        if not since and watcher.ask("its locks", IS_HELD, parameters)[0][0]:
            since = time.monotonic()
            ended = watcher.ask("its sessions", END_SESSIONS, parameters)[0][1]
        select.select([session], [], [], _POLL)
    return since or time.monotonic(), ended


def _comment(rename: Rename) -> str:
    comment = "NULL" if rename.comment is None else literal(rename.comment)
    return f"COMMENT ON DATABASE {identifier(rename.to)} IS {comment}"


def _roll_back(session: Control) -> None:
    with suppress(StatementFailed):
        session.execute("the databases", "ROLLBACK")


def _refusal(error: StatementFailed) -> Refused:
    if error.sqlstate == _OBJECT_IN_USE:
        return Refused(
            f"The database could not be freed of its sessions: {error}",
            "End them, and prepared transactions; a login that is a superuser, or has "
            "pg_signal_backend, can end those of other roles.",
        )
    if error.sqlstate == _LOCK_NOT_AVAILABLE:
        return Refused(
            f"Another session holds a lock on the database itself for more than {LOCK_SECONDS} s",
            "Find it: 'SELECT * FROM pg_locks WHERE classid = $$pg_database$$::regclass'.",
        )
    return Refused(f"The databases could not be renamed: {error}", "")
