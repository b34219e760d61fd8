# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the operator asks deployment_watch for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ...core.errors import UsageError
from ..options import LISTED
from ..options import Options as ReleaseOptions

_LONGEST = 86400.0


@dataclass(frozen=True)
class Options:
    """The options of deployment_watch, validated."""

    release: ReleaseOptions
    watch_for: float = 3600.0
    """Seconds."""
    interval: float = 10.0
    """Seconds between two rounds."""
    failures: int = 3
    """Rounds in a row that must fail before the release counts as failed."""
    deployed_within: float = 24.0
    """Hours since the deployment after which it is not the cause."""

    @classmethod
    def from_params(cls, params: Mapping[str, Any]) -> Options:
        """The module's options; raises `UsageError` for values that make no sense."""
        release = ReleaseOptions.from_params({**params, "state": LISTED})
        own = ("watch_for", "interval", "failures", "deployed_within")
        options = cls(release, **{name: params[name] for name in own})
        if not 0 <= options.watch_for <= _LONGEST:
            raise UsageError(f"watch_for: must be a number of seconds from 0 to {_LONGEST:g}")
        if not 0 < options.interval <= _LONGEST:
            raise UsageError("interval: must be a number of seconds above 0")
        if options.failures < 1:
            raise UsageError("failures: must be 1 or more")
        return options
