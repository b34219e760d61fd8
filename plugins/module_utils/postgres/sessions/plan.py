# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which sessions to end so that others can connect again, and what keeps it from happening again. Pure."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from typing import Any, NamedTuple, Union

from ...core.errors import UsageError
from ..health.sessions import who

Row = Mapping[str, Any]
Network = Union[IPv4Network, IPv6Network]

#: A lasting timeout for what is idle: the runbook's five minutes, whatever an emergency asked for.
LASTING = "5min"
#: What this collection calls its own sessions.
OWN_APPLICATION = "gpt_agent.runbook/"
#: The address of a session that came through the socket, in the option for protected addresses.
LOCAL = "local"


@dataclass(frozen=True)
class Rules:
    """What the operator wants."""

    usage: float
    """Percent of the slots that may stay in use."""
    idle_age: float
    """Seconds of being idle from which a session may be ended; 0 for never."""
    idle_in_transaction_age: float
    """The same inside a transaction."""
    keep_per_application: int
    max_ended: int
    poolers: tuple[str, ...] = ()
    applications: tuple[str, ...] = ()
    users: tuple[str, ...] = ()
    databases: tuple[str, ...] = ()
    addresses: tuple[str, ...] = ()
    instances: int = 0
    """Processes of the app that have a pool each; 0 where that is not known."""

    def __post_init__(self) -> None:
        if not 0 < self.usage <= 100:
            raise UsageError(f"usage: {self.usage:g} is not a percentage above 0 and up to 100")
        for name in (
            "idle_age",
            "idle_in_transaction_age",
            "keep_per_application",
            "max_ended",
            "instances",
        ):
            value = getattr(self, name)
            if not 0 <= value < math.inf:
                raise UsageError(f"{name}: {value:g} is not a number of 0 or more")
        self.networks()

    def networks(self) -> list[Network]:
        """The protected addresses that are networks or hosts."""
        return [_network(address) for address in self.addresses if address != LOCAL]


def _network(address: str) -> Network:
    try:
        return ip_network(address, strict=False)
    except ValueError:
        raise UsageError(
            f"protect_addresses: {address!r} is neither an address, nor a network, nor '{LOCAL}'"
        ) from None


class Slots(NamedTuple):
    """Connections that can be had: by ordinary users at all, or by a role or to a database with a limit of its own."""

    limit: int
    what: str
    user: str | None = None
    database: str | None = None

    def holds(self, session: Row) -> bool:
        return self.user in (None, session["user"]) and self.database in (None, session["database"])

    def used(self, sessions: Sequence[Row]) -> int:
        return sum(self.holds(session) for session in sessions)

    def allowed(self, usage: float) -> int:
        """How many may stay in use."""
        return math.floor(self.limit * usage / 100)

    def words(self, used: int) -> str:
        return f"{used} of {self.limit} {self.what}"


class Plan(NamedTuple):
    ended: list[Row]
    """The sessions to end, those first that have been idle longest."""
    spared: list[tuple[Row, str]]
    """Sessions that have been idle for long enough, and why they stay all the same."""
    over: list[Slots]
    """The slots of which more are in use than wanted."""
    short: int
    """Sessions by which the wanted usage is missed when all of the plan is carried out."""


def make_plan(sessions: Sequence[Row], slots: Sequence[Slots], rules: Rules) -> Plan:
    """As many sessions as needed to come down to the wanted usage, and not one more."""
    excess = [each.used(sessions) - each.allowed(rules.usage) for each in slots]
    over = [each for each, count in zip(slots, excess) if count > 0]
    alive = Counter(application(session) for session in sessions)
    networks = rules.networks()
    ended: list[Row] = []
    spared: list[tuple[Row, str]] = []
    for session in sorted(
        filter(lambda session: _old(session, rules), sessions),
        key=lambda session: (-session["seconds"], session["pid"]),
    ):
        touched = [place for place, each in enumerate(slots) if each.holds(session)]
        reason = protection(session, rules, networks)
        if not reason and any(excess[place] > 0 for place in touched):
            if alive[application(session)] <= rules.keep_per_application:
                reason = f"the last {rules.keep_per_application} of its app"
            elif len(ended) >= rules.max_ended:
                reason = f"beyond the {rules.max_ended} that one run may end"
            else:
                ended.append(session)
                alive[application(session)] -= 1
                for place in touched:
                    excess[place] -= 1
        if reason:
            spared.append((session, reason))
    return Plan(ended, spared, over, max([0, *excess]))


def _old(session: Row, rules: Rules) -> bool:
    """Whether a session has been doing nothing for long enough."""
    age = (
        rules.idle_in_transaction_age
        if in_transaction(session)
        else rules.idle_age
        if session["state"] == "idle"
        else 0
    )
    return bool(age) and session["seconds"] is not None and session["seconds"] >= age


def in_transaction(session: Row) -> bool:
    return str(session["state"]).startswith("idle in transaction")


def application(session: Row) -> tuple[str, str]:
    """What counts as one app: the sessions of one application_name, or of one user where it is not set."""
    return (session["application"], "") if session["application"] else ("", session["user"])


def protection(session: Row, rules: Rules, networks: Sequence[Network]) -> str:
    """Why a session must not be ended, however long it has been idle; empty where it may."""
    name = (session["application"] or "").lower()
    if session["superuser"]:
        return "a superuser's"
    if session["replication"]:
        return "of a role for replication"
    if name.startswith(OWN_APPLICATION):
        return "this collection's own"
    if _matches(name, rules.poolers):
        return "a connection pooler's"
    if session["listens"]:
        return "it listens for notifications"
    if session["locks"]:
        return "it holds an advisory lock"
    if session["prepared"]:
        return "it has prepared a transaction"
    if (
        _matches(name, rules.applications)
        or session["user"] in rules.users
        or session["database"] in rules.databases
    ):
        return "named as an exception"
    if (
        LOCAL in rules.addresses
        if session["client"] is None
        else any(ip_address(session["client"]) in network for network in networks)
    ):
        return "from an address named as an exception"
    return ""


def _matches(name: str, patterns: Sequence[str]) -> bool:
    return any(fnmatchcase(name, pattern.lower()) for pattern in patterns)


def cure(plan: Plan, sessions: Sequence[Row], slots: Slots, rules: Rules) -> str:
    """What keeps the app at fault, that with the most sessions idle for long, from taking all slots again."""
    idle = [*plan.ended, *(session for session, reason in plan.spared)]
    if not idle:
        return ""
    fault = Counter(application(session) for session in idle).most_common(1)[0][0]
    mine = [session for session in idle if application(session) == fault]
    role = Counter(session["role"] for session in mine).most_common(1)[0][0]
    others_of_role = sorted(
        {
            who(session)
            for session in sessions
            if session["role"] == role and application(session) != fault
        }
    )
    timeouts = (
        ["idle_in_transaction_session_timeout"]
        if any(in_transaction(session) for session in mine)
        else []
    )
    timeouts += (
        ["idle_session_timeout"] if any(not in_transaction(session) for session in mine) else []
    )
    statements = " ".join(f"ALTER ROLE {role} SET {name} = '{LASTING}';" for name in timeouts)
    also = f", and it holds for {', '.join(others_of_role[:3])} as well" if others_of_role else ""
    others = sum(application(session) != fault for session in sessions)
    room = max(1, slots.allowed(rules.usage) - others)
    size = f"at most {room} over all its instances"
    if rules.instances:
        size += f" ({max(1, room // rules.instances)} for each if it has {rules.instances})"
    text = f"Lasting cure for {who(mine[0])}: {statements} (not where a pooler connects as this role{also}); its pool (DATABASE_POOL_MAX): {size}, "
    return text + f"so that {slots.allowed(rules.usage)} of {slots.limit} slots suffice."
