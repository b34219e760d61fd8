# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Free space on the server's disk, if this process can see it."""

from __future__ import annotations

import os
from dataclasses import dataclass

from ...core.files import free_bytes
from ..data_directory import is_this_server
from ..relations import Inventory


@dataclass(frozen=True)
class DiskSpace:
    """Free bytes on the file system of each tablespace."""

    inventory: Inventory
    stated: float | None
    """Free bytes as the operator says; none to find out."""

    def free(self, tablespace: int) -> float | None:
        """Free bytes for a tablespace; none if this process cannot see the server's disk."""
        if self.stated is not None:
            return self.stated
        try:
            return self._measured(tablespace)
        except (OSError, ValueError, IndexError):
            return None

    def by_tablespace(self) -> dict[int, float | None]:
        """Free bytes for each tablespace that holds an index."""
        default = self.inventory.facts["tablespace"]
        spaces = {index["tablespace"] or default for index in self.inventory.indexes}
        return {space: self.free(space) for space in spaces}

    def _measured(self, tablespace: int) -> float | None:
        facts = self.inventory.facts
        directory = facts["data_directory"]
        if not directory or not is_this_server(directory, facts["started"]):
            return None
        place = facts["tablespaces"].get(str(tablespace)) or directory
        wal = os.path.join(directory, "pg_wal")
        free = free_bytes(place)
        if os.stat(place).st_dev == os.stat(wal).st_dev:
            return free
        # A rebuild that needs twice its size writes its size once more as WAL, and a server that
        # has no room for WAL stops.
        return min(free, 2 * free_bytes(wal))
