# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the operator asked of pg_sessions, validated."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields
from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import Any, Union

from ...core.errors import UsageError
from ...core.options import checked_seconds

Network = Union[IPv4Network, IPv6Network]

#: What stands for the local socket in the option for protected addresses.
LOCAL = "local"
#: Longest wait, in seconds, before the result is verified.
LONGEST_WAIT = 60


@dataclass(frozen=True)
class Options:
    """What the operator asked for; raises `UsageError` for a value out of range."""

    usage: float = 70.0
    """Percent of the slots that may stay in use."""
    idle_age: float = 300.0
    """Seconds of being idle from which a session may be ended; 0 for never."""
    idle_in_transaction_age: float = 300.0
    """The same inside a transaction."""
    keep_per_application: int = 2
    max_ended: int = 50
    poolers: tuple[str, ...] = ()
    """Shell patterns, as for applications."""
    protect_applications: tuple[str, ...] = ()
    protect_users: tuple[str, ...] = ()
    protect_databases: tuple[str, ...] = ()
    protect_addresses: tuple[str, ...] = ()
    instances: int = 0
    """Processes of the app that have a pool each; 0 if unknown."""
    confirm: str = ""
    wait: float = 3.0
    """Seconds before the result is verified."""
    timeout: float = 10.0
    """Seconds for the server to answer everything."""

    def __post_init__(self) -> None:
        checked_seconds("timeout", self.timeout)
        if not 0 <= self.wait <= LONGEST_WAIT:
            raise UsageError(
                f"wait: {self.wait:g} is not a number of seconds from 0 to {LONGEST_WAIT}"
            )
        if not 0 < self.usage <= 100:
            raise UsageError(f"usage: {self.usage:g} is not a percentage above 0 and up to 100")
        counts = ("keep_per_application", "max_ended", "instances")
        for name in ("idle_age", "idle_in_transaction_age", *counts):
            value = getattr(self, name)
            if not 0 <= value < math.inf:
                raise UsageError(f"{name}: {value:g} is not a number of 0 or more")
        self.protected_networks()

    @classmethod
    def from_params(cls, params: Mapping[str, Any]) -> Options:
        """The options in a module's parameters; raises `UsageError`."""
        values: dict[str, Any] = {field.name: params[field.name] for field in fields(cls)}
        for name, value in values.items():
            if isinstance(value, list):
                values[name] = tuple(value)
        return cls(**values)

    def protected_networks(self) -> list[Network]:
        """The protected addresses, without the local socket."""
        return [_network(address) for address in self.protect_addresses if address != LOCAL]


def _network(address: str) -> Network:
    try:
        return ip_network(address, strict=False)
    except ValueError:
        raise UsageError(
            f"protect_addresses: {address!r} is neither an address, nor a network, nor '{LOCAL}'"
        ) from None
