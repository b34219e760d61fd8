# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who holds PostgreSQL's connection slots, and ending the sessions that do not use theirs."""

from __future__ import annotations

import time

from ...core.check import CRITICAL, DONE, OK, Check
from ...core.confirmation import require_confirmation
from ...core.deadline import DeadlineExceeded
from ...core.errors import NotCollected, Unreachable
from ...core.operation import Outcome
from ...core.thresholds import Thresholds
from ..advisory_lock import HOLDERS, SESSIONS, TAKE_IN_TRANSACTION, holder_of
from ..connection import Connection
from ..verdicts import unknown, unreachable
from .apply import apply, count, describe_failures, not_attempted, planned_actions, with_survivors
from .options import Options
from .plan import Plan, make_plan
from .snapshot import Row, Snapshot, begin, collect
from .verify import CHECK, ReliefVerdict, cannot_see, usage_checks


def list_sessions(connection: Connection, thresholds: Thresholds) -> Outcome:
    """Who holds the slots; nothing is ended. ``connection`` is not open yet."""
    try:
        connection.open()
        facts = begin(connection)
        try:
            checks = usage_checks(collect(connection, facts), thresholds)
        except NotCollected as error:
            checks = [unknown("postgres.connections", error, thresholds)]
    except Unreachable as error:
        return Outcome([unreachable(error, thresholds)])
    except DeadlineExceeded:
        return Outcome([unreachable(connection.no_answer(), thresholds)])
    return Outcome([_reachable(connection, facts, thresholds), *checks])


def relieve(
    connection: Connection, options: Options, thresholds: Thresholds, check_mode: bool
) -> Outcome:
    """End idle sessions until no more slots than the target are in use; check mode ends none.

    ``connection`` is not open yet. Raises `UsageError` unless ``confirm`` names the database; it
    may be empty in check mode. The result ``confirmed`` is described in the module.
    """
    confirmed = _is_confirmed(options, connection.target.database, check_mode)
    try:
        connection.open()
        facts = begin(connection)
        confirmed = _is_confirmed(options, connection.database, check_mode)
        if confirmed is False:
            require_confirmation(options.confirm, "database", connection.database)
        if not check_mode:
            _take_lock(connection)
        snapshot = collect(connection, facts)
    except NotCollected as error:
        check = thresholds.verdict(CHECK, CRITICAL, f"Unknown: {error}", remedy=error.remedy)
        return Outcome([check], [], _nothing_ended(error), {"confirmed": confirmed})
    except Unreachable as error:
        return _not_reached(error, thresholds, confirmed)
    except DeadlineExceeded:
        return _not_reached(connection.no_answer(), thresholds, confirmed)
    outcome = _relieve(connection, snapshot, options, thresholds, check_mode)
    outcome.results["confirmed"] = confirmed
    return outcome


def _relieve(
    connection: Connection,
    snapshot: Snapshot,
    options: Options,
    thresholds: Thresholds,
    check_mode: bool,
) -> Outcome:
    plan = make_plan(snapshot.sessions, snapshot.slots, options)
    verdict = ReliefVerdict(snapshot, plan, options, thresholds)
    usage = usage_checks(snapshot, thresholds)
    if not plan.over:
        return Outcome([*usage, verdict.unnecessary()])
    if snapshot.lacks_permission:
        return Outcome([*usage, verdict.not_permitted()], [], cannot_see(snapshot))
    if not check_mode:
        return _carry_out(connection, snapshot, plan, options, thresholds)
    actions = planned_actions(plan, snapshot)
    problem = describe_failures(actions)
    check = verdict.failed(problem) if problem else verdict.planned(connection.database)
    return Outcome([*usage, check], actions, problem)


def _carry_out(
    connection: Connection,
    snapshot: Snapshot,
    plan: Plan,
    options: Options,
    thresholds: Thresholds,
) -> Outcome:
    """End the sessions, wait a moment, and verify the result."""
    outcome = Outcome()
    try:
        apply(connection, plan, snapshot, outcome.actions)
        if any(action.status == DONE for action in outcome.actions):
            time.sleep(options.wait)
        after = collect(connection, snapshot.facts)
    except (Unreachable, NotCollected) as error:
        return _lost(error, plan, outcome, thresholds)
    except DeadlineExceeded:
        return _lost(connection.no_answer(), plan, outcome, thresholds)
    outcome.actions = with_survivors(plan, outcome.actions, after, options.wait)
    outcome.problem = describe_failures(outcome.actions)
    verdict = ReliefVerdict(snapshot, plan, options, thresholds)
    check = verdict.carried_out(outcome.actions, after)
    if outcome.problem:
        check = verdict.failed(outcome.problem)
    outcome.checks = [*usage_checks(after, thresholds), check]
    return outcome


def _lost(
    error: Unreachable | NotCollected, plan: Plan, outcome: Outcome, thresholds: Thresholds
) -> Outcome:
    """The server was lost while sessions were being ended, or did not show the result."""
    outcome.actions += not_attempted(plan, outcome.actions)
    result = f"{count(outcome.actions)}; how many connections are in use now is unknown"
    outcome.problem = f"{error}. {result}"
    check = thresholds.verdict(CHECK, CRITICAL, f"{result}: {error}", remedy=error.remedy)
    if isinstance(error, Unreachable):
        check = unreachable(error, thresholds)
    outcome.checks = [check]
    return outcome


def _is_confirmed(options: Options, database: str, check_mode: bool) -> bool | None:
    """Whether ``confirm`` names the database; none if it is empty in check mode."""
    if check_mode and not options.confirm:
        return None
    return options.confirm == database


def _take_lock(connection: Connection) -> None:
    """Keep other runs from the server; raises `NotCollected` while another one holds the lock."""
    taken = connection.rows("its locks", TAKE_IN_TRANSACTION, SESSIONS)[0][0]
    # The slots are the server's, so a run in another database counts as well.
    holders = connection.rows("its locks", HOLDERS, SESSIONS)
    if holders or not taken:
        raise NotCollected(
            f"another run is ending sessions of this server: {holder_of(holders)}",
            "Wait until it has ended, then run it again.",
        )


def _not_reached(error: Unreachable, thresholds: Thresholds, confirmed: bool | None) -> Outcome:
    check = unreachable(error, thresholds)
    return Outcome([check], [], _nothing_ended(error), {"confirmed": confirmed})


def _nothing_ended(error: NotCollected | Unreachable) -> str:
    return f"Nothing was ended: {error}. {error.remedy}"


def _reachable(connection: Connection, facts: Row, thresholds: Thresholds) -> Check:
    version = facts["version"].split()[0]
    summary = f"PostgreSQL {version} at {connection.address} answers"
    seconds = round(connection.connect_seconds, 6)
    return thresholds.verdict("postgres.reachable", OK, summary, value=seconds)
