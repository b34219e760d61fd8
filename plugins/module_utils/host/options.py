# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the operator asked the host probe for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..core.errors import UsageError
from ..core.options import checked_seconds


@dataclass(frozen=True)
class Options:
    """The validated options of host_health."""

    timeout: float = 10.0
    """Seconds."""
    cpu_interval: float = 1.0
    """Seconds over which the processors are measured if they look busy."""
    mounts: Sequence[str] = ()
    """Mount points to check; every real mount if empty."""
    mounts_ignore: Sequence[str] = ()
    """Shell patterns of mount points to leave out."""
    state_dir: str | None = None
    canary: bool = False
    """Whether to write to each mount."""

    @classmethod
    def from_params(cls, params: Mapping[str, Any]) -> Options:
        """The options from the module's parameters; raises `UsageError`."""
        timeout = checked_seconds("timeout", params["timeout"])
        interval = params["cpu_interval"]
        if not 0.1 <= interval <= timeout / 2:
            raise UsageError(
                f"cpu_interval: {interval:g} is not between 0.1 and half of the timeout "
                f"of {timeout:g} seconds"
            )
        return cls(
            timeout,
            interval,
            params["mounts"],
            params["mounts_ignore"],
            params["state_dir"],
            params["canary"],
        )
