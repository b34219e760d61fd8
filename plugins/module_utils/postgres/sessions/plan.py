# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which sessions to end so that others can connect again. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from fnmatch import fnmatchcase
from ipaddress import ip_address
from typing import NamedTuple

from .options import LOCAL, Network, Options
from .snapshot import Row, Slots

#: How the application_name of this collection's own sessions begins.
OWN_APPLICATION = "gpt_agent.runbook/"


class Plan(NamedTuple):
    """What to end, and what to keep."""

    ended: list[Row]
    """The sessions to end, the one that has been idle longest first."""
    spared: list[tuple[Row, str]]
    """Sessions that have been idle for long enough, and why they stay."""
    over: list[Slots]
    """The slots of which more are in use than the target."""
    short: int
    """How many sessions too many remain when all of the plan is carried out."""


def make_plan(sessions: Sequence[Row], slots: Sequence[Slots], options: Options) -> Plan:
    """As many sessions as needed to come down to the target usage, and not one more."""
    excess = [each.used(sessions) - each.allowed(options.usage) for each in slots]
    over = [each for each, count in zip(slots, excess) if count > 0]
    remaining = Counter(app_key(session) for session in sessions)
    networks = options.protected_networks()
    ended: list[Row] = []
    spared: list[tuple[Row, str]] = []
    for session in _idle_longest_first(sessions, options):
        places = [place for place, each in enumerate(slots) if each.holds(session)]
        needed = any(excess[place] > 0 for place in places)
        reason = protection(session, options, networks)
        if needed and not reason:
            reason = _limit(remaining[app_key(session)], len(ended), options)
        if reason:
            spared.append((session, reason))
        elif needed:
            ended.append(session)
            remaining[app_key(session)] -= 1
            for place in places:
                excess[place] -= 1
    return Plan(ended, spared, over, max([0, *excess]))


def app_key(session: Row) -> tuple[str, str]:
    """What counts as one app: one application_name, or one user if that is not set."""
    return (session["application"], "") if session["application"] else ("", session["user"])


def in_transaction(session: Row) -> bool:
    """Whether a session is idle in a transaction, an aborted one included."""
    return str(session["state"]).startswith("idle in transaction")


def protection(session: Row, options: Options, networks: Sequence[Network]) -> str:
    """Why a session must not be ended, however long it has been idle; empty if it may be."""
    name = (session["application"] or "").lower()
    reasons = {
        "of a superuser": session["superuser"],
        "of a replication role": session["replication"],
        "of this collection": name.startswith(OWN_APPLICATION),
        "of a connection pooler": _matches(name, options.poolers),
        "listening for notifications": session["listens"],
        "holding an advisory lock": session["locks"],
        "with a prepared transaction": session["prepared"],
        "of a protected app, user or database": _is_protected(name, session, options),
        "from a protected address": _from_protected_address(session, options, networks),
    }
    return next((reason for reason, applies in reasons.items() if applies), "")


def _idle_longest_first(sessions: Sequence[Row], options: Options) -> list[Row]:
    idle = [session for session in sessions if _is_idle_too_long(session, options)]
    return sorted(idle, key=lambda session: (-session["seconds"], session["pid"]))


def _is_idle_too_long(session: Row, options: Options) -> bool:
    age = 0.0
    if in_transaction(session):
        age = options.idle_in_transaction_age
    elif session["state"] == "idle":
        age = options.idle_age
    return age > 0 and session["seconds"] is not None and session["seconds"] >= age


def _limit(remaining: int, ended: int, options: Options) -> str:
    """Why one more session of an app with so many remaining is not ended; empty if it may be."""
    if remaining <= options.keep_per_application:
        return f"among the last {options.keep_per_application} of their app"
    if ended >= options.max_ended:
        return f"beyond the {options.max_ended} that one run may end"
    return ""


def _is_protected(name: str, session: Row, options: Options) -> bool:
    return (
        _matches(name, options.protect_applications)
        or session["user"] in options.protect_users
        or session["database"] in options.protect_databases
    )


def _from_protected_address(session: Row, options: Options, networks: Sequence[Network]) -> bool:
    if session["client"] is None:
        return LOCAL in options.protect_addresses
    address = ip_address(session["client"])
    return any(address in network for network in networks)


def _matches(name: str, patterns: Sequence[str]) -> bool:
    return any(fnmatchcase(name, pattern.lower()) for pattern in patterns)
