# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the operator asked the Redis probe for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ..core.errors import UsageError
from ..core.options import checked_seconds
from .connection import DEFAULT_URL, Endpoint
from .url import parse_url


@dataclass(frozen=True)
class Options:
    """The validated options of redis_health."""

    endpoint: Endpoint
    timeout: float = 10.0
    """Seconds."""
    purpose: str = ""
    """``cache``, ``queue`` or ``session``; empty if it is not declared."""
    replicas: int = 0
    """Number of replicas that a primary should have."""
    samples: int = 5
    """Number of PINGs."""
    min_lookups: int = 1000
    """Key lookups in the window, below which the hit rate is not judged."""
    state_dir: str | None = None
    role: str = ""
    """``primary`` or ``replica``; empty if it is not declared."""
    canary: bool = False
    """Whether a key may be written and deleted."""
    key_samples: int = 0
    """Number of keys whose size is inspected."""
    is_default_url: bool = False
    """Whether the address is the one that is used if none is given."""

    @classmethod
    def from_params(cls, params: Mapping[str, Any]) -> Options:
        """The options from the module's parameters; raises `UsageError`."""
        timeout = checked_seconds("timeout", params["timeout"])
        if not 1 <= params["samples"] <= 1000:
            raise UsageError(f"samples: {params['samples']} is not a number from 1 to 1000")
        if not 0 <= params["key_samples"] <= 100_000:
            raise UsageError(
                f"key_samples: {params['key_samples']} is not a number from 0 to 100,000"
            )
        return cls(
            parse_url(params["redis_url"], params["ca_file"]),
            timeout,
            params["purpose"] or "",
            params["replicas"],
            params["samples"],
            params["min_lookups"],
            params["state_dir"],
            params["role"] or "",
            params["canary"],
            params["key_samples"],
            params["redis_url"] == DEFAULT_URL,
        )
