# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the operator asked redis_flush for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ...core.errors import UsageError
from ...core.options import checked_seconds
from ...core.text import shorten
from ..connection import Endpoint
from ..url import parse_url

#: Keys by which a count may differ, however small it is.
FEW = 10


@dataclass(frozen=True)
class Options:
    """The validated options."""

    endpoint: Endpoint
    state: str = "listed"
    """``listed`` or ``flushed``."""
    prefix: str = ""
    """How the names of the keys begin; empty for all keys."""
    all_databases: bool = False
    confirm: int | None = None
    """Number of keys that the operator expects to be removed."""
    tolerance: float = 10.0
    """Percent by which the number may have changed since."""
    allow: Sequence[str] = ()
    """Kinds of data that may be removed although they are no cache."""
    purpose: str = ""
    dump_dir: str | None = None
    sample: int = 1000
    """Number of keys whose type, TTL and size are read."""
    batch: int = 500
    """Keys that one UNLINK removes."""
    pause: float = 0.01
    """Seconds between two of them."""
    timeout: float = 10.0
    """Seconds to wait for each answer."""
    time_limit: float = 300.0
    """Seconds for inspecting the keys, and again for removing them."""

    @classmethod
    def from_params(cls, params: Mapping[str, Any]) -> Options:
        """The options from the module's parameters; raises `UsageError`."""
        checked_seconds("timeout", params["timeout"])
        checked_seconds("time_limit", params["time_limit"], 86400)
        for name, low, high in (
            ("sample", 0, 100_000),
            ("batch", 1, 10_000),
            ("pause", 0, 10),
            ("tolerance", 0, 100),
        ):
            if not low <= params[name] <= high:
                raise UsageError(f"{name}: {params[name]:g} is not a number from {low} to {high:,}")
        if params["prefix"] and params["all_databases"]:
            raise UsageError("prefix: is for one database; remove it, or all_databases")
        if params["confirm"] is not None and params["confirm"] < 0:
            raise UsageError("confirm: must be the number of keys that are to be removed")
        fields = {name: params[name] for name in params if name in cls.__dataclass_fields__}
        fields["endpoint"] = parse_url(params["redis_url"], params["ca_file"])
        fields["purpose"] = params["purpose"] or ""
        return cls(**fields)

    @property
    def what(self) -> str:
        """What is removed, as a subject: ``database 0``, ``cart:* of database 0``."""
        if self.all_databases:
            return "all databases"
        where = f"database {self.endpoint.database}"
        return f"{shorten(self.prefix, 60)}* of {where}" if self.prefix else where

    @property
    def command(self) -> str:
        """The command that removes it."""
        if self.prefix:
            return "UNLINK"
        return "FLUSHALL" if self.all_databases else "FLUSHDB"

    def confirms(self, keys: int) -> bool:
        """Whether so many keys are still what the operator has confirmed."""
        if not self.confirm:  # none at all are not a few less than ten
            return False
        return abs(keys - self.confirm) <= self._margin

    @property
    def most(self) -> int:
        """Keys that may be removed at the most."""
        return int((self.confirm or 0) + self._margin)

    @property
    def _margin(self) -> float:
        return max(FEW, (self.confirm or 0) * self.tolerance / 100)
