# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Everything that is known about the backups at this moment."""

from __future__ import annotations

import time

from ....core.deadline import Deadline
from ....core.errors import NotCollected
from ...programs import find_programs
from ...url import Target
from ..repository import Listing
from .folder import read_folder, series_of
from .options import BARMAN, PGBACKREST, RUNBOOK, Options
from .server import ask
from .snapshot import Folder, Series, Server, Snapshot
from .tools import barman, pgbackrest


def collect(options: Options, target: Target | None, deadline: Deadline) -> Snapshot:
    """Read the folder, and ask the server, if its URL is known, and the other tools."""
    server = ask(target, deadline) if target else Server()
    folder: Folder | None = None
    series: list[Series] = []
    if RUNBOOK in options.tools and options.backup_dir:
        try:
            folder, listings = read_folder(options.backup_dir, options.keep_free)
            series += own_series(options, server, listings, folder.running)
        except NotCollected as error:
            series.append(Series("", error=error))
    for tool, read in ((PGBACKREST, pgbackrest), (BARMAN, barman)):
        if tool in options.tools:
            series += read(options.server_name, deadline)
    wrote = {_major(copy.client_version) for one in series for copy in one.copies[-1:]}
    too_new = frozenset(major for major in wrote if major and not _readable(major, options))
    return Snapshot(time.time(), tuple(series), folder, server, too_new)


def own_series(
    options: Options, server: Server, listings: dict[str, Listing], running: int
) -> list[Series]:
    """The series of each database that must have a backup, and of the globals if there is one."""
    in_folder = [name for name in listings if name]
    names = options.expected(server.database, list(server.sizes), in_folder)
    found = [
        series_of(listings.get(name) or Listing(name), running, server.sizes.get(name))
        for name in names
    ]
    if "" in listings:
        found.append(series_of(listings[""], running))
    if not listings and not found:  # no folder shows either which databases must have one
        found.append(Series(""))
    return found


def _major(version: str) -> int:
    return int(version.partition(".")[0]) if version else 0


def _readable(major: int, options: Options) -> bool:
    """Whether a pg_restore on this host reads what pg_dump of that version wrote.

    True if there is none at all: backups may be restored on another host.
    """
    for version in (major, 0):
        try:
            find_programs(version * 10000, options.bin_dir)
        except NotCollected:
            continue
        return version == major
    return True
