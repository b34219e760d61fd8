# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the operator asks app_diagnosis for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ...core.errors import UsageError
from ..daemon import default_home
from ..options import check_hours

#: Seconds of a window: shorter ones say nothing about a trend.
SHORTEST, LONGEST = 3.0, 600.0


@dataclass(frozen=True)
class Options:
    """The options of app_diagnosis, validated."""

    home: str
    """PM2's folder."""
    names: tuple[str, ...] = ()
    """Apps to watch; none means all that PM2 has."""
    namespace: str | None = None
    window: float = 15.0
    """Seconds to watch the app."""
    log_hours: float = 24.0
    """Hours of logs to search."""
    ports: tuple[int, ...] = ()
    """Ports of databases, in addition to that in the app's DATABASE_URL."""

    @classmethod
    def from_params(cls, params: Mapping[str, Any]) -> Options:
        """The module's options; raises `UsageError` for values that make no sense."""
        options = cls(
            home=params["pm2_home"] or default_home(),
            names=tuple(dict.fromkeys(params["app"])),
            namespace=params["namespace"],
            window=params["window"],
            log_hours=params["log_hours"],
            ports=tuple(params["database_ports"]),
        )
        options._validate()
        return options

    @property
    def subject(self) -> str:
        """The app that a check is about if PM2 cannot be asked."""
        return self.names[0] if len(self.names) == 1 else ""

    def _validate(self) -> None:
        if not SHORTEST <= self.window <= LONGEST:
            raise UsageError(
                f"window: {self.window:g} is not a number of seconds from {SHORTEST:g} to "
                f"{LONGEST:g}"
            )
        check_hours("log_hours", self.log_hours)
        for port in self.ports:
            if not 0 < port < 65536:
                raise UsageError(f"database_ports: {port} is not the number of a port")
