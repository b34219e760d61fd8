# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Ending sessions, each only if it is still idle."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

from ...core.check import DONE, FAILED, PLANNED, SKIPPED, Action
from ...core.errors import NotCollected
from ...core.units import format_duration, pluralize
from ..connection import Connection
from ..health.sessions import who
from .plan import Plan
from .queries import END_SESSION
from .snapshot import Row, Snapshot, identity


def planned_actions(plan: Plan, snapshot: Snapshot) -> list[Action]:
    """What would be done about each session of a plan."""
    return [
        _action(session, PLANNED)
        if session["mine"]
        else _action(session, FAILED, _not_permitted(snapshot))
        for session in plan.ended
    ]


def apply(connection: Connection, plan: Plan, snapshot: Snapshot, actions: list[Action]) -> None:
    """End the sessions of a plan one by one and add the result of each to ``actions``.

    Raises like `Connection.rows` if the server is lost; the actions so far are there then.
    """
    for session in plan.ended:
        # Until the answer is there.
        actions.append(_action(session, FAILED, "whether it has ended is unknown"))
        actions[-1] = end_session(connection, session, snapshot)


def end_session(connection: Connection, session: Row, snapshot: Snapshot) -> Action:
    """End a session if it is still the one that was chosen and has not been used since."""
    if not session["mine"]:
        return _action(session, FAILED, _not_permitted(snapshot))
    started = time.monotonic()
    parameters = {key: session[key] for key in ("pid", "started", "since", "state")}
    try:
        rows = connection.rows("the end of a session", END_SESSION, parameters)
    except NotCollected as error:
        return _action(session, FAILED, f"{error}. {error.remedy}")
    is_same, ended = rows[0] if rows else (False, None)
    if not is_same or ended is False:
        return _action(session, SKIPPED, "it had already ended")
    if ended is None:
        return _action(session, SKIPPED, "it has been used since the plan was made")
    seconds = round(time.monotonic() - started, 3)
    done = _action(session, DONE)
    return replace(done, before=session["state"], after="ended", seconds=seconds)


def not_attempted(plan: Plan, actions: Sequence[Action]) -> list[Action]:
    """The sessions that were not reached before the server was lost."""
    reason = "not attempted, the connection to the server was lost"
    return [_action(session, SKIPPED, reason) for session in plan.ended[len(actions) :]]


def with_survivors(
    plan: Plan, actions: Sequence[Action], after: Snapshot, wait: float
) -> list[Action]:
    """The actions, those failed whose sessions are still there after so many seconds."""
    remaining = after.identities()
    reason = (
        f"pg_terminate_backend was sent, but it is still connected {wait:g} s later: "
        "check what its process is waiting for"
    )
    return [
        _action(session, FAILED, reason)
        if action.status == DONE and identity(session) in remaining
        else action
        for session, action in zip(plan.ended, actions)
    ]


def count(actions: Sequence[Action]) -> str:
    """``3 of 8 sessions ended, 1 failed, 4 left alone``."""
    found = Counter(action.status for action in actions)
    sessions = pluralize(len(actions), "session")
    if found[PLANNED]:
        return f"{found[FAILED]} of {sessions} could not be ended"
    text = f"{found[DONE]} of {sessions} ended"
    for status, word in ((FAILED, "failed"), (SKIPPED, "left alone")):
        if found[status]:
            text += f", {found[status]} {word}"
    return text


def describe_failures(actions: Sequence[Action]) -> str:
    """How many failed, and why the first did; empty if none did."""
    failed = [action for action in actions if action.status == FAILED]
    return f"{count(actions)}. {failed[0].subject}, {failed[0].reason}" if failed else ""


def _action(session: Row, status: str, reason: str = "") -> Action:
    client = session["client"] or "the local socket"
    text = (
        f"{who(session)}, user '{session['user']}', database '{session['database']}' from "
        f"{client}, {session['state']} for {format_duration(session['seconds'])}"
    )
    return Action(
        "postgres.end_session",
        status,
        f"{text}: {reason}" if reason else text,
        subject=f"pid {session['pid']}",
    )


def _not_permitted(snapshot: Snapshot) -> str:
    return (
        f"role '{snapshot.facts['role']}' lacks permission to end it; "
        f"as a superuser: GRANT pg_signal_backend TO {snapshot.quoted_role}"
    )
