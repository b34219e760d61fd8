# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What npm says about an app, and what the app's own files say."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ..core.errors import NotCollected


@dataclass(frozen=True)
class Package:
    """A direct dependency for which there is a newer version, or that is not installed."""

    name: str
    current: str
    """The installed version, else that of the lockfile; empty if neither tells it."""
    wanted: str
    """The newest version within the range of package.json."""
    latest: str
    """The version with the tag ``latest``."""
    development: bool = False
    """Whether production does not use it."""
    installed: bool = True


@dataclass(frozen=True)
class Vulnerability:
    """A package with a known vulnerability of its own."""

    package: str
    severity: str
    """``info``, ``low``, ``moderate``, ``high`` or ``critical``: the worst of its advisories."""
    advisories: Mapping[str, str]
    """Title by id."""
    severities: Mapping[str, str]
    """Severity by id."""
    development: bool = False
    """Whether production does not use it."""
    fix: str = ""
    """What removes it; empty if there is nothing yet."""


@dataclass(frozen=True)
class Snapshot:
    """Everything that is known; a fact that could not be learned is an error instead."""

    node: str
    """Version of Node.js, such as ``22.11.0``."""
    problems: tuple[str, ...] | NotCollected
    """How the installed packages differ from package.json."""
    installed: bool = True
    """Whether there is a folder with packages at all."""
    development_omitted: bool = False
    """Whether none of the packages for development is installed."""
    outdated: tuple[Package, ...] | NotCollected = ()
    unknown_packages: Mapping[str, int] = field(default_factory=dict)
    """HTTP status by name, of packages that the registry did not tell about."""
    not_compared: tuple[str, ...] = ()
    """Direct dependencies that npm did not ask the registry about, such as those from git."""
    direct: int = 0
    """Number of direct dependencies, with those of workspaces."""
    audit: tuple[Vulnerability, ...] | NotCollected | None = None
    """None if it was not asked for."""
    totals: Mapping[str, Any] = field(default_factory=dict)
    """Number of vulnerable packages by severity, as npm counts them."""
