# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the operator asks app_profile for."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ...core.confirmation import require_match
from ...core.errors import UsageError
from ...core.options import checked_seconds
from ..daemon import default_home

_LONGEST_PROFILE = 300.0


@dataclass(frozen=True)
class Options:
    """The options of app_profile, validated."""

    home: str
    """PM2's folder."""
    name: str
    namespace: str | None = None
    instance: int | None = None
    """PM2's id; none is the busiest instance."""
    cpu: bool = False
    heap: bool = False
    confirm: str = ""
    """The name of the app, without which no heap snapshot is taken."""
    seconds: float = 10.0
    dest: str = ""
    timeout: float = 60.0

    @classmethod
    def from_params(cls, params: Mapping[str, Any]) -> Options:
        """The module's options; raises `UsageError` for values that make no sense."""
        home = params["pm2_home"] or default_home()
        options = cls(
            home=home,
            name=params["app"],
            namespace=params["namespace"],
            instance=params["instance"],
            cpu=params["cpu"],
            heap=params["heap"],
            confirm=params["confirm"] or "",
            seconds=params["seconds"],
            dest=params["dest"] or os.path.join(home, "profiles"),
            timeout=params["timeout"],
        )
        checked_seconds("seconds", options.seconds, _LONGEST_PROFILE)
        checked_seconds("timeout", options.timeout)
        if not options.name:
            raise UsageError("app: is empty; name the app in PM2's list")
        if not os.path.isabs(options.dest):
            raise UsageError(f"dest: {options.dest} is not an absolute path")
        if options.heap:
            require_match(options.confirm, "app", options.name)
        return options

    @property
    def confirmed(self) -> bool:
        return self.confirm == self.name
