# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the operator asked redis_config for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ...core.errors import UsageError
from ...core.options import checked_seconds
from ..connection import Endpoint
from ..url import parse_url
from .values import FIXED, SECRETS, as_text, canonical


@dataclass(frozen=True)
class Options:
    """The validated options."""

    endpoint: Endpoint
    settings: Mapping[str, str] = field(default_factory=dict)
    """By the newer name of each."""
    persist: bool = True
    """Whether the settings are to survive a restart."""
    purpose: str = ""
    timeout: float = 10.0

    @classmethod
    def from_params(cls, params: Mapping[str, Any]) -> Options:
        """The options from the module's parameters; raises `UsageError`."""
        settings: dict[str, str] = {}
        for given, value in (params["settings"] or {}).items():
            name = canonical(str(given))
            _check_name(name)
            if name in settings:
                raise UsageError(f"settings: {name} is there twice, under two names")
            settings[name] = as_text(name, value)
        return cls(
            parse_url(params["redis_url"], params["ca_file"]),
            settings,
            params["persist"],
            params["purpose"] or "",
            checked_seconds("timeout", params["timeout"]),
        )


def is_secret(name: str) -> bool:
    """Whether a setting is a password or a user."""
    return bool(SECRETS.fullmatch(canonical(name)))


def _check_name(name: str) -> None:
    if SECRETS.fullmatch(name):
        raise UsageError(
            f"settings: {name} is a secret, which this module never sets or shows; put it into "
            "redis.conf or the ACL file (no_log)"
        )
    if FIXED.fullmatch(name):
        raise UsageError(
            f"settings: {name} can cut clients off or move files, so it is not set in a running "
            "server; change redis.conf, and restart in a maintenance window"
        )
