# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The verdict on who can get in."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator
from contextlib import suppress

from ..core.check import CRITICAL, OK, UNKNOWN, WARNING, Check
from ..core.thresholds import Thresholds
from ..core.units import pluralize
from .options import Options
from .snapshot import Snapshot

NAME = "redis.security"
#: Settings that let any client load code or read memory, if they are ``yes``.
_DANGEROUS = ("enable-debug-command", "enable-module-command", "enable-protected-configs")


def assess_security(snapshot: Snapshot, options: Options, thresholds: Thresholds) -> Check:
    """``redis.security``: whether a client without a password is served, and from where."""
    user = snapshot.default_user
    if user is None:
        why = snapshot.why("ACL GETUSER")
        text = f"Whether a password is needed is not known: {why}"
        return thresholds.verdict(NAME, UNKNOWN, text, remedy=why.remedy)
    refused = _refused_logins(snapshot)
    risky = [name for name in _DANGEROUS if snapshot.settings.get(name) == "yes"]
    if "off" in user or "nopass" not in user:
        text = "Every client needs a password"
        if risky:
            text += f", but {', '.join(risky)} is on"
            remedy = "Set it to 'no' or 'local' in redis.conf, and restart."
            return thresholds.verdict(NAME, WARNING, text + refused, remedy=remedy)
        return thresholds.verdict(NAME, OK, text + refused)
    return _without_password(snapshot, thresholds, refused)


def _without_password(snapshot: Snapshot, thresholds: Thresholds, refused: str) -> Check:
    if "bind" not in snapshot.settings:
        why = snapshot.why("CONFIG GET")
        text = f"No password is needed, and from where clients can connect is not known: {why}"
        return thresholds.verdict(NAME, UNKNOWN, text, remedy=why.remedy)
    outside = list(_outside(snapshot.settings["bind"]))
    if not outside:
        text = "No password is needed, and only clients of its own host can connect"
        return thresholds.verdict(NAME, OK, text + refused)
    if snapshot.settings.get("protected-mode") == "yes":
        text = "No password is needed, but protected mode refuses clients of other hosts"
        return thresholds.verdict(NAME, OK, text + refused)
    where = "all addresses" if "*" in outside else ", ".join(outside)
    public = any(_is_public(address) for address in outside)
    return thresholds.verdict(
        NAME,
        CRITICAL if public else WARNING,
        f"No password is needed, and it listens on {where}"
        + (", a public one" if public else "")
        + ": whoever reaches it can read, change and delete everything"
        + refused,
    )


def _outside(bind: str) -> Iterator[str]:
    """The addresses beyond the loopback on which it listens; a star for all."""
    for word in bind.split() or ["*"]:
        address = word.lstrip("-")
        if address in ("*", "::*", "0.0.0.0", "::"):  # noqa: S104 - reads it, binds nothing
            yield "*"
            continue
        with suppress(ValueError):
            if ipaddress.ip_address(address).is_loopback:
                continue
        yield address


def _is_public(address: str) -> bool:
    try:
        return ipaddress.ip_address(address).is_global
    except ValueError:
        return False


def _refused_logins(snapshot: Snapshot) -> str:
    delta = snapshot.delta
    count = int(delta.counters.get("acl_access_denied_auth", 0)) if delta else 0
    return f"; {pluralize(count, 'login')} refused in the window" if count else ""
