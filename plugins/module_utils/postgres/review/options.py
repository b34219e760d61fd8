# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the operator asked of a review, validated."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Any

from ...core.errors import UsageError
from ...core.options import none_chosen
from ..health import options as health

#: The daily checks.
SERVER = "server"
#: Areas that inspect databases, one after another.
DATABASE_AREAS = ("vacuum", "tables", "indexes", "settings")
#: Databases that Amazon, Google, Microsoft and DigitalOcean keep for themselves: only the provider
#: may connect, or change anything there.
PROVIDERS_OWN = (
    "rdsadmin",
    "cloudsqladmin",
    "alloydbadmin",
    "alloydbmetadata",
    "azure_maintenance",
    "azure_sys",
    "_dodb",
)
AREAS = (SERVER, "locks", "vacuum", "tables", "indexes", "statements", "settings")


@dataclass(frozen=True)
class Options:
    """What the operator asked for; raises `UsageError` for a value out of range."""

    areas: Sequence[str] = AREAS
    databases: Sequence[str] = ()
    """Shell patterns of names; empty for the database of the connection."""
    ignore_databases: Sequence[str] = ()
    """Shell patterns of names that the patterns of ``databases`` leave out."""
    unused_after: float = 30.0
    """Days that statistics must span before an index is called unused."""
    state_dir: str | None = None
    daily: health.Options = field(default_factory=health.Options)
    """Options of the daily checks."""

    def __post_init__(self) -> None:
        if not self.areas:
            raise UsageError(none_chosen("areas", AREAS))
        if not self.unused_after >= 0:
            raise UsageError(
                f"unused_after: {self.unused_after:g} is not a number of days; give 0 or more"
            )

    @classmethod
    def from_params(cls, params: Mapping[str, Any]) -> Options:
        """The options in a module's parameters; raises `UsageError`."""
        return cls(
            tuple(params["areas"]),
            tuple(params["databases"]),
            tuple(params["ignore_databases"]),
            params["unused_after"],
            params["state_dir"],
            health.Options.from_params(params),
        )

    def wants(self, name: str) -> bool:
        """Whether a database is to be inspected; one that is named in full always is."""
        if name in self.databases:
            return True
        if any(fnmatchcase(name, pattern) for pattern in (*PROVIDERS_OWN, *self.ignore_databases)):
            return False
        return any(fnmatchcase(name, pattern) for pattern in self.databases)

    def includes(self, *areas: str) -> bool:
        """Whether any of the areas was requested."""
        return not set(areas).isdisjoint(self.areas)
