# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the operator asked pg_recovery for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ...core.recovery import Attempt, read_recovery_options


@dataclass(frozen=True)
class Options:
    """The validated options, beside the URL."""

    unit: str = ""
    restart_command: Sequence[str] = ()
    data_directory: str = ""
    log_file: str = ""
    timeout: float = 10.0
    """Seconds for looking."""
    wait: float = 60.0
    """Seconds after a restart until it works."""
    attempt: Attempt | None = None

    @classmethod
    def from_params(cls, params: Mapping[str, Any]) -> Options:
        """The options from the module's parameters; raises `UsageError`."""
        return cls(data_directory=params["data_directory"] or "", **read_recovery_options(params))
