# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How many slots are in use and by whom, and whether there is room again."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

from ...core.check import CRITICAL, OK, WARNING, Action, Check
from ...core.thresholds import Thresholds
from ...core.units import format_duration, pluralize
from ..health.sessions import connections, who
from .apply import count
from .options import Options
from .plan import Plan, app_key
from .remedy import permanent_remedy
from .snapshot import Row, Snapshot, identity

CHECK = "postgres.relief"
#: Rows of evidence about sessions that stay.
EVIDENCE_ROWS = 20


def usage_checks(snapshot: Snapshot, thresholds: Thresholds) -> list[Check]:
    """How many slots are in use, and by whom.

    Each limit of a role or database has its check, even if nothing uses it, so that a recount
    replaces every check of the count before.
    """
    groups: dict[tuple[Any, ...], dict[str, Any]] = {}
    for session in sorted(snapshot.sessions, key=lambda session: -(session["seconds"] or 0)):
        names = ("application", "user", "database", "client", "state")
        key = {name: session[name] for name in names}
        oldest = round(session["seconds"] or 0, 1)
        group = groups.setdefault(
            tuple(key.values()), {**key, "count": 0, "oldest_seconds": oldest}
        )
        group["count"] += 1
    ranked = sorted(groups.values(), key=lambda group: -group["count"])
    limits = (snapshot.role_limits, snapshot.database_limits)
    return list(connections(ranked, *limits, snapshot.facts, thresholds, with_unused=True))


def cannot_see(snapshot: Snapshot) -> str:
    """Why nothing is ended if this role cannot see what sessions are doing."""
    sessions = pluralize(snapshot.hidden, "session")
    return (
        f"Nothing was ended: role '{snapshot.facts['role']}' lacks permission to see what "
        f"{sessions} of other users are doing; as a superuser: {_grant(snapshot)}"
    )


class ReliefVerdict:
    """Makes the check of a relief: whether there is room, and what keeps the slots free.

    A relief that was needed stays a warning, since what made it necessary is still there.
    """

    def __init__(
        self, snapshot: Snapshot, plan: Plan, options: Options, thresholds: Thresholds
    ) -> None:
        self._snapshot = snapshot
        self._plan = plan
        self._options = options
        self._thresholds = thresholds

    def unnecessary(self) -> Check:
        """No more slots than the target are in use."""
        return self._thresholds.verdict(CHECK, OK, f"{self._state()}: no relief needed")

    def not_permitted(self) -> Check:
        """This role cannot see what it would end."""
        return self._thresholds.verdict(
            CHECK,
            CRITICAL,
            f"{self._state()}. {cannot_see(self._snapshot)}",
            remedy=f"As a superuser: {_grant(self._snapshot)}.",
        )

    def failed(self, problem: str) -> Check:
        """Some session could not be ended."""
        return self._verdict(CRITICAL, f"{self._state()}. {problem}", self._remedy())

    def planned(self, database: str) -> Check:
        """Nothing was ended, in check mode."""
        sessions = pluralize(len(self._plan.ended), "session")
        summary = f"{self._state()}. {sessions} idle for too long would be ended"
        remedy = self._remedy()
        if self._plan.ended:
            remedy = (
                "To end them, give the same command with -e "
                f"runbook_confirm={database} and without --check. {remedy}"
            )
        return self._verdict(WARNING, summary + self._remaining(self._plan.short), remedy)

    def carried_out(self, actions: Sequence[Action], after: Snapshot) -> Check:
        """The sessions of the plan were ended."""
        usage, plan = self._options.usage, self._plan
        before = self._snapshot.sessions
        changes = [
            f"{each.used(before)} → {each.describe(each.used(after.sessions))} in use, "
            f"target: at most {each.allowed(usage)}"
            for each in plan.over
        ]
        summary = f"{count(actions)}: {'; '.join(changes)}"
        remedy = self._remedy()
        reconnected = self._reconnected(after)
        if reconnected:
            app, number = Counter(who(session) for session in reconnected).most_common(1)[0]
            summary += f"; {pluralize(number, 'session')} of {app} reconnected since"
            remedy = (
                f"Restart {app}, whose pool reconnects at once: -e runbook_restart_app=NAME, "
                f"its name in PM2. {remedy}"
            )
        short = max(each.used(after.sessions) - each.allowed(usage) for each in plan.over)
        return self._verdict(WARNING, summary + self._remaining(short), remedy)

    def _verdict(self, status: str, summary: str, remedy: str) -> Check:
        spared = Counter((who(session), reason) for session, reason in self._plan.spared)
        evidence = tuple(
            {"sessions_of": app, "stay": reason, "count": number}
            for (app, reason), number in spared.most_common(EVIDENCE_ROWS)
        )
        return self._thresholds.verdict(CHECK, status, summary, remedy=remedy, evidence=evidence)

    def _state(self) -> str:
        """How many slots are in use, and the target."""
        sessions, usage = self._snapshot.sessions, self._options.usage
        return "; ".join(
            f"{each.describe(each.used(sessions))} in use, target: at most {each.allowed(usage)}"
            for each in self._plan.over or self._snapshot.slots[:1]
        )

    def _remedy(self) -> str:
        slots = self._plan.over[0]
        return permanent_remedy(self._plan, self._snapshot.sessions, slots, self._options)

    def _remaining(self, short: int) -> str:
        """How many sessions too many remain, and why."""
        if short <= 0:
            return ""
        plan, sessions = self._plan, self._snapshot.sessions
        reasons = Counter(reason for _session, reason in plan.spared).most_common(3)
        parts = [f"{number} {reason}" for reason, number in reasons]
        others = len(sessions) - len(plan.ended) - len(plan.spared)
        if others:
            age = format_duration(self._options.idle_age)
            parts.append(f"{others} active, in an unknown state, or idle for less than {age}")
        return f"; {short} too many remain: {', '.join(parts)}"

    def _reconnected(self, after: Snapshot) -> list[Row]:
        """Sessions that the relieved apps have opened since."""
        known = self._snapshot.identities()
        relieved = {app_key(session) for session in self._plan.ended}
        return [
            session
            for session in after.sessions
            if identity(session) not in known and app_key(session) in relieved
        ]


def _grant(snapshot: Snapshot) -> str:
    return f"GRANT pg_monitor TO {snapshot.quoted_role}"
