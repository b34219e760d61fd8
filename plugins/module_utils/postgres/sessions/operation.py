# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who holds PostgreSQL's connection slots, and ending the sessions that hold them for nothing."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

from ...core.check import (
    CRITICAL,
    DONE,
    FAILED,
    OK,
    PLANNED,
    SKIPPED,
    UNKNOWN,
    WARNING,
    Action,
    Check,
)
from ...core.deadline import DeadlineExceeded
from ...core.errors import NotCollected, Unreachable, UsageError
from ...core.operation import Outcome
from ...core.thresholds import Thresholds
from ...core.units import format_duration, pluralize
from ..advisory_lock import HOLDERS, TAKE_IN_TRANSACTION, holder_of
from ..advisory_lock import SESSIONS as SESSIONS_CLAIM
from ..connection import Connection
from ..health.queries import FACTS
from ..health.sessions import connections, who
from ..verdicts import unreachable
from .plan import Plan, Row, Rules, Slots, application, cure, make_plan

# Without the right to see other users' sessions, backend_type and all that is personal is null in their rows.
# That a session listens, or has prepared a transaction, only its last statement shows.
# A transaction sees the same sessions over and over, unless it forgets what it has seen.
SESSIONS = """
SELECT /* gpt_agent.runbook */ pg_stat_clear_snapshot();
WITH /* gpt_agent.runbook */ session AS MATERIALIZED (
  SELECT s.pid, s.application_name AS application, s.usename AS "user", quote_ident(s.usename) AS role, s.datname AS database,
         host(s.client_addr) AS client,
         CASE WHEN s.backend_type IS NULL OR s.state = 'disabled' THEN 'hidden' ELSE coalesce(s.state, 'starting') END AS state,
         s.backend_start AS started, s.state_change AS since,
         extract(epoch FROM clock_timestamp() - s.state_change)::float8 AS seconds,
         coalesce(r.rolsuper, true) AS superuser,
         coalesce(r.rolreplication, false) AS replication,
         coalesce(s.query ~* '[[:<:]]listen[[:>:]]', false) AS listens,
         s.query ~* '[[:<:]]prepare[[:space:]]+transaction[[:>:]]'
           AND EXISTS (SELECT FROM pg_prepared_xacts x WHERE x.owner = s.usename AND x.database = s.datname) AS prepared,
         s.pid IN (SELECT l.pid FROM pg_locks l WHERE l.locktype = 'advisory' AND l.pid IS NOT NULL) AS locks,
         r.oid IS NOT NULL AND (pg_has_role(current_user, r.oid, 'USAGE') OR pg_has_role(current_user, 'pg_signal_backend', 'USAGE')) AS mine
  FROM pg_stat_activity s LEFT JOIN pg_roles r ON r.oid = s.usesysid
  WHERE s.pid <> pg_backend_pid()
    AND (s.backend_type = 'client backend' OR s.backend_type IS NULL AND s.datname IS NOT NULL AND s.usename IS NOT NULL)
)
SELECT
  (SELECT json_agg(s) FROM session s),
  (SELECT json_object_agg(rolname, rolconnlimit) FROM pg_roles WHERE rolconnlimit > 0 AND rolcanlogin AND NOT rolsuper),
  (SELECT json_object_agg(datname, datconnlimit) FROM pg_database WHERE datconnlimit > 0),
  quote_ident(current_user)
"""

# The last look at a session and its end are one statement. A session that did anything since it was chosen has another state_change.
END = """
SELECT /* gpt_agent.runbook */ pg_stat_clear_snapshot();
SELECT /* gpt_agent.runbook */ s.backend_start = %(started)s::timestamptz,
       CASE WHEN s.backend_start = %(started)s::timestamptz AND s.state_change = %(since)s::timestamptz AND s.state = %(state)s
            THEN pg_terminate_backend(s.pid) END
FROM pg_stat_activity s WHERE s.pid = %(pid)s
"""


class Seen(NamedTuple):
    """One look at the server; plain data."""

    facts: Row
    sessions: Sequence[Row]
    role_limits: Mapping[str, int]
    database_limits: Mapping[str, int]
    role: str
    """The role that looks, as it is written in SQL."""

    @property
    def slots(self) -> list[Slots]:
        """All slots first, then those of roles and databases with limits of their own."""
        usable = max(1, self.facts["max_connections"] - self.facts["reserved"])
        found = [Slots(usable, "usable connections")]
        found += [
            Slots(limit, f"connections of role '{role}'", user=role)
            for role, limit in sorted(self.role_limits.items())
        ]
        return found + [
            Slots(limit, f"connections to database '{name}'", database=name)
            for name, limit in sorted(self.database_limits.items())
        ]

    @property
    def hidden(self) -> int:
        return sum(session["state"] == "hidden" for session in self.sessions)


def look(connection: Connection, rules: Rules, thresholds: Thresholds) -> Outcome:
    """Who holds the slots; nothing is ended."""
    seen = inspect(connection)
    plan = make_plan(seen.sessions, seen.slots, rules)
    return Outcome(
        [
            *usage(seen, thresholds),
            relief(seen, plan, rules, thresholds, connection.database, Outcome()),
        ]
    )


def relieve(
    connection: Connection, rules: Rules, thresholds: Thresholds, confirm: str | None, wait: float
) -> Outcome:
    """End idle sessions until no more slots than wanted are in use; ``confirm`` is none in check mode, which ends none."""
    facts: Row = connection.begin("itself", FACTS)[0][0]
    if confirm is not None:
        _claim(connection, confirm)
    seen = inspect(connection, facts)
    plan = make_plan(seen.sessions, seen.slots, rules)
    outcome = Outcome()
    if plan.over and seen.hidden and not facts["sees_all"]:
        outcome = Outcome(problem=_blind(seen))
    elif confirm is None:
        outcome.actions = [_planned(session, seen) for session in plan.ended]
    else:
        return _carry_out(connection, seen, plan, outcome, rules, thresholds, wait)
    outcome.problem = outcome.problem or _failures(outcome.actions)
    outcome.checks = [
        *usage(seen, thresholds),
        relief(seen, plan, rules, thresholds, connection.database, outcome),
    ]
    return outcome


def _claim(connection: Connection, confirm: str) -> None:
    """Make sure that this is the server that is meant, and that nobody else ends its sessions at the same time."""
    if confirm != connection.database:
        given = f", not '{confirm}'" if confirm else ""
        raise UsageError(
            f"confirm: sessions are ended only where it names the database that database_url leads to; give '{connection.database}'{given}"
        )
    taken = connection.rows("its locks", TAKE_IN_TRANSACTION, SESSIONS_CLAIM)[0][0]
    holders = connection.rows(
        "its locks", HOLDERS, SESSIONS_CLAIM
    )  # the slots are the server's, so one of another database counts as well
    if holders or not taken:
        raise NotCollected(
            f"another run is ending sessions of this server: {holder_of(holders)}",
            "Wait until it is through, then look again.",
        )


def inspect(connection: Connection, facts: Row | None = None) -> Seen:
    facts = facts or connection.begin("itself", FACTS)[0][0]
    sessions, role_limits, database_limits, role = connection.rows("its sessions", SESSIONS)[0]
    return Seen(facts, sessions or [], role_limits or {}, database_limits or {}, role)


def _carry_out(
    connection: Connection,
    seen: Seen,
    plan: Plan,
    outcome: Outcome,
    rules: Rules,
    thresholds: Thresholds,
    wait: float,
) -> Outcome:
    """End the sessions one by one, then see what became of it."""
    try:
        for session in plan.ended:
            outcome.actions.append(
                _told(session, FAILED, "whether it was ended is not known")
            )  # until the answer is there
            outcome.actions[-1] = end(connection, session, seen)
        if any(action.status == DONE for action in outcome.actions):
            time.sleep(wait)
        now = inspect(connection, seen.facts)
    except (Unreachable, DeadlineExceeded) as lost:
        refusal = lost if isinstance(lost, Unreachable) else connection.no_answer()
        outcome.actions += [
            _told(session, SKIPPED, "the server was lost before its turn")
            for session in plan.ended[len(outcome.actions) :]
        ]
        outcome.problem = f"{refusal}. {_count(outcome.actions)}; how many connections are in use now is not known"
        outcome.checks = [unreachable(refusal, thresholds)]
        return outcome
    left = {(session["pid"], session["started"]) for session in now.sessions}
    for place, session in enumerate(plan.ended):
        if (session["pid"], session["started"]) in left and outcome.actions[place].status == DONE:
            outcome.actions[place] = _told(
                session,
                FAILED,
                f"it was told to end and is still there {wait:g} s later: see what its process waits for",
            )
    outcome.problem = _failures(outcome.actions)
    outcome.checks = [
        *usage(now, thresholds),
        relief(seen, plan, rules, thresholds, connection.database, outcome, now),
    ]
    return outcome


def end(connection: Connection, session: Row, seen: Seen) -> Action:
    """End a session, if it is still the one that was chosen and has done nothing since."""
    if not session["mine"]:
        return _told(session, FAILED, _powerless(seen))
    started = time.monotonic()
    try:
        rows = connection.rows(
            "the end of a session",
            END,
            {key: session[key] for key in ("pid", "started", "since", "state")},
        )
    except NotCollected as problem:
        return _told(session, FAILED, f"{problem}. {problem.remedy}")
    if not rows or not rows[0][0] or rows[0][1] is False:
        return _told(session, SKIPPED, "it had ended by itself")
    if rows[0][1] is None:
        return _told(session, SKIPPED, "it has been used since it was chosen")
    return replace(
        _told(session, DONE),
        before=session["state"],
        after="ended",
        seconds=round(time.monotonic() - started, 3),
    )


def _planned(session: Row, seen: Seen) -> Action:
    return _told(session, PLANNED) if session["mine"] else _told(session, FAILED, _powerless(seen))


def _told(session: Row, status: str, reason: str = "") -> Action:
    where = f"user '{session['user']}', database '{session['database']}' from {session['client'] or 'the local socket'}"
    words = f"{who(session)}, {where}, {session['state']} for {format_duration(session['seconds'])}"
    return Action(
        "postgres.end_session",
        status,
        f"{words}: {reason}" if reason else words,
        subject=f"pid {session['pid']}",
    )


def _powerless(seen: Seen) -> str:
    return f"role '{seen.facts['role']}' may not end it; as a superuser: GRANT pg_signal_backend TO {seen.role}"


def _blind(seen: Seen) -> str:
    text = f"Nothing was ended: role '{seen.facts['role']}' may not see what {pluralize(seen.hidden, 'session')} of other users do"
    return f"{text}; as a superuser: GRANT pg_monitor TO {seen.role}"


def _failures(actions: Sequence[Action]) -> str:
    failed = [action for action in actions if action.status == FAILED]
    return f"{_count(actions)}. {failed[0].subject}, {failed[0].reason}" if failed else ""


def _count(actions: Sequence[Action]) -> str:
    found = Counter(action.status for action in actions)
    if found[PLANNED]:
        return f"{found[FAILED]} of {pluralize(len(actions), 'session')} could not be ended"
    others = [
        f", {found[status]} {words}"
        for status, words in ((FAILED, "failed"), (SKIPPED, "left alone"))
        if found[status]
    ]
    return f"{found[DONE]} of {pluralize(len(actions), 'session')} ended{''.join(others)}"


# --- verdicts -----------------------------------------------------------------------------------------------------


def usage(seen: Seen, thresholds: Thresholds) -> list[Check]:
    """How many slots are taken, and by whom."""
    groups: dict[tuple[Any, ...], dict[str, Any]] = {}
    for session in sorted(seen.sessions, key=lambda session: -(session["seconds"] or 0)):
        key = {
            name: session[name] for name in ("application", "user", "database", "client", "state")
        }
        group = groups.setdefault(
            tuple(key.values()),
            {**key, "count": 0, "oldest_seconds": round(session["seconds"] or 0, 1)},
        )
        group["count"] += 1
    ranked = sorted(groups.values(), key=lambda group: -group["count"])
    return list(connections(ranked, seen.role_limits, seen.database_limits, seen.facts, thresholds))


def relief(
    seen: Seen,
    plan: Plan,
    rules: Rules,
    thresholds: Thresholds,
    database: str,
    outcome: Outcome,
    now: Seen | None = None,
) -> Check:
    """Whether there is room again; a relief that was needed stays a warning, for what made it needed is still there.

    ``now`` is none where nothing was to be ended yet.
    """
    slots = plan.over or seen.slots[:1]
    state = "; ".join(
        f"{each.words(each.used(seen.sessions))} in use, at most {each.allowed(rules.usage)} wanted"
        for each in slots
    )
    if not plan.over:
        return thresholds.verdict("postgres.relief", OK, f"{state}: nothing to relieve")
    if seen.hidden and not seen.facts["sees_all"]:
        status = CRITICAL if outcome.problem else UNKNOWN
        return thresholds.verdict(
            "postgres.relief",
            status,
            f"{state}. {_blind(seen)}",
            remedy=f"As a superuser: GRANT pg_monitor TO {seen.role}.",
        )
    remedy = cure(plan, seen.sessions, slots[0], rules)
    spared = Counter((who(session), reason) for session, reason in plan.spared)
    evidence = [
        {"sessions_of": whose, "stay": reason, "count": count}
        for (whose, reason), count in spared.most_common(20)
    ]
    if outcome.problem:
        return thresholds.verdict(
            "postgres.relief",
            CRITICAL,
            f"{state}. {outcome.problem}",
            remedy=remedy,
            evidence=tuple(evidence),
        )
    if now is None:
        words = f"{state}. {pluralize(len(plan.ended), 'session')} idle for too long would be ended"
        short = plan.short
        command = (
            f"To end them, give the same command with -e runbook_confirm={database} and without --check. "
            if plan.ended
            else ""
        )
        remedy = command + remedy
    else:
        words, short = _result(seen, plan, outcome, now, rules)
        back = _back(seen, plan, now)
        if back:
            whose, count = Counter(who(session) for session in back).most_common(1)[0]
            words += f"; they come back: {pluralize(count, 'session')} of {whose} connected since"
            remedy = f"Restart {whose}, whose pool connects again at once: -e runbook_restart_app=NAME with its name under PM2. {remedy}"
    if short > 0:
        words += f"; {short} too many stay: {_stay(plan, seen, rules)}"
    return thresholds.verdict(
        "postgres.relief", WARNING, words, remedy=remedy, evidence=tuple(evidence)
    )


def _result(seen: Seen, plan: Plan, outcome: Outcome, now: Seen, rules: Rules) -> tuple[str, int]:
    """What became of it, and how many sessions are still too many."""
    changes = [
        f"{each.used(seen.sessions)} → {each.words(each.used(now.sessions))} in use, at most {each.allowed(rules.usage)} wanted"
        for each in plan.over
    ]
    return f"{_count(outcome.actions)}: {'; '.join(changes)}", max(
        each.used(now.sessions) - each.allowed(rules.usage) for each in plan.over
    )


def _back(seen: Seen, plan: Plan, now: Seen) -> list[Row]:
    """Sessions that the relieved apps have opened since."""
    known = {(session["pid"], session["started"]) for session in seen.sessions}
    relieved = {application(session) for session in plan.ended}
    return [
        session
        for session in now.sessions
        if (session["pid"], session["started"]) not in known and application(session) in relieved
    ]


def _stay(plan: Plan, seen: Seen, rules: Rules) -> str:
    reasons = Counter(reason for session, reason in plan.spared).most_common(3)
    named = [f"{count} {reason}" for reason, count in reasons]
    rest = len(seen.sessions) - len(plan.ended) - len(plan.spared)
    return ", ".join(
        [
            *named,
            *(
                [
                    f"{rest} at work, of unknown state, or idle for less than {format_duration(rules.idle_age)}"
                ]
                if rest
                else []
            ),
        ]
    )
