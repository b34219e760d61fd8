# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the operator asks pm2_health for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ..core.errors import UsageError
from .daemon import default_home

_MAX_HOURS = 24 * 366


@dataclass(frozen=True)
class Options:
    """The options of pm2_health, validated."""

    home: str
    """PM2's folder."""
    names: tuple[str, ...] = ()
    """Apps that must be running; none means all that PM2 has."""
    namespace: str | None = None
    instances: int | None = None
    """Instances that each app must have; none means as many as PM2 has."""
    hours: float = 24.0
    """Window of the error logs."""
    error_logs: tuple[str, ...] = ()
    """Logs to read in place of PM2's."""
    timeout: float = 10.0

    @classmethod
    def from_params(cls, params: Mapping[str, Any]) -> Options:
        """The module's options; raises `UsageError` for values that make no sense."""
        options = cls(
            home=params["pm2_home"] or default_home(),
            names=tuple(dict.fromkeys(params["app"])),
            namespace=params["namespace"],
            instances=params["instances"],
            hours=params["window"],
            error_logs=tuple(params["error_logs"]),
            timeout=params["timeout"],
        )
        options._validate()
        return options

    @property
    def subject(self) -> str:
        """The app that a check is about if PM2 cannot be asked."""
        return self.names[0] if len(self.names) == 1 else ""

    def _validate(self) -> None:
        check_instances(self.instances)
        check_hours("window", self.hours)
        if self.error_logs and len(self.names) != 1:
            raise UsageError("error_logs: needs the name of exactly one app in 'app'")


def check_hours(option: str, hours: float) -> None:
    """Raises `UsageError` for a window of the logs that makes no sense."""
    if not 0 < hours <= _MAX_HOURS:
        raise UsageError(f"{option}: {hours:g} is not a number of hours above 0 and up to one year")


def check_instances(number: int | None) -> None:
    """Raises `UsageError` for a number of instances that makes no sense; none is fine."""
    if number is not None and number < 1:
        raise UsageError(
            f"instances: {number} is not a number above 0; "
            "leave it out to expect as many instances as PM2 has in its list"
        )
