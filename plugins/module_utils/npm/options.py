# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the operator asks npm_check for."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from ..core.errors import UsageError


@dataclass(frozen=True)
class Allowance:
    """A vulnerability that is accepted until a date."""

    advisory: str
    """Id of the advisory, such as ``GHSA-35jh-r3h4-6jhm``."""
    until: date
    """The last day."""
    reason: str = ""


@dataclass(frozen=True)
class Options:
    """The options of npm_check, validated."""

    path: str
    """Folder of the app, with its package.json."""
    npm: str = "npm"
    """The program."""
    registry: str = ""
    """URL of the registry; empty for the one that npm is configured with."""
    audit: bool = True
    """Whether to ask the registry for known vulnerabilities."""
    allow: tuple[Allowance, ...] = ()

    @classmethod
    def from_params(cls, params: Mapping[str, Any]) -> Options:
        """The module's options; raises `UsageError` for values that make no sense."""
        path = params["path"] or ""
        if not path:
            raise UsageError("path: is not set (app_dependencies_path)")
        if not os.path.isabs(path):
            raise UsageError("path: must be the absolute path of the app's folder")
        if re.search("//[^/]*@", params["registry"] or ""):
            raise UsageError("registry: credentials belong in the user's .npmrc, not in the URL")
        return cls(
            path=path,
            npm=params["npm"] or "npm",
            registry=params["registry"] or "",
            audit=params["audit"],
            allow=tuple(map(_allowance, params["allow"])),
        )


def _allowance(given: Mapping[str, Any]) -> Allowance:
    try:
        until = date.fromisoformat(str(given["until"])[:10])
    except ValueError:
        raise UsageError(
            f"allow: until: '{given['until']}' is not a date like 2027-01-31"
        ) from None
    return Allowance(given["advisory"], until, given.get("reason") or "")
