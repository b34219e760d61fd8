# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the operator asked of the daily checks, validated."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ...core.errors import UsageError

#: Values of ``server_role``.
PRIMARY, STANDBY = "primary", "standby"


@dataclass(frozen=True)
class Options:
    """What the operator asked for; raises `UsageError` for a value out of range."""

    replicas: int = 0
    """Standbys that a primary must have connected."""
    ignore_applications: Sequence[str] = ("pg_dump",)
    """Applications whose sessions may keep a transaction open for long."""
    server_role: str | None = None
    """What the server is meant to be: `PRIMARY` or `STANDBY`; none if undeclared."""
    canary: bool = False
    """Whether to try a real write."""

    def __post_init__(self) -> None:
        if self.replicas < 0:
            raise UsageError(
                f"replicas: {self.replicas} is not a number of standbys; give 0 or more"
            )

    @classmethod
    def from_params(cls, params: Mapping[str, Any]) -> Options:
        """The options in a module's parameters; raises `UsageError`."""
        return cls(
            params["replicas"],
            tuple(params["ignore_applications"]),
            params.get("server_role"),
            bool(params.get("canary")),
        )
