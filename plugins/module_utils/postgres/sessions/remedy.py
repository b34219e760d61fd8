# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What keeps the app that holds most idle sessions from taking all slots again. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from ..health.sessions import who
from .options import Options
from .plan import Plan, app_key, in_transaction
from .snapshot import Row, Slots

#: A permanent timeout for idle sessions: the runbook's five minutes, whatever an emergency used.
PERMANENT_TIMEOUT = "5min"


def permanent_remedy(plan: Plan, sessions: Sequence[Row], slots: Slots, options: Options) -> str:
    """Timeouts and pool size for the app with the most sessions idle for long; empty if none is."""
    idle = [*plan.ended, *(session for session, _reason in plan.spared)]
    if not idle:
        return ""
    largest = Counter(app_key(session) for session in idle).most_common(1)[0][0]
    own = [session for session in idle if app_key(session) == largest]
    others = [session for session in sessions if app_key(session) != largest]
    role = Counter(session["role"] for session in own).most_common(1)[0][0]
    timeouts = " ".join(
        f"ALTER ROLE {role} SET {name} = '{PERMANENT_TIMEOUT}';" for name in _timeouts(own)
    )
    allowed = slots.allowed(options.usage)
    return (
        f"Permanent fix for {who(own[0])}: {timeouts} "
        f"(not if a pooler connects as this role{_also_affected(role, others)}); limit its pool "
        f"(DATABASE_POOL_MAX) to {_pool_size(max(1, allowed - len(others)), options.instances)}, "
        f"so that {allowed} of {slots.limit} slots are enough."
    )


def _timeouts(sessions: Sequence[Row]) -> list[str]:
    names = []
    if any(in_transaction(session) for session in sessions):
        names.append("idle_in_transaction_session_timeout")
    if not all(in_transaction(session) for session in sessions):
        names.append("idle_session_timeout")
    return names


def _also_affected(role: str, others: Sequence[Row]) -> str:
    """Which other apps use the role, and get its timeouts as well."""
    names = sorted({who(session) for session in others if session["role"] == role})
    return f"; it also applies to {', '.join(names[:3])}" if names else ""


def _pool_size(size: int, instances: int) -> str:
    text = f"{size} over all its instances"
    if instances:
        text += f" ({max(1, size // instances)} each with {instances})"
    return text
