# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the operator asked of a maintenance run, validated."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields
from fnmatch import fnmatchcase
from typing import Any

from ansible.module_utils.common.text.formatters import human_to_bytes

from ...core.errors import UsageError
from ...core.options import checked_seconds, none_chosen
from ..bloat import Row

#: In the order in which one table is maintained.
OPERATIONS = ("cleanup", "freeze", "vacuum", "analyze", "reindex")

#: Smallest and largest value of each number.
_RANGES: Mapping[str, tuple[float, float]] = {
    "time_budget": (1, 7 * 86400),
    "jobs": (1, 32),
    "dead_share": (0, 100),
    "bloat_share": (1, 100),
    "bloat_bytes": (0, math.inf),
    "cost_delay": (0, 100),
    "cost_limit": (1, 10000),
    "max_wait": (0.1, 86400),
    "max_block": (0.1, 86400),
    "max_lag": (0, 86400),
}


@dataclass(frozen=True)
class Options:
    """What the operator asked for; raises `UsageError` for a value out of range."""

    operations: tuple[str, ...] = OPERATIONS
    only: tuple[str, ...] = ()
    """Shell patterns of the relations to maintain; empty for all."""
    exclude: tuple[str, ...] = ()
    time_budget: float = 3600.0
    """Seconds for the whole run."""
    jobs: int = 1
    """Tables maintained at the same time."""
    dead_share: float = 10.0
    """Percent of dead rows from which a table is vacuumed."""
    bloat_share: float = 30.0
    """Percent of empty space from which an index is rebuilt."""
    bloat_bytes: int = 10 * 1024 * 1024
    """Bytes that a rebuild must free."""
    cost_delay: float = 2.0
    """Milliseconds, as vacuum_cost_delay."""
    cost_limit: int = 200
    max_wait: float = 60.0
    """Seconds that a statement may wait for other sessions."""
    max_block: float = 1.0
    """Seconds that another session may wait for a statement of ours."""
    max_lag: float = 30.0
    """Seconds of standby lag beyond which nothing new is started."""
    disk_free: float | None = None
    """Free bytes on the server's disk as the operator says; none to find out."""
    literal: bool = False
    """Whether to run the runbook's own recipe."""
    confirm: str = ""
    """Name of the database, for ``literal``."""
    timeout: float = 30.0
    """Seconds for the server to answer one question."""

    def __post_init__(self) -> None:
        checked_seconds("timeout", self.timeout)
        if not self.operations:
            raise UsageError(none_chosen("operations", OPERATIONS))
        for name, (least, most) in _RANGES.items():
            value = getattr(self, name)
            if least <= value <= most:
                continue
            allowed = f"{least:g} or more"
            if most < math.inf:
                allowed = f"a number from {least:g} to {most:g}"
            raise UsageError(f"{name}: {value:g} is not {allowed}")

    @classmethod
    def from_params(cls, params: Mapping[str, Any]) -> Options:
        """The options in a module's parameters; raises `UsageError`."""
        values = {field.name: params[field.name] for field in fields(cls)}
        for name in ("operations", "only", "exclude"):
            values[name] = tuple(values[name])
        if values["disk_free"] is not None:
            values["disk_free"] = _bytes(values["disk_free"])
        return cls(**values)

    def selects(self, *relations: Row) -> bool:
        """Whether to maintain a relation, given with its parents, by name or schema.name."""
        names = []
        for relation in relations:
            names += [relation["name"], f"{relation['schema']}.{relation['name']}"]
        if self.only and not _matches(names, self.only):
            return False
        return not _matches(names, self.exclude)


def _bytes(text: str) -> float:
    try:
        return float(human_to_bytes(text))
    except ValueError:
        raise UsageError(f"disk_free: {text!r} is not a size such as '40G'") from None


def _matches(names: list[str], patterns: tuple[str, ...]) -> bool:
    return any(fnmatchcase(name, pattern) for name in names for pattern in patterns)
