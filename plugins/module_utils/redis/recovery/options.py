# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the operator asked redis_recovery for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ...core.recovery import Attempt, read_recovery_options
from ..connection import Endpoint
from ..url import parse_url

#: Units of Debian, Red Hat and others, the likelier first.
_NAMES = ("redis-server", "redis", "valkey-server", "valkey")
UNITS = tuple(f"{name}{which}.service" for which in ("", "@*") for name in _NAMES)
FILES = (
    "/etc/redis/redis.conf",
    "/etc/valkey/valkey.conf",
    "/etc/redis.conf",
    "/etc/valkey.conf",
)


@dataclass(frozen=True)
class Options:
    """The validated options."""

    endpoint: Endpoint
    unit: str = ""
    restart_command: Sequence[str] = ()
    config_file: str = ""
    log_file: str = ""
    timeout: float = 10.0
    """Seconds for looking."""
    wait: float = 60.0
    """Seconds after a restart until it works."""
    attempt: Attempt | None = None

    @classmethod
    def from_params(cls, params: Mapping[str, Any]) -> Options:
        """The options from the module's parameters; raises `UsageError`."""
        return cls(
            parse_url(params["redis_url"], params["ca_file"]),
            config_file=params["config_file"] or "",
            **read_recovery_options(params),
        )
