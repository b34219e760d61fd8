"""Which tests run on the same worker, because they share what is expensive to start, and when.

pytest-xdist's own groups (marks) do not work with pytest 9.2, which ignores them silently.
"""

from __future__ import annotations

import re
from collections import OrderedDict
from pathlib import PurePath
from typing import Any

from xdist.scheduler.loadscope import LoadScopeScheduling

SHARED_SERVERS = ("tests/integration/postgres/", "tests/integration/pm2/")
"""Where the tests of a folder share a server, one for each version of it."""
UNIT = "tests/unit/"


def group_of(nodeid: str) -> str:
    """The group of a test; one with real services that shares nothing is a group of its own.

    ``[group: case]`` at the end of a test's id puts it into a group of its file. The tests of a
    file without services are a group: each is done before it could be handed to another worker.
    """
    file = nodeid.partition("::")[0]
    if file.startswith(UNIT):
        return file
    if file.startswith(SHARED_SERVERS):
        version = re.search(r"postgres-\d+", nodeid)
        return f"{PurePath(file).parent} {version[0] if version else ''}"
    named = re.search(r"\[(\w+): [^\]]*\]$", nodeid)
    return f"{file} {named[1]}" if named else nodeid


def in_order(groups: dict[str, Any]) -> list[str]:
    """The groups, the largest first, and last those without services: they are small, and keep
    every worker busy to the end.
    """
    return sorted(groups, key=lambda group: (group.startswith(UNIT), -len(groups[group])))


class GroupScheduling(LoadScopeScheduling):  # type: ignore[misc, unused-ignore]
    """Hands out whole groups."""

    _ordered = False

    def _split_scope(self, nodeid: str) -> str:
        return group_of(nodeid)

    def _assign_work_unit(self, node: Any) -> None:
        if not self._ordered:
            self._ordered = True
            names = in_order(self.workqueue)
            self.workqueue = OrderedDict((name, self.workqueue[name]) for name in names)
        super()._assign_work_unit(node)

    def mark_test_complete(self, node: Any, item_index: int, duration: float = 0) -> None:
        """Forgets groups that are complete: all that are known are counted after each test."""
        nodeid = self.registered_collections[node][item_index]
        work, group = self.assigned_work[node], group_of(nodeid)
        if group in work:  # else it is the second run of a test that failed
            work[group][nodeid] = True
            if all(work[group].values()):
                del work[group]
        self._reschedule(node)
