"""Which tests run on the same worker, because they share what is expensive to start.

pytest-xdist's own groups (marks) do not work with pytest 9.2, which ignores them silently.
"""

from __future__ import annotations

import re
from pathlib import PurePath

from xdist.scheduler.loadscope import LoadScopeScheduling

SHARED_SERVERS = ("tests/integration/postgres/", "tests/integration/pm2/")
"""Where the tests of a folder share a server, one for each version of it."""


def group_of(nodeid: str) -> str:
    """The group of a test; a test that shares nothing is a group of its own.

    ``[group: case]`` at the end of a test's id puts it into a group of its file.
    """
    file = nodeid.partition("::")[0]
    if file.startswith(SHARED_SERVERS):
        version = re.search(r"postgres-\d+", nodeid)
        return f"{PurePath(file).parent} {version[0] if version else ''}"
    named = re.search(r"\[(\w+): [^\]]*\]$", nodeid)
    return f"{file} {named[1]}" if named else nodeid


class GroupScheduling(LoadScopeScheduling):  # type: ignore[misc, unused-ignore]
    """Hands out whole groups, the largest first."""

    def _split_scope(self, nodeid: str) -> str:
        return group_of(nodeid)
